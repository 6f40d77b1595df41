"""The host's VAE object around a small decoder: decodes by itself, encodes by the model's own VAE."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import comfy.model_patcher
import comfy.ops
import comfy.sd
import torch
from comfy import model_management
from comfy.ldm.lightricks.vae.causal_video_autoencoder import VideoVAE
from comfy.ldm.wan.vae import WanVAE
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from .layout import STATISTICS, are_told, student_of, without_meaning
from .ltx import LTXStudent
from .streaming import StreamedDecoder
from .weights import read_weights, write_safetensors

log = logging.getLogger(__name__)

WORKSPACE = 1.3
"""What is reserved, to what the decoder's own tensors take: convolutions' workspaces were not measured."""


class SmallDecoderVAE(comfy.sd.VAE):
    """A VAE for every node that takes one. `base` encodes; without it `encode` raises ValueError with a sentence."""

    def __init__(self, student: StreamedDecoder, weights: dict[str, Tensor], base: comfy.sd.VAE | None = None) -> None:
        """`student` is on the meta device and takes `weights` as they are named."""
        device = model_management.vae_device()
        halves = [torch.bfloat16] if isinstance(student, LTXStudent) else [torch.bfloat16, torch.float16]
        dtype = model_management.vae_dtype(device, [*halves, torch.float32])
        # The host makes VAEs from weights that it knows; its smallest one is only there to have everything set.
        super().__init__(sd={"pixel_space_vae": torch.tensor(1.0)}, device=device, dtype=dtype)
        self.working_dtypes = [*halves, torch.float32]
        self.base = base
        self.name = "LTX-Video 0.9" if isinstance(student, LTXStudent) else "Wan 2.1"
        self._describe(student)
        self._take(student, weights)

    def _describe(self, student: StreamedDecoder) -> None:
        """What nodes read off a VAE."""
        time, height, width = student.cell
        self.latent_channels, self.latent_dim = student.widths.latent, 3
        self.output_channels = student.colours
        self.upscale_ratio = (lambda latents: max(0, time * (latents - 1) + 1), height, width)
        self.downscale_ratio = (lambda frames: max(0, (frames + time - 1) // time), height, width)
        self.upscale_index_formula = self.downscale_index_formula = student.cell
        self.handles_tiling = True
        self.disable_offload = False
        self.memory_used_decode = lambda shape, dtype: (
            WORKSPACE * student.live_elements(shape) * model_management.dtype_size(dtype)
        )

    def _take(self, student: StreamedDecoder, weights: dict[str, Tensor]) -> None:
        owned = {name: tensor.to(self.vae_dtype, copy=True) for name, tensor in weights.items()}
        student.load_state_dict(owned, strict=True, assign=True)
        self.first_stage_model = student.eval().requires_grad_(False)
        model_management.archive_model_dtypes(student)
        # Looked up here, because the host puts another class in its place at start.
        patcher = comfy.model_patcher.CoreModelPatcher
        self.patcher = patcher(student, load_device=self.device, offload_device=model_management.vae_offload_device())
        self.size = None
        self.model_size()

    def decode(self, samples_in: Tensor, vae_options: dict = {}) -> Tensor:  # noqa: B006 (the host's signature)
        self._check(samples_in)
        return super().decode(samples_in, vae_options)

    def decode_tiled(self, samples: Tensor, *sizes: Any, **named_sizes: Any) -> Tensor:
        self._check(samples)
        return super().decode_tiled(samples, *sizes, **named_sizes)

    def encode(self, pixel_samples: Tensor) -> Tensor:
        return self._encoder().encode(pixel_samples)

    def encode_tiled(self, pixel_samples: Tensor, *sizes: Any, **named_sizes: Any) -> Tensor:
        return self._encoder().encode_tiled(pixel_samples, *sizes, **named_sizes)

    def _encoder(self) -> comfy.sd.VAE:
        if self.base is None:
            raise ValueError(
                f"A Flash-VAED decoder cannot encode: connect {self.name}'s own VAE to its loader's base_vae."
            )
        return self.base

    def _check(self, samples: Tensor) -> None:
        """ValueError with a sentence where these are latents of another model."""
        if samples.ndim != 5 or samples.shape[1] != self.latent_channels:
            raise ValueError(
                f"This Flash-VAED decoder takes latents of {self.name}, (batch, {self.latent_channels}, time, height, "
                f"width), but was given {tuple(samples.shape)}: decode them with the VAE of their own model."
            )
        if not samples.numel():
            raise ValueError(f"The latent holds nothing, its shape is {tuple(samples.shape)}: give a frame or more.")


def load_vae(path: Path, base: comfy.sd.VAE | None = None, save: bool = False) -> SmallDecoderVAE:
    """A decoder from a file; `save` also writes it beside that as safetensors, in the file's own precision.

    ValueError with a sentence for the user where the file or the base do not fit, or the folder cannot be written.
    """
    student, weights = student_of(read_weights(path), path.name, comfy.ops.disable_weight_init)
    if wrong := without_meaning(weights):
        raise ValueError(f"{path.name} looks like a Flash-VAED decoder, but {wrong}; download or make it again.")
    if base is not None:
        check_base(base, student)
    if isinstance(student, LTXStudent):
        weights |= statistics(weights, base, path.name)
    vae = SmallDecoderVAE(student, weights, base)
    vae.patcher.cached_patcher_init = (load_patcher, (path, base))
    if save:
        save_beside(path, weights)
    return vae


def load_patcher(path: Path, base: comfy.sd.VAE | None, disable_dynamic: bool = False) -> ModelPatcher:
    """For the host, which asks for it when a VAE goes to another device."""
    return load_vae(path, base).patcher


def check_base(base: comfy.sd.VAE, student: StreamedDecoder) -> None:
    """ValueError with a sentence where `base` does not make the latents that the decoder takes."""
    model = base.first_stage_model
    if isinstance(student, LTXStudent):
        fits, name = isinstance(model, VideoVAE) and is_early(model, student), "LTX-Video 0.9.0"
    else:
        fits, name = isinstance(model, WanVAE), "Wan 2.1 (or LightVAE's smaller one)"
    if isinstance(base, SmallDecoderVAE) or not fits or base.latent_channels != student.widths.latent:
        raise ValueError(
            f"base_vae is not the VAE that makes this decoder's latents: connect that of {name} by the stock node Load "
            f"VAE, or nothing; it was given {type(model).__name__} with {base.latent_channels} latent channels."
        )


def is_early(model: VideoVAE, student: LTXStudent) -> bool:
    """Whether a host's LTX VAE is of the first version; later ones are wider, and most take a noise level."""
    kernel = model.state_dict().get("decoder.up_blocks.0.res_blocks.0.conv1.conv.weight")
    return kernel is not None and len(kernel) == student.widths.deep and not model.timestep_conditioning


def statistics(weights: dict[str, Tensor], base: comfy.sd.VAE | None, file: str) -> dict[str, Tensor]:
    """The latents' mean and deviation by channel: the file's own, or where it has none those of `base`."""
    mean, deviation = STATISTICS
    if are_told(weights[mean], weights[deviation]):
        return {}
    if base is None:
        raise ValueError(
            f"{file} does not say how LTX-Video's latents are scaled: connect the VAE of LTX-Video 0.9.0, which does, "
            "to base_vae."
        )
    own = base.first_stage_model.per_channel_statistics
    return {mean: own.get_buffer("mean-of-means"), deviation: own.get_buffer("std-of-means")}


def save_beside(path: Path, weights: dict[str, Tensor]) -> None:
    target = path.with_suffix(".safetensors")
    try:
        written = write_safetensors(target, weights, {"converted_from": path.name})
    except OSError as error:
        raise ValueError(f"{target} could not be written ({error.strerror}); turn save_safetensors off.") from error
    log.info("Flash-VAED: %s %s", target, "written" if written else "is there already and stays as it is")
