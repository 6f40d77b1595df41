"""How the latents of a model fall into tokens and regions, whatever its blocks are: most transformers say it."""

from __future__ import annotations

import comfy.ldm.wan.model
from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

from ..levels.grid import THW, TokenGrid
from ..levels.parts import ONE_PART, Parts

WAN = (
    comfy.ldm.wan.model.WanModel,
    comfy.ldm.wan.model.VaceWanModel,
    comfy.ldm.wan.model.CameraWanModel,
)
# Latent cells per region: the authors' 64-pixel regions on Flux at 1024 x 1024 (run_flux: H // 128).
REGION = (1, 8, 8)
# The authors' Wan runner takes 7 frames by 6 x 8. A frame by 4 x 4 tells moving tokens from still ones better on the
# tiny Wan (AUC after 4 steps 0.735 against 0.677, `bench/run.py motion`), and its maps follow what moves from frame to
# frame.
WAN_REGION = (1, 4, 4)


def parts_of(latent_shapes: list | None) -> Parts:
    """What the host packed; of several parts the first clip is looked at, or else the first part."""
    if latent_shapes is None or len(latent_shapes) < 2:
        return ONE_PART
    shapes = tuple(tuple(shape) for shape in latent_shapes)
    clips = (index for index, shape in enumerate(shapes) if len(shape) == 5)
    return Parts(shapes, next(clips, 0))


def grid_of(model: nn.Module, latent_shape: tuple[int, ...], region: THW) -> TokenGrid:
    """Token grid of a latent (batch, channels, [frames,] height, width); `region` is in latent cells, 0 takes the
    model's own."""
    latent = (1, 1, 1, *latent_shape[2:])[-3:]
    default = WAN_REGION if type(model) in WAN else REGION
    region = tuple(chosen or own for chosen, own in zip(region, default, strict=True))
    return TokenGrid.with_region_cells(latent, patch(model), region)


def patch(model: nn.Module) -> THW:
    """Latent cells per token (frames, height, width); one cell where the model does not say it."""
    size = getattr(model, "patch_size", getattr(model, "patch", 1))
    if isinstance(size, int):
        return (1, size, size)
    whole = isinstance(size, (tuple, list)) and all(isinstance(cells, int) for cells in size)
    return (1, 1, *size)[-3:] if whole and 1 <= len(size) <= 3 else (1, 1, 1)


def batch_of(samples: Tensor) -> int:
    """How many pictures or clips a latent is of."""
    return _first_of(samples).shape[0]


def _first_of(samples: Tensor) -> Tensor:
    """Of several parts, as of a clip and its sound, the first."""
    return samples.unbind()[0] if getattr(samples, "is_nested", False) else samples


def size_told(model: ModelPatcher, samples: Tensor) -> str:
    """Width, height and, of clips, frames of what a latent is decoded to, by the host's word on its format."""
    shown = _first_of(samples)
    latent_format = model.model.latent_format
    side = getattr(latent_format, "spacial_downscale_ratio", 8)  # older hosts do not tell
    time = getattr(latent_format, "temporal_downscale_ratio", 1)
    size = f"{shown.shape[-1] * side} x {shown.shape[-2] * side}"
    frames = (shown.shape[2] - 1) * time + 1 if shown.ndim == 5 else 1
    return size if frames == 1 else f"{size} x {frames}"
