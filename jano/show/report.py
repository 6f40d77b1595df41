"""What a run did: numbers for the log, the nodes and the file. Small, on the CPU, outlives the run."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from torch import Tensor

from ..levels.map import LevelMap
from .error_map import ErrorMap
from .references import ReferenceAccount


class StepClass(str, Enum):
    """What a step costs: everything, everything plus filling the cache, some levels, all but the references, or
    nothing."""

    __str__ = str.__str__

    FULL = "full"
    STORE = "store"
    MODERATE = "moderate"
    ACTIVE = "active"
    PICTURE = "picture"
    SKIPPED = "skipped"


log = logging.getLogger(__name__)


@dataclass
class StepRecord:
    """One step: image tokens computed and present, summed over its evaluations and conditioning chunks.

    `seconds` is the wall time of its model evaluations. `computed` (frames, rows, columns) bool on the CPU tells which
    tokens the step computed; None when all of them. `forecast_error` is how far a forecast of it was off, as a share of
    its prediction, and `picture_error` what the forecast steps before it did to the picture (whole/control.py); None
    where that was not measured. `error_map` is `picture_error` region by region, and `tolerance` what
    those steps might cost.
    """

    step: int
    sigma: float
    step_class: StepClass
    computed_tokens: int = 0
    all_tokens: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    forecast_error: float | None = None
    picture_error: float | None = None
    tolerance: float | None = None
    error_map: ErrorMap | None = field(default=None, compare=False)
    computed: Tensor | None = field(default=None, compare=False)

    @property
    def computed_share(self) -> float:
        return self.computed_tokens / self.all_tokens if self.all_tokens else 1.0


@dataclass
class RunReport:
    """The account of one sampling run. `fallbacks` holds each reason for native computation once, `notes` what else
    the user should know of a run that is accelerated.

    `maps_errors` tells that the errors of forecasts are measured region by region, and are what there is to see.
    `spread` is the 90th over the 10th percentile of the forecast errors seen over the regions; 0 when not measured.
    """

    model: str
    num_steps: int
    num_tokens: int = 0
    steps: list[StepRecord] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    level_map: LevelMap | None = None
    cache_bytes_peak: int = 0
    accelerates: bool = True
    fingerprints: frozenset[str] = frozenset()
    spread: float = 0.0
    maps_errors: bool = False
    references: ReferenceAccount | None = None

    @classmethod
    def of_nothing(cls, reason: str) -> RunReport:
        """A report for when no run is known."""
        return cls("unknown", 0, fallbacks=[reason])

    def add_fallback(self, reason: str) -> bool:
        """Say why something ran natively, here and in the log; True the first time, which is the only one."""
        if reason in self.fallbacks:
            return False
        self.fallbacks.append(reason)
        log.warning("Jano: running natively because %s.", reason)
        return True

    @property
    def computed_token_fraction(self) -> float:
        """Token-steps computed over all token-steps."""
        present = sum(record.all_tokens for record in self.steps)
        return sum(record.computed_tokens for record in self.steps) / present if present else 1.0

    @property
    def level_share(self) -> dict[str, float]:
        if self.level_map is None:
            return {}
        return {level.name.lower(): round(share, 4) for level, share in self.level_map.share().items()}

    @property
    def error_map(self) -> ErrorMap | None:
        """Every region's largest error in the run; None where no forecast was measured."""
        return ErrorMap.worst(record.error_map for record in self.steps if record.error_map is not None)

    @property
    def seconds(self) -> float:
        return sum(record.seconds for record in self.steps)

    @property
    def speedup(self) -> float | None:
        """Measured: all steps at the median cost of a full step of this run, over what they cost. What the first step
        takes longer (memory, weights that are loaded) it would take without Jano too."""
        full = sorted(r.seconds / r.evaluations for r in self.steps if r.computed_share == 1.0 and r.evaluations)
        if not full or not self.seconds:
            return None
        usual, first = full[len(full) // 2], self.steps[0]
        waited = max(0.0, first.seconds - usual * first.evaluations) if first.computed_share == 1.0 else 0.0
        return (usual * sum(r.evaluations for r in self.steps) + waited) / self.seconds

    @property
    def verdict(self) -> str:
        """ "accelerated" when tokens were left out, "analysed" for the Analyzer alone, else "native"."""
        if self.computed_token_fraction < 1.0:
            return "accelerated"
        return "analysed" if self.level_map is not None and not self.accelerates else "native"

    def verdict_as_dict(self) -> dict:
        """The verdict with its main numbers: what goes into saved pictures and to the user's node."""
        return {
            "verdict": self.verdict,
            "summary": self.summary(),
            "steps": self.num_steps,
            "computed_token_fraction": round(self.computed_token_fraction, 4),
            "speedup_measured": self.speedup and round(self.speedup, 3),
            "level_share": self.level_share,
            "fallbacks": list(self.fallbacks),
            "notes": list(self.notes),
        }

    def as_dict(self) -> dict:
        return {
            "model": self.model,
            "verdict": self.verdict,
            "steps": self.num_steps,
            "tokens": self.num_tokens,
            "level_share": self.level_share,
            "computed_token_fraction": round(self.computed_token_fraction, 4),
            "step_classes": dict(Counter(str(record.step_class) for record in self.steps)),
            "seconds": round(self.seconds, 3),
            "speedup_measured": self.speedup and round(self.speedup, 3),
            "cache_bytes_peak": self.cache_bytes_peak,
            "forecast_error_spread": round(self.spread, 2),
            "references": self.references and self.references.as_dict(),
            "fallbacks": list(self.fallbacks),
            "notes": list(self.notes),
            "timeline": [
                {
                    "step": record.step,
                    "sigma": round(record.sigma, 5),
                    "class": str(record.step_class),
                    "computed": round(record.computed_share, 4),
                    "evaluations": record.evaluations,
                    "seconds": round(record.seconds, 4),
                }
                for record in self.steps
            ],
        }

    def summary(self) -> str:
        """One line for the log."""
        if self.verdict != "accelerated":
            because = f" because {'; '.join(self.fallbacks)}" if self.fallbacks else ""
            return f"Jano: {self.verdict}, {self.num_steps} steps{because}.{self._noted()}"
        speed = f", about {self.speedup:.2f}x" if self.speedup else ""
        in_part = f" Native in part: {'; '.join(self.fallbacks)}." if self.fallbacks else ""
        computed = f"{self.computed_token_fraction:.0%} of the token-steps computed"
        return f"Jano: accelerated, {computed}{speed}{self._scheduled()}{self._frozen()}.{in_part}{self._noted()}"

    def _frozen(self) -> str:
        told = self.references and self.references.told()
        return f"; {told}" if told else ""

    def _scheduled(self) -> str:
        """The levels and their cache, where levels decided what was computed: whole steps are skipped without one."""
        if not self.cache_bytes_peak:
            return ""
        shares = ", ".join(f"{share:.0%} {name}" for name, share in self.level_share.items())
        return f"; {shares}; cache {self.cache_bytes_peak / 2**20:.0f} MiB"

    def _noted(self) -> str:
        return f" Note: {'; '.join(self.notes)}." if self.notes else ""

    def markdown(self) -> str:
        """The run as a short markdown table; what is not known of it, or did not happen, has no row."""
        classes = ", ".join(f"{n} {c}" for c, n in self.as_dict()["step_classes"].items())
        levels = "Levels" if self.cache_bytes_peak else "Levels (complexity, not the schedule)"
        in_part = " in part" if self.verdict == "accelerated" else ""
        rows = [
            ("Verdict", self.verdict),
            ("Model", self.model),
            ("Steps", f"{self.num_steps} ({classes})" if classes else str(self.num_steps)),
            ("Image tokens", str(self.num_tokens or "")),
            ("Computed token-steps", f"{self.computed_token_fraction:.1%}"),
            (levels, ", ".join(f"{name} {share:.0%}" for name, share in self.level_share.items())),
            ("Measured speed-up", f"{self.speedup:.2f}x" if self.speedup else ""),
            ("References", self.references and self.references.told()),
            ("Cache", f"{self.cache_bytes_peak / 2**20:.1f} MiB" if self.cache_bytes_peak else ""),
            (
                "Spread of the forecast error",
                f"{self.spread:.1f} (90th over 10th percentile)" if self.spread else "",
            ),
            (f"Native{in_part} because", "; ".join(self.fallbacks)),
            ("Note", "; ".join(self.notes)),
        ]
        told = (f"| {name} | {value} |" for name, value in rows if value)
        return "\n".join(["| Jano run | |", "|---|---|", *told])
