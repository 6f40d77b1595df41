"""Which levels are computed at which step (paper section 5.2). Plain integers, no tensors."""

from __future__ import annotations

from dataclasses import dataclass

from ..clock import share_of_steps
from ..config import SchedulerConfig
from ..levels.map import ALL_LEVELS, Level


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
