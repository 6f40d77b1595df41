"""What a run did with its references (pictures that an edit starts from)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..sentences import say
from .numbers import percent

UNSEEN = say("references_not_compared")


@dataclass
class ReferenceAccount:
    """`policy` is how they were to be treated; `stored` and `frozen` the steps in which they were computed, and seen
    through what was kept. `drifts` are shares of what was computed in place of a forecast, one a measurement. `storage`
    is where keys and values were kept, see storage.py."""

    policy: str
    num_tokens: int = 0
    stored: set[int] = field(default_factory=set)
    frozen: set[int] = field(default_factory=set)
    drifts: list[float] = field(default_factory=list)
    bytes_peak: int = 0
    storage: str = "device"

    @property
    def drift(self) -> float | None:
        """The worst that was measured."""
        return max(self.drifts, default=None)

    def told(self) -> str:
        """In words; empty where no reference was left out."""
        if not self.frozen:
            return ""
        steps = len(self.stored | self.frozen)
        return say(
            "references_left_out",
            tokens=self.num_tokens,
            computed=len(self.stored),
            steps=steps,
            policy=self.policy,
            mib=self.bytes_peak / 2**20,
            drifted=UNSEEN if self.drift is None else say("references_drifted", drift=percent(self.drift)),
        )

    def as_dict(self) -> dict:
        return {
            "policy": self.policy,
            "tokens": self.num_tokens,
            "computed_steps": sorted(self.stored),
            "frozen_steps": sorted(self.frozen),
            "drifts": [round(drift, 4) for drift in self.drifts],
            "bytes_peak": self.bytes_peak,
            "storage": self.storage,
        }
