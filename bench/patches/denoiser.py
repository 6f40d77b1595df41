"""The posterior mean of a set of pictures under Gaussian noise, patch by patch at the same place, in closed form.

With x = (1 - sigma) d + sigma e for a picture d of the set and standard normal e, the mean of d given a patch of x is
the mean of the set's patches at that place, weighted by softmax over d of -|x - (1 - sigma) d|^2 / (2 sigma^2). Large
patches decide early which picture it becomes, small ones late how details go together that no picture of the set has
(local posteriors as of Niedoba et al., arXiv 2411.19339, and Lukoianov et al., 2509.09672).

With a `grain` t the set stands for all pictures within normal noise of that size around its own (a kernel density):
the weights' variance is sigma^2 + (1 - sigma)^2 t^2, and what of the noise is the picture's own is left in it. Without,
the mean falls on single patches at low noise, as no network does that has learned more than its examples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

# Side of the patches as a share of the picture, and the sigma at which they alone count; in between two sizes are
# blended over the log odds of sigma.
SIZES = ((1.0, 0.992), (2 / 3, 0.987), (5 / 12, 0.973), (1 / 4, 0.924), (1 / 6, 0.844), (1 / 12, 0.64))
# So many patches lie over a pixel, along a side: enough that no seams show (2 costs twice as much and looks the same).
OVERLAP = 1.5


def log_odds(sigma: float) -> float:
    return math.log(sigma / (1.0 - sigma))


def starts(side: int, size: int) -> Tensor:
    """First rows (or columns) of patches that cover the side evenly, the last one up to its end."""
    count = 1 + max(round((side - size) * OVERLAP / size), math.ceil((side - size) / size))
    return torch.linspace(0, side - size, count).round().long()


def pixels(side: int, size: int) -> Tensor:
    """(positions, size * size): where every patch's pixels lie in a picture of side * side."""
    first, within = starts(side, size), torch.arange(size)
    lines = first[:, None] + within  # (positions of a side, size)
    return (lines[:, None, :, None] * side + lines[None, :, None, :]).reshape(-1, size * size)


def window(size: int) -> Tensor:
    """(size * size,): how much a patch's pixels count where patches overlap: most in its middle."""
    line = 1.0 - (torch.arange(size) - (size - 1) / 2).abs() / (size / 2 + 0.5)
    return (line[:, None] * line).flatten()


class PatchSize(nn.Module):
    """All patches of one size: pictures (N, C, side, side) cut up at every position."""

    def __init__(self, pictures: Tensor, size: int, grain: float = 0.0) -> None:
        super().__init__()
        channels, side = pictures.shape[1], pictures.shape[-1]
        self.size, self._grain, self._shape = size, grain, (channels, side, side)
        where = pixels(side, size)
        # (positions, N, values of a patch)
        patches = pictures.flatten(2)[:, :, where].permute(2, 0, 1, 3).flatten(2).contiguous()
        covered = torch.zeros(side * side).index_add_(0, where.flatten(), window(size).repeat(where.shape[0]))
        self.register_buffer("where", where, persistent=False)
        self.register_buffer("patches", patches, persistent=False)
        self.register_buffer("half_squares", patches.square().sum(-1)[:, None] / 2, persistent=False)
        self.register_buffer("covered", covered, persistent=False)

    def forward(self, x: Tensor, sigma: float, log_prior: Tensor) -> Tensor:
        """x0 (B, C, side, side) expected of x; `log_prior` (B, N) of the pictures."""
        noisy = x.flatten(2)[:, :, self.where].permute(2, 0, 1, 3).flatten(2)  # (positions, B, values)
        keep = 1.0 - sigma
        variance = sigma**2 + (keep * self._grain) ** 2
        closeness = torch.bmm(noisy, self.patches.mT) * keep - self.half_squares * keep**2
        weights = (closeness / variance + log_prior).softmax(-1)
        own = keep * self._grain**2 / variance  # of x - keep * mean, the share that is no noise
        return own * x + (1.0 - own * keep) * self._together(torch.bmm(weights, self.patches))

    def _together(self, means: Tensor) -> Tensor:
        """(positions, B, values) -> (B, C, side, side), averaged where patches overlap."""
        values = means.unflatten(-1, (self._shape[0], -1)) * window(self.size)
        values = values.permute(1, 2, 0, 3).flatten(2)
        summed = torch.zeros(*values.shape[:2], self.covered.numel()).index_add_(2, self.where.flatten(), values)
        return (summed / self.covered).unflatten(-1, self._shape[1:])


class Denoiser(nn.Module):
    """x0 expected of a noisy picture, from large patches early to small ones late; `grain` in the pictures' units."""

    def __init__(self, pictures: Tensor, grain: float = 0.0, sizes: Sequence[tuple[float, float]] = SIZES) -> None:
        super().__init__()
        side = pictures.shape[-1]
        self.sizes = nn.ModuleList(PatchSize(pictures, max(1, round(share * side)), grain) for share, _ in sizes)
        self._alone_at = [log_odds(sigma) for _, sigma in sizes]

    def forward(self, x: Tensor, sigma: float, log_prior: Tensor) -> Tensor:
        """x (B, C, side, side) at noise level `sigma` in 0..1, `log_prior` (B, N) -> x0 of the same shape."""
        sigma = min(max(sigma, 1e-4), 1.0 - 1e-6)
        parts = blend(log_odds(sigma), self._alone_at)
        return sum(share * self.sizes[number](x, sigma, log_prior) for number, share in parts)


def blend(at: float, alone_at: Sequence[float]) -> list[tuple[int, float]]:
    """Which sizes count at this log odds of sigma, and how much: straight between neighbours."""
    if at >= alone_at[0]:
        return [(0, 1.0)]
    for number, (high, low) in enumerate(zip(alone_at, alone_at[1:], strict=False)):
        if at > low:
            share = (at - low) / (high - low)
            return [(number, share), (number + 1, 1.0 - share)]
    return [(len(alone_at) - 1, 1.0)]
