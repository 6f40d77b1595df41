"""Which levels are computed at which step (paper section 5.2). Plain integers, no tensors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from math import ceil

from .config import SchedulerConfig


class Level(IntEnum):
    """Convergence level of a token (paper section 5.1)."""

    STATIC = 1
    MODERATE = 2
    ACTIVE = 3


ALL_LEVELS = frozenset(Level)


class StepClass(str, Enum):
    """What a step costs: everything, everything plus filling the cache, some levels, or nothing."""

    __str__ = str.__str__

    FULL = "full"
    STORE = "store"
    MODERATE = "moderate"
    ACTIVE = "active"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Schedule:
    """Warm-up, interleaved and cool-down phase of one run; steps count from 0.

    The last full warm-up step already fills the cache, so the step after it may be partial
    (the authors spend one full step more).
    """

    num_steps: int
    warmup_steps: int
    cooldown_steps: int
    intervals: dict[Level, int]

    @classmethod
    def from_config(cls, config: SchedulerConfig, num_steps: int, warmup_steps: int) -> Schedule:
        intervals = {
            Level.STATIC: config.static_interval,
            Level.MODERATE: config.moderate_interval,
            Level.ACTIVE: config.active_interval,
        }
        return cls(num_steps, max(1, warmup_steps), share_of_steps(config.cooldown, num_steps), intervals)

    @property
    def interleaved(self) -> range:
        """Steps between warm-up and cool-down."""
        return range(self.warmup_steps, max(self.warmup_steps, self.num_steps - self.cooldown_steps))

    def due(self, step: int) -> frozenset[Level]:
        """Levels computed at `step`."""
        if step not in self.interleaved:
            return ALL_LEVELS
        since_store = step - (self.warmup_steps - 1)
        return frozenset(level for level, interval in self.intervals.items() if since_store % interval == 0)


def share_of_steps(share: float, num_steps: int) -> int:
    """A share of the steps as a count, rounded up, so that any share above 0 gives at least one step."""
    return ceil(share * num_steps - 1e-9)


def warmup_steps(share: float, num_steps: int, score: str) -> int:
    """Steps computed in full before the map: the share, but enough for the score's differences over steps."""
    needed = 3 if score == "curvature" else 2
    return max(needed, share_of_steps(share, num_steps))
