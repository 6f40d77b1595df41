"""A VAE in Wan's layout with made-up weights, small enough to be compressed within a second."""

from __future__ import annotations

import torch
from comfyui_jano.flash_vaed.wan import WanStudent, WanWidths
from comfyui_jano.flash_vaed.wan_teacher import blocks_in_full
from comfyui_jano.tests.filled import filled, shapes_in
from torch import Tensor

WIDTH, LATENT = 4, 4


def small_state() -> dict[str, Tensor]:
    """Its weights; the encoder is left out."""
    widths = WanWidths(LATENT, 4 * WIDTH, 2 * WIDTH, 4 * WIDTH, 2 * WIDTH, WIDTH)
    model = WanStudent(widths)
    blocks_in_full(model.decoder, widths)
    return filled(shapes_in(model))


def small_clips(count: int, latents: int = 2, side: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(count)
    return [torch.randn(LATENT, latents, side, side, generator=generator) for _ in range(count)]
