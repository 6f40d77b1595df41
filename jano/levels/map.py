"""From complexity scores to convergence levels (paper section 5.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ..config import SchedulerConfig
from .grid import TokenGrid


class Level(IntEnum):
    """Convergence level of a token (paper section 5.1)."""

    STATIC = 1
    MODERATE = 2
    ACTIVE = 3


ALL_LEVELS = frozenset(Level)


@dataclass(frozen=True)
class LevelMap:
    """Convergence level of every token of a latent, and the scores that it came from.

    `levels` (num_tokens,) uint8 holds `Level` values; `scores` (num_regions,) lies in 0..1. `error_rate` is what the
    run measured of its forecasts (whole/control.py), so that one that goes on need not measure first; None: nothing.
    """

    grid: TokenGrid
    levels: Tensor
    scores: Tensor
    error_rate: float | None = None

    def mask(self, levels: frozenset[Level]) -> Tensor:
        """(num_tokens,) bool: tokens whose level is one of `levels`."""
        chosen = torch.zeros(max(Level) + 1, dtype=torch.bool, device=self.levels.device)
        chosen[[int(level) for level in levels]] = True
        return chosen[self.levels.long()]

    def share(self) -> dict[Level, float]:
        """Share of the tokens at each level."""
        counts = torch.bincount(self.levels.long().cpu(), minlength=max(Level) + 1).tolist()
        return {level: counts[level] / self.levels.numel() for level in Level}

    def to(self, device: torch.device) -> LevelMap:
        return replace(self, levels=self.levels.to(device), scores=self.scores.to(device))


def normalise_minmax(scores: Tensor) -> Tensor:
    """Scores to 0..1 by their smallest and largest, as the authors' code does; all zero when they are equal."""
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low).clamp(min=torch.finfo(scores.dtype).tiny)


def normalise_robust(scores: Tensor, share: float = 0.02) -> Tensor:
    """Like `normalise_minmax` between quantiles, so that no single outlier region makes the rest static."""
    low, high = torch.quantile(scores.float(), torch.tensor([share, 1.0 - share], device=scores.device))
    return ((scores - low) / (high - low).clamp(min=torch.finfo(scores.dtype).tiny)).clamp(0.0, 1.0)


def normalise_rank(scores: Tensor) -> Tensor:
    """The share of regions that are at most as complex, so that a threshold is a share and the speed is known."""
    order = torch.sort(scores).values
    return torch.searchsorted(order, scores, right=True).to(scores.dtype) / scores.numel()


NORMALISE = {"rank": normalise_rank, "minmax": normalise_minmax, "robust": normalise_robust}


def fill_holes(scores: Tensor, grid: TokenGrid) -> Tensor:
    """(num_regions,) scores in which what lies inside a ring of complex regions is as complex as the ring's lowest.

    Greyscale filling by reconstruction, frame by frame; regions at the picture's edge stay as they are. It serves the
    purpose of the authors' "enhancement" (the inside of a busy object is not frozen) without its five constants. On
    the tiny Wan (`bench/run.py motion`) the AUC for moving tokens after 4 steps goes from 0.735 to 0.731 (half trained,
    over twelve clips, from 0.759 to 0.766), and the rank correlation with the error of holding from 0.60 to 0.61; on 40
    pictures of the tiny Flux that changes by 0.001. So it is off by default.
    """
    rim = scores.reshape(-1, 1, *grid.regions[1:])
    filled = rim.clone()
    filled[..., 1:-1, 1:-1] = scores.max()
    for _ in range(grid.num_regions):  # the level sinks from the edges inwards until rims hold it
        lowest = -torch.maximum(max_pool2d(-filled, (3, 1), 1, (1, 0)), max_pool2d(-filled, (1, 3), 1, (0, 1)))
        sunk = torch.maximum(lowest, rim)
        if torch.equal(sunk, filled):
            break
        filled = sunk
    return filled.reshape(scores.shape)


def classify(scores: Tensor, grid: TokenGrid, config: SchedulerConfig) -> LevelMap:
    """Level map from normalised scores: (num_regions,), or (batch, num_regions), where the highest level counts.

    Static up to `static_threshold`, moderate up to `moderate_threshold`, active above (thresholds of Appendix B).
    """
    highest = scores.reshape(-1, grid.num_regions).amax(0)
    levels = torch.full_like(highest, int(Level.ACTIVE), dtype=torch.uint8)
    levels[highest <= config.moderate_threshold] = int(Level.MODERATE)
    levels[highest <= config.static_threshold] = int(Level.STATIC)
    return LevelMap(grid, levels[grid.region_of_token(levels.device)], highest)
