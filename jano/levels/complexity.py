"""How complex each region will turn out, read from the first steps (paper section 4.3).

Every score takes the features of one picture or clip and gives one number per region; larger means later convergence.
Scores are comparable within one run only; `levels` normalises them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..config import AnalyzerConfig
from .grid import TokenGrid, ceil_div
from .map import NORMALISE, fill_holes


@dataclass(frozen=True)
class Features:
    """What the model said in the first steps: both (steps, channels, frames, height, width), guided (after CFG)."""

    velocity: Tensor
    denoised: Tensor

    @property
    def num_steps(self) -> int:
        return self.velocity.shape[0]


Score = Callable[[Features, TokenGrid, float], Tensor]

PAIRS_AT_ONCE = 1 << 24
"""Distances between cells that are held at once (64 MiB): a region as large as a picture has billions of pairs."""


def interval(num_steps: int) -> int:
    """Interval k of the second differences (equations 13 and 14); the authors' code takes half the steps."""
    return max(1, num_steps // 2)


def temporal_gradient(f: Tensor) -> Tensor:
    """Change from frame to frame (equation 11): (..., T, H, W) -> (..., T - 1, H, W)."""
    return f[..., 1:, :, :] - f[..., :-1, :, :]


def spatial_gradients(f: Tensor) -> tuple[Tensor, Tensor]:
    """Change to the next row and to the next column (equation 12)."""
    return f[..., 1:, :] - f[..., :-1, :], f[..., :, 1:] - f[..., :, :-1]


def interval_difference(gradient: Tensor) -> Tensor:
    """|G_{t+k} - G_t| averaged over the steps (equations 13 and 14); zero when there is a single step."""
    k = interval(gradient.shape[0])
    if gradient.shape[0] <= k:
        return torch.zeros_like(gradient[0])
    return (gradient[k:] - gradient[:-k]).abs().mean(0)


def _region_mean_of_pairs(per_pair: Tensor, grid: TokenGrid, dim: int) -> Tensor:
    """Mean per region over neighbouring cells along `dim` (-3, -2, -1) that lie in the same region."""
    region = grid.region_of_cell(per_pair.device).reshape(grid.latent)
    size = region.shape[dim]
    same = region.narrow(dim, 0, size - 1) == region.narrow(dim, 1, size - 1)
    shape = list(grid.latent)
    values, valid = per_pair.new_zeros(shape), torch.zeros(shape, dtype=torch.bool, device=per_pair.device)
    values.narrow(dim, 0, size - 1).copy_(per_pair)
    valid.narrow(dim, 0, size - 1).copy_(same)
    return grid.mean_per_region(values, valid)


def weighted(temporal: Tensor, spatial: Tensor, grid: TokenGrid, temporal_weight: float) -> Tensor:
    """S = w_T S_T + w_S S_S (equation 15); a single frame has no temporal part."""
    weight = temporal_weight if grid.latent[0] > 1 else 0.0
    return weight * temporal + (1.0 - weight) * spatial


def paper_score(features: Features, grid: TokenGrid, temporal_weight: float) -> Tensor:
    """Equations 10 to 15 as printed: channel average, neighbour gradients, interval second differences."""
    f = features.velocity.mean(1)  # (S, T, H, W), equation 10
    rows, columns = spatial_gradients(f)
    spatial = 0.5 * (
        _region_mean_of_pairs(interval_difference(rows), grid, -2)
        + _region_mean_of_pairs(interval_difference(columns), grid, -1)
    )
    if grid.latent[0] == 1:
        return spatial
    temporal = _region_mean_of_pairs(interval_difference(temporal_gradient(f)), grid, -3)
    return weighted(temporal, spatial, grid, temporal_weight)


def pairwise_score(features: Features, grid: TokenGrid, temporal_weight: float) -> Tensor:
    """What the authors' code computes: L2 over channels between all pairs of cells of a region, change over k steps.

    Ragged regions average over the pairs that they have (the code pads with zeros instead).
    """
    cells, valid = _cells_by_region(features.velocity, grid)  # (S, R, bt, s, C), (R, bt, s)
    spatial = _pair_distance_change(cells, valid)
    if grid.latent[0] == 1:
        return spatial
    return weighted(_pair_distance_change(cells.transpose(2, 3), valid.transpose(1, 2)), spatial, grid, temporal_weight)


def _cells_by_region(f: Tensor, grid: TokenGrid) -> tuple[Tensor, Tensor]:
    """(S, C, T, H, W) -> (S, regions, frames, cells, C) and which of these cells exist."""
    t, h, w = grid.region_cells
    axes = []
    for size, part in zip(grid.latent, (t, h, w), strict=True):
        axes.append(torch.arange(ceil_div(size, part) * part, device=f.device).reshape(-1, part))
    inside = [axis < size for axis, size in zip(axes, grid.latent, strict=True)]
    at, ah, aw = (axis.clamp(max=size - 1) for axis, size in zip(axes, grid.latent, strict=True))

    def combine(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return a[:, None, None, :, None, None], b[None, :, None, None, :, None], c[None, None, :, None, None, :]

    it, ih, iw = combine(at, ah, aw)
    index = (it * grid.latent[1] + ih) * grid.latent[2] + iw
    mt, mh, mw = combine(*inside)
    cells = f.flatten(-3)[..., index.reshape(grid.num_regions, t, h * w)]
    return cells.movedim(1, -1), (mt & mh & mw).reshape(grid.num_regions, t, h * w)


def _pair_distance_change(cells: Tensor, valid: Tensor) -> Tensor:
    """Mean over pairs along dim -2 of |d_{t+k} - d_t|, d = L2 over channels: (S, R, a, b, C), (R, a, b) -> (R,)."""
    cells, total = cells.float(), cells.new_zeros(valid.shape[0], dtype=torch.float32)
    at_once = max(1, PAIRS_AT_ONCE // cells[..., 0].numel())
    for some, here in zip(cells.split(at_once, -2), valid.split(at_once, -1), strict=True):
        change = interval_difference(torch.cdist(some, cells))  # (R, a, at once, b)
        total += (change * (here[..., :, None] & valid[..., None, :])).sum((1, 2, 3))
    return total / valid.sum(-1).square().sum(1).clamp(min=1)


def curvature_score(features: Features, grid: TokenGrid, temporal_weight: float) -> Tensor:
    """Second difference of the velocity over the steps, root mean square over channels.

    What a straight forecast of the velocity would miss; needs three steps, with two it is the first difference.
    """
    order = min(2, features.num_steps - 1)
    change = features.velocity.diff(n=order, dim=0)
    return grid.mean_per_region(change.square().mean((0, 1))).sqrt()


def contrast_score(features: Features, grid: TokenGrid, temporal_weight: float) -> Tensor:
    """Standard deviation of the last denoised prediction inside the region and, in clips, from frame to frame.

    Both parts are root mean squares over channels, in latent units. The denoised prediction carries no explicit noise
    term, so it says directly what equation 9 infers. It agrees best with the true error of freezing on the tiny Flux
    (`bench/run.py scores`), and with what moves on the tiny Wan (`bench/run.py motion`, 4 warm-up steps): AUC 0.735,
    without the temporal part 0.658, with it alone 0.760; `paper` and `pairwise` 0.43.
    """
    x0 = features.denoised[-1]
    variance = grid.mean_per_region(x0.square()) - grid.mean_per_region(x0).square()
    spatial = variance.clamp(min=0.0).mean(0).sqrt()
    if grid.latent[0] == 1:
        return spatial
    # Two values that lie d apart have the variance d^2 / 2.
    temporal = grid.mean_per_region(0.5 * frame_change(x0)).sqrt()
    return weighted(temporal, spatial, grid, temporal_weight)


def frame_change(x0: Tensor) -> Tensor:
    """Mean square over channels of the change from the frame before or to the frame after, whichever is larger:
    (C, T, H, W) -> (T, H, W)."""
    change = temporal_gradient(x0).square().mean(0)
    return torch.maximum(pad(change, (0, 0, 0, 0, 1, 0)), pad(change, (0, 0, 0, 0, 0, 1)))


SCORE_FUNCTIONS: dict[str, Score] = {
    "contrast": contrast_score,
    "curvature": curvature_score,
    "pairwise": pairwise_score,
    "paper": paper_score,
}


def normalised_scores(batch: list[Features], grid: TokenGrid, config: AnalyzerConfig) -> Tensor:
    """(batch, num_regions) scores in 0..1, each picture by its own range.

    A region whose score is not finite (the model said NaN there, or more than fits) has the highest.
    """
    return torch.stack(
        [_normalised(SCORE_FUNCTIONS[config.score](f, grid, config.temporal_weight), grid, config) for f in batch]
    )


def _normalised(scores: Tensor, grid: TokenGrid, config: AnalyzerConfig) -> Tensor:
    finite = scores.isfinite()
    scores = torch.where(finite, scores, torch.where(finite, scores, 0.0).max())
    if config.fill_holes:
        scores = fill_holes(scores, grid)
    return torch.where(finite, NORMALISE[config.normalisation](scores), 1.0)
