"""The level map of a run, drawn from its first steps beside whatever computes them."""

from __future__ import annotations

import torch
from torch import Tensor

from ..clock import Moment, share_of_steps
from ..config import AnalyzerConfig, SchedulerConfig
from ..sentences import say
from .complexity import Features, normalised_scores
from .grid import TokenGrid
from .map import LevelMap, classify

TOO_FEW = say("no_map")
NOT_FINITE = say("not_finite")


def warmup_steps(share: float, num_steps: int, score: str) -> int:
    """Steps seen before the map: the share, but enough for the score's differences over steps."""
    needed = 3 if score == "curvature" else 2
    return max(needed, share_of_steps(share, num_steps))


class Drawing:
    """Sees the guided predictions of the first `steps` that are computed, or has the `level_map` of a run before."""

    def __init__(
        self,
        analyzer: AnalyzerConfig,
        scheduler: SchedulerConfig | None,
        grid: TokenGrid,
        num_steps: int,
        level_map: LevelMap | None = None,
    ) -> None:
        self._analyzer, self._scheduler, self._grid = analyzer, scheduler or SchedulerConfig(), grid
        self.level_map = level_map
        self.steps = 1 if level_map is not None else warmup_steps(analyzer.warmup, num_steps, analyzer.score)
        self._is_open = level_map is None
        self._seen: dict[int, tuple[Tensor, Tensor]] = {}

    def is_due(self, moment: Moment) -> bool:
        """Whether the map is to be drawn before this evaluation."""
        return self._is_open and moment.step >= self.steps

    def observe(self, x: Tensor, denoised: Tensor, moment: Moment) -> None:
        """A computed prediction, and the flow model's x of it; a later evaluation of a step replaces an earlier one."""
        if self._is_open and moment.step < self.steps and moment.sigma > 0:
            self._seen[moment.step] = ((x - denoised) / moment.sigma, denoised.clone())

    def draw(self) -> str:
        """Make the map (one device synchronisation a run); returns what there is to say about it, or why there is none.
        Whatever comes of it, it is not tried again."""
        seen = [self._seen[step] for step in sorted(self._seen)]
        self.give_up()
        if len(seen) < 2:
            return TOO_FEW
        velocity, denoised = (torch.stack(parts).float() for parts in zip(*seen, strict=True))
        if velocity.ndim == 5:  # pictures: (S, B, C, H, W)
            velocity, denoised = velocity.unsqueeze(3), denoised.unsqueeze(3)
        batch = [Features(v, d) for v, d in zip(velocity.unbind(1), denoised.unbind(1), strict=True)]
        scores = normalised_scores(batch, self._grid, self._analyzer)
        self.level_map = classify(scores, self._grid, self._scheduler)
        return "" if bool(velocity.isfinite().all()) else NOT_FINITE

    def give_up(self) -> None:
        """No map is drawn any more."""
        self._is_open = False
        self._seen.clear()

    def drop(self) -> None:
        self.give_up()
        self.level_map = None
