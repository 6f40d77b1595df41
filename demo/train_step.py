"""One step of flow matching: the learning rate, the noised input and its target, the update."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor
from train_state import TrainState, follow


def set_rate(state: TrainState, batch: int, share: float, first: float, last: float) -> None:
    """Short warm-up of a fresh run, then half a cosine from the first to the last rate as share goes 0..1."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    warm = min(1.0, (state.pictures / batch + 1) / 100)
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = warm * (last + (first - last) * cosine)


def noised(latents: Tensor, shift: float) -> tuple[Tensor, Tensor, Tensor]:
    """Latents (B, ...) -> noised input, times t (B,) and the target noise - latent; shift is the mean logit of t."""
    count = latents.shape[0]
    # stratified over the batch: steadier losses for the same number of pictures
    even = (torch.arange(count, device=latents.device) + torch.rand(count, device=latents.device)) / count
    t = torch.sigmoid(shift + 1.15 * torch.special.ndtri(even.clamp(1e-4, 1 - 1e-4)))
    noise = torch.randn_like(latents)
    weight = t.reshape(-1, *[1] * (latents.ndim - 1))
    return latents * (1 - weight) + noise * weight, t, noise - latents


def update(state: TrainState, loss: Tensor, batch: int, decay: float = 0.998) -> None:
    """One step of both optimizers and of the running average, which remembers about 1 / (1 - decay) steps."""
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), 1.0)
    for optimizer in state.optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    state.pictures += batch
    follow(state, min(decay, 1 - 10 * batch / (state.pictures + 10 * batch)))


def append_line(path: Path, line: str) -> None:
    """Adds a line to a log."""
    with path.open("a") as log:
        log.write(line + "\n")
