"""How long two VAEs decode the same latents, and how much memory of the GPU that takes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Decoded:
    """Frames (T, H, W, C) in 0 to 1; the seconds they took; bytes of the weights; the most bytes in use beside what was
    on the GPU before (None on a CPU)."""

    frames: Tensor
    seconds: float
    weights: int
    most: int | None


def timed_decode(vae: Any, latents: Tensor) -> Decoded:
    """Decode latents (B, C, T, H, W) with one of the host's VAEs, after a run on the first of them as a warm-up."""
    vae.decode(latents[:, :, :1])
    gpu = torch.device(vae.device) if torch.device(vae.device).type == "cuda" else None
    before = 0
    if gpu is not None:
        torch.cuda.reset_peak_memory_stats(gpu)
        before = torch.cuda.memory_allocated(gpu)
    begin = time.perf_counter()
    frames = vae.decode(latents)
    frames = frames.reshape(-1, *frames.shape[-3:]).float().cpu()
    seconds = time.perf_counter() - begin
    most = None if gpu is None else torch.cuda.max_memory_allocated(gpu) - before
    return Decoded(frames, seconds, vae.model_size(), most)


def first_latents(latents: Tensor, most: int, *vaes: Any) -> Tensor:
    """The first `most` latents of a clip; ValueError with a sentence for the user where the VAEs do not take them."""
    if latents.is_nested or latents.ndim != 5:
        raise ValueError(
            "Decoders are compared on a clip's latent (batch, channels, time, height, width); this is none."
        )
    if not latents.numel():
        raise ValueError(f"The latent holds nothing, its shape is {tuple(latents.shape)}: give a frame or more.")
    for vae in vaes:
        if vae.latent_channels != latents.shape[1]:
            raise ValueError(
                f"The latent has {latents.shape[1]} channels, but a VAE decodes {vae.latent_channels}: connect two "
                "VAEs for the model that made the latent."
            )
    return latents[:, :, :most]
