"""One seed in full and in every quality: what each took and how close it came, as a table, as JSON and as captions."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

from ..sentences import say, spoken
from .numbers import percent
from .quality import Comparison

FULL = "full"
HEADINGS = (
    "Jano sweep",
    say("heading_seconds"),
    say("heading_factor"),
    say("heading_computed"),
    say("row_psnr"),
    say("row_ssim"),
    say("row_verdict"),
)


@dataclass(frozen=True)
class SweepRow:
    """One way of sampling. `seconds` is the wall time of the sampling alone, None where it gave no picture; `computed`
    the share of the token-steps; `closeness` compares with full; `reason` says why it is not accelerated, or not there.
    """

    name: str
    seconds: float | None = None
    computed: float = 1.0
    closeness: Comparison | None = None
    reason: str = ""

    def factor(self, full_seconds: float | None) -> float | None:
        """How many times faster than full; None for full itself, where one of the two was not timed, and where all
        was computed for a reason: what differs then is the machine's, not the quality's."""
        if self.name == FULL or (self.reason and self.computed >= 1.0):
            return None
        return full_seconds / self.seconds if self.seconds and full_seconds else None

    def told(self) -> str:
        """How close it came, in words, and what is to be said besides."""
        if self.seconds is None:
            return say("no_picture", reason=self.reason)
        because = say("not_accelerated_because", reason=self.reason) if self.reason else ""
        told = [part for part in (self.closeness and self.closeness.told(), because) if part]
        return say("several", parts=told) if told else ""


@dataclass(frozen=True)
class Sweep:
    """All rows, full first. `facts` is what they have in common, by name; `note` what else the reader should know."""

    facts: dict[str, object]
    rows: list[SweepRow] = field(default_factory=list)
    note: str = ""

    @property
    def full_seconds(self) -> float | None:
        return next((row.seconds for row in self.rows if row.name == FULL), None)

    def headline(self) -> str:
        """The facts in one line."""
        facts = self.facts
        steps = f"{facts['steps']} steps" if facts.get("steps") else ""
        sampler = "/".join(str(facts[name]) for name in ("sampler", "scheduler") if facts.get(name))
        named = (f"{name} {facts[name]:g}" for name in ("cfg",) if facts.get(name) is not None)
        seed = f"seed {facts['seed']}" if facts.get("seed") is not None else ""
        batch = f"{facts['batch']} in a batch" if facts.get("batch", 1) > 1 else ""
        parts = (facts.get("model"), facts.get("size"), batch, steps, sampler, *named, seed, facts.get("device"))
        return ", ".join(str(part) for part in parts if part)

    def markdown(self) -> str:
        """The facts and a table with a row for each way of sampling, to paste."""
        lines = [_line(HEADINGS), "|" + "---|" * len(HEADINGS), *(_line(self._cells(row)) for row in self.rows)]
        return "\n".join([self.headline(), "", *lines, *(["", f"Note: {self.note}."] if self.note else [])])

    def spoken(self) -> list[list[object]]:
        """The table as JSON, its heading first, for the reader's language."""
        return [[spoken(cell) for cell in cells] for cells in (HEADINGS, *map(self._cells, self.rows))]

    def _cells(self, row: SweepRow) -> tuple[str, ...]:
        if row.seconds is None:
            return (row.name, "", "", "", "", "", row.told())
        return (
            row.name,
            say("tenths_of_seconds", seconds=row.seconds),
            _factor(row.factor(self.full_seconds)),
            percent(row.computed),
            _decibels(row.closeness),
            _similarity(row.closeness),
            row.told(),
        )

    def caption(self, row: SweepRow) -> tuple[str, list[str]]:
        """What stands below a picture: its name with the factor, and lines with the figures and the verdict."""
        factor, cells = row.factor(self.full_seconds), dict(zip(HEADINGS, self._cells(row), strict=True))
        title = row.name if factor is None else f"{row.name}, {factor:.1f}x faster"
        computed = cells["Computed"] and f"{cells['Computed']} computed"
        figures = ", ".join(part for part in (cells["Seconds"], computed, cells["PSNR"]) if part)
        return title, [line for line in (figures, cells["Verdict"]) if line]

    def as_dict(self) -> dict:
        return {**self.facts, "note": self.note, "rows": [self._row_as_dict(row) for row in self.rows]}

    def _row_as_dict(self, row: SweepRow) -> dict:
        factor = row.factor(self.full_seconds)
        return {
            "name": row.name,
            "seconds": None if row.seconds is None else round(row.seconds, 3),
            "factor": None if factor is None else round(factor, 3),
            "computed_token_fraction": round(row.computed, 4),
            **(row.closeness.as_dict() if row.closeness else {}),
            "reason": row.reason,
        }

    def as_json(self) -> str:
        """All of it in one line."""
        return json.dumps(self.as_dict(), ensure_ascii=False)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _factor(factor: float | None) -> str:
    return "" if factor is None else say("times", times=factor)


def _decibels(closeness: Comparison | None) -> str:
    if closeness is None:
        return ""
    finite = math.isfinite(closeness.mean_psnr)
    return say("tenths_of_decibels", value=closeness.mean_psnr) if finite else say("equal")


def _similarity(closeness: Comparison | None) -> str:
    return "" if closeness is None or closeness.mean_ssim is None else say("four_digits", value=closeness.mean_ssim)
