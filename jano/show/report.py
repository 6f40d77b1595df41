"""What a run did: numbers for the log, the nodes and the file. Small, on the CPU, outlives the run."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from torch import Tensor

from ..levels.map import LevelMap
from ..sentences import say, spoken
from .references import ReferenceAccount
from .table import Table


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

VERDICTS = {"accelerated": say("accelerated"), "analysed": say("analysed"), "native": say("native")}
LEVELS = {"static": say("static"), "moderate": say("moderate"), "active": say("active")}
CLASSES = {
    StepClass.FULL: say("class_full"),
    StepClass.STORE: say("class_store"),
    StepClass.MODERATE: say("class_moderate"),
    StepClass.ACTIVE: say("class_active"),
    StepClass.PICTURE: say("class_picture"),
    StepClass.SKIPPED: say("class_skipped"),
}


@dataclass
class StepRecord:
    """One step: image tokens computed and present, summed over its evaluations and conditioning chunks.

    `seconds` is the wall time of its model evaluations. `computed` (frames, rows, columns) bool on the CPU tells which
    tokens the step computed; None when all of them.
    """

    step: int
    sigma: float
    step_class: StepClass
    computed_tokens: int = 0
    all_tokens: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    computed: Tensor | None = field(default=None, compare=False)

    @property
    def computed_share(self) -> float:
        return self.computed_tokens / self.all_tokens if self.all_tokens else 1.0


@dataclass
class RunReport:
    """The account of one sampling run. `fallbacks` holds each reason for native computation once, `notes` what else
    the user should know of a run that is accelerated.

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
        reasons, notes = list(self.fallbacks), say("run_notes", notes=list(self.notes)) if self.notes else ""
        if self.verdict != "accelerated":
            because = say("run_because", reasons=reasons) if reasons else ""
            verdict = VERDICTS[self.verdict]
            return say("run_computed", verdict=verdict, steps=self.num_steps, because=because, notes=notes)
        return say(
            "run_accelerated",
            share=self.computed_token_fraction,
            speed=say("run_of_speed", speedup=self.speedup) if self.speedup else "",
            levels=self._scheduled(),
            references=self._frozen(),
            in_part=say("run_in_part", reasons=reasons) if reasons else "",
            notes=notes,
        )

    def _frozen(self) -> str:
        told = self.references and self.references.told()
        return say("run_of_references", told=told) if told else ""

    def _scheduled(self) -> str:
        """The levels and their cache, where levels decided what was computed: whole steps are skipped without one."""
        if not self.cache_bytes_peak:
            return ""
        shares = [say("share_of_level", share=share, level=LEVELS[name]) for name, share in self.level_share.items()]
        return say("run_of_levels", levels=shares, mib=self.cache_bytes_peak / 2**20)

    def spoken(self) -> dict:
        """What the user reads of the run, as the page tells it in another language."""
        return {"summary": spoken(self.summary()), "fallbacks": spoken(self.fallbacks), "notes": spoken(self.notes)}

    def markdown(self) -> str:
        """The run as a short markdown table."""
        return self.table().markdown()

    def table(self) -> Table:
        """The run; what is not known of it, or did not happen, has no row."""
        shares = [say("level_of_share", level=LEVELS[name], share=share) for name, share in self.level_share.items()]
        native = say("row_native_in_part") if self.verdict == "accelerated" else say("row_native")
        rows = (
            (say("row_verdict"), VERDICTS[self.verdict]),
            (say("row_model"), self.model),
            (say("row_steps"), self._steps_by_class()),
            (say("row_tokens"), str(self.num_tokens or "")),
            (say("row_computed"), say("percent", share=self.computed_token_fraction)),
            (
                say("row_levels") if self.cache_bytes_peak else say("row_complexity"),
                say("levels", levels=shares),
            ),
            (say("row_speedup"), say("times", times=self.speedup) if self.speedup else ""),
            (say("row_references"), self.references and self.references.told()),
            (say("row_cache"), say("mebibytes", mib=self.cache_bytes_peak / 2**20) if self.cache_bytes_peak else ""),
            (say("row_spread"), say("spread", spread=self.spread) if self.spread else ""),
            (native, say("several", parts=list(self.fallbacks))),
            (say("row_note"), say("several", parts=list(self.notes))),
        )
        return Table("Jano run", rows)

    def _steps_by_class(self) -> str:
        counts = Counter(record.step_class for record in self.steps)
        classes = [say("steps_of_class", count=count, name=CLASSES[kind]) for kind, count in counts.items()]
        return say("steps_by_class", steps=self.num_steps, classes=classes) if classes else str(self.num_steps)
