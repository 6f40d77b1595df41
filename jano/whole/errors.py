"""How large the error of a forecast is."""

from __future__ import annotations

from math import isfinite, nan
from typing import NamedTuple

import torch
from torch import Tensor

from ..levels.grid import TokenGrid
from ..levels.parts import Parts

SMALLEST_ERROR = 1e-9
UNCOUNTED = -1.0
"""Stands for the error of a region of which no cell counts."""


class Measured(NamedTuple):
    """The error of a forecast as a share of the prediction, its spread over the regions, and (num_regions,) that of
    each region on the CPU; None where no region was looked at."""

    share: float
    spread: float
    regions: Tensor | None


def region_errors(error: Tensor, grid: TokenGrid, counted: Tensor | None = None) -> Tensor:
    """(num_regions,) root mean square over each region, of the worst picture of the batch, on the CPU; where cells are
    `counted` (bool, 1, 1, [frames,] height, width), of those alone, and UNCOUNTED in regions that have none."""
    square = _with_frames(error.float().square().mean(1))
    if counted is None:
        return grid.mean_per_region(square).amax(0).sqrt().cpu()
    counted = _with_frames(counted[:, 0])[0]
    has_some = grid.mean_per_region(counted.float()) > 0
    errors = grid.mean_per_region(square, counted).amax(0).sqrt()
    return torch.where(has_some, errors, UNCOUNTED).cpu()


def _with_frames(per_cell: Tensor) -> Tensor:
    """(batch, frames, height, width): pictures have one frame."""
    return per_cell.unsqueeze(1) if per_cell.ndim == 3 else per_cell


def share_of(error: Tensor, denoised: Tensor, grid: TokenGrid, counted: Tensor | None = None) -> Measured:
    """Root mean square of a forecast's error over that of the prediction, and its spread over the regions: the 90th
    over the 10th percentile (one device synchronisation). Of the `counted` cells alone, as in region_errors."""
    size = denoised if counted is None else denoised[counted.expand_as(denoised)]
    regions = region_errors(error / size.square().mean().sqrt(), grid, counted)
    looked_at = regions[regions != UNCOUNTED]
    low, high = torch.quantile(looked_at, torch.tensor([0.1, 0.9])).tolist()
    return Measured(looked_at.square().mean().sqrt().item(), high / max(low, SMALLEST_ERROR), regions)


def worst_share_of(
    error: Tensor, denoised: Tensor, grid: TokenGrid, parts: Parts, counted: Tensor | None = None
) -> Measured:
    """`share_of` where the worst of several parts decides; the spread is that of the part that `grid` is of, and not a
    number where nothing of it is `counted`. The share is not a number where one part's is not."""
    masks = [None] * len(parts) if counted is None else [mask.all(1, keepdim=True) for mask in parts.split(counted)]
    shares, spread, regions = [], nan, None
    for index, part in enumerate(zip(parts.split(error), parts.split(denoised), masks, strict=True)):
        if part[-1] is not None and not bool(part[-1].any()):
            continue
        if index == parts.shown:
            share, spread, regions = share_of(*part[:2], grid, part[-1])
        else:
            share = _plain_share(*part)
        shares.append(share)
    return Measured(max(shares) if all(map(isfinite, shares)) else nan, spread, regions)


def _plain_share(error: Tensor, denoised: Tensor, counted: Tensor | None) -> float:
    """The same of a part without regions (sound), of the worst of the batch."""
    weight = 1.0 if counted is None else counted.float()
    square = (error.float().square() * weight).flatten(1).sum(1).amax() * len(error)
    return (square / (denoised.float().square() * weight).sum()).sqrt().item()


def median(spreads: list[float]) -> float:
    """The upper middle of the finite ones; 0 for none."""
    finite = sorted(filter(isfinite, spreads))
    return finite[len(finite) // 2] if finite else 0.0
