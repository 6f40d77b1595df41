"""How large the error of a forecast is."""

from __future__ import annotations

from math import isfinite

import torch
from torch import Tensor

from ..levels.grid import TokenGrid

SMALLEST_ERROR = 1e-9


def region_errors(error: Tensor, grid: TokenGrid, counted: Tensor | None = None) -> Tensor:
    """(num_regions,) root mean square over each region, of the worst picture of the batch, on the CPU; where cells are
    `counted` (bool, 1, 1, [frames,] height, width), of those alone, and of the regions that have some."""
    square = _with_frames(error.float().square().mean(1))
    if counted is None:
        return grid.mean_per_region(square).amax(0).sqrt().cpu()
    counted = _with_frames(counted[:, 0])[0]
    has_some = grid.mean_per_region(counted.float()) > 0
    return grid.mean_per_region(square, counted).amax(0)[has_some].sqrt().cpu()


def _with_frames(per_cell: Tensor) -> Tensor:
    """(batch, frames, height, width): pictures have one frame."""
    return per_cell.unsqueeze(1) if per_cell.ndim == 3 else per_cell


def share_of(error: Tensor, denoised: Tensor, grid: TokenGrid, counted: Tensor | None = None) -> tuple[float, float]:
    """Root mean square of a forecast's error over that of the prediction, and its spread over the regions: the 90th
    over the 10th percentile (one device synchronisation). Of the `counted` cells alone, as in region_errors."""
    size = denoised if counted is None else denoised[counted.expand_as(denoised)]
    regions = region_errors(error / size.square().mean().sqrt(), grid, counted)
    low, high = torch.quantile(regions, torch.tensor([0.1, 0.9])).tolist()
    return regions.square().mean().sqrt().item(), high / max(low, SMALLEST_ERROR)


def median(spreads: list[float]) -> float:
    """The upper middle of the finite ones; 0 for none."""
    finite = sorted(filter(isfinite, spreads))
    return finite[len(finite) // 2] if finite else 0.0
