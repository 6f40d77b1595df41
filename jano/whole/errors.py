"""How large the error of a forecast is."""

from __future__ import annotations

from math import isfinite

import torch
from torch import Tensor

from ..levels.grid import TokenGrid

SMALLEST_ERROR = 1e-9


def region_errors(error: Tensor, grid: TokenGrid) -> Tensor:
    """(num_regions,) root mean square over each region, of the worst picture of the batch, on the CPU."""
    square = error.float().square().mean(1)
    if square.ndim == 3:  # pictures: (batch, height, width)
        square = square.unsqueeze(1)
    return grid.mean_per_region(square).amax(0).sqrt().cpu()


def share_of(error: Tensor, denoised: Tensor, grid: TokenGrid) -> tuple[float, float]:
    """Root mean square of a forecast's error over that of the prediction, and its spread over the regions: the 90th
    over the 10th percentile (one device synchronisation)."""
    regions = region_errors(error / denoised.square().mean().sqrt(), grid)
    low, high = torch.quantile(regions, torch.tensor([0.1, 0.9])).tolist()
    return regions.square().mean().sqrt().item(), high / max(low, SMALLEST_ERROR)


def median(spreads: list[float]) -> float:
    """The upper middle of the finite ones; 0 for none."""
    finite = sorted(filter(isfinite, spreads))
    return finite[len(finite) // 2] if finite else 0.0
