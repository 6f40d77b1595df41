"""VAEs in the layouts of Wan 2.1 and LTX-Video 0.9 with made-up weights, small enough to be compressed in a second."""

from __future__ import annotations

import torch
from comfyui_jano.flash_vaed import ltx_teacher, wan_teacher
from comfyui_jano.flash_vaed.layout import STATISTICS
from comfyui_jano.flash_vaed.ltx import LTXStudent, LTXWidths
from comfyui_jano.flash_vaed.streaming import StreamedDecoder
from comfyui_jano.flash_vaed.teachers import teacher_from
from comfyui_jano.flash_vaed.wan import WanStudent, WanWidths
from comfyui_jano.tests.filled import filled, shapes_in
from torch import Tensor

WIDTH, LATENT = 4, 4
LAYOUTS = ("wan", "ltx")


def small_state(layout: str = "wan") -> dict[str, Tensor]:
    """Its weights, LTX-Video's by diffusers' names; the encoder is left out."""
    if layout == "wan":
        model = WanStudent(WanWidths(LATENT, 4 * WIDTH, 2 * WIDTH, 4 * WIDTH, 2 * WIDTH, WIDTH))
        wan_teacher.blocks_in_full(model.decoder, model.widths)
        return filled(shapes_in(model))
    model = LTXStudent(LTXWidths(LATENT, 4 * WIDTH, 2 * WIDTH, WIDTH))
    ltx_teacher.blocks_in_full(model.decoder, model.widths)
    told = {"latents_mean": torch.linspace(-1, 1, LATENT), "latents_std": torch.linspace(0.5, 1.5, LATENT)}
    return filled(shapes_in(model)) | told


def by_host_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """An LTX-Video VAE's weights as the host names them."""
    theirs = {by_host_name(name): value for name, value in state.items()}
    for ours, host in zip(STATISTICS, ltx_teacher.HOST_STATISTICS, strict=True):
        theirs[host] = theirs.pop(ours)
    return theirs


def by_host_name(name: str) -> str:
    for number, stage in enumerate(ltx_teacher.HOST_STAGES):
        part = name.removeprefix(f"decoder.{stage}.")
        if part != name:
            for host, other in ltx_teacher.HOST_PARTS.items():
                part = part.replace(other, host)
            return f"decoder.up_blocks.{number}.{part}"
    return name


def small_teacher(layout: str = "wan") -> StreamedDecoder:
    return teacher_from(small_state(layout))


def small_clips(count: int, latents: int = 2, side: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(count)
    return [torch.randn(LATENT, latents, side, side, generator=generator) for _ in range(count)]
