"""When references are computed anew: once, or when what is kept of them is expected to have drifted too far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Once:
    """Computed in the first step, and kept for the run."""

    refreshes = False

    def due(self, step: int) -> bool:
        return False

    def passed(self, step: int) -> None:
        """Nothing drifts that is not looked at."""

    def stored(self, step: int, drift: float | None) -> None:
        """Never again."""


@dataclass
class At:
    """Computed anew at given steps (to measure with)."""

    steps: frozenset[int]
    refreshes = True

    def due(self, step: int) -> bool:
        return step in self.steps

    def passed(self, step: int) -> None: ...

    def stored(self, step: int, drift: float | None) -> None: ...
