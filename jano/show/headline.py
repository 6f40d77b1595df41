"""What a run did, in words: said here once, and read in the log, in the Report and in saved pictures.

The page says the same of the same numbers (web/headline.js; a test holds the two equal).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..sentences import say
from .numbers import duration, percent, times
from .report import RunReport
from .risk import Risk
from .table import Table

NOTICEABLE = 0.05
"""How far a speed-up is from 1 that is told as one: timings of equal runs differ by as much."""
SHORTEST = 0.05  # seconds; what rounds to none is not said to be saved
RISKS = {
    Risk.HARD_TO_SEE: say("risk_hard_to_see"),
    Risk.DETAILS: say("risk_details"),
    Risk.COMPOSITION: say("risk_composition"),
}
ESTIMATED = say("estimated")
NOT_ACCELERATED, ANALYSED, ACCELERATED = say("not_accelerated"), say("only_analysed"), say("accelerated")
NO_RUN = say("no_run")


# --- one sentence each


def headline(report: RunReport) -> str:
    """The run in a few words, with neither reasons nor notes."""
    if report.verdict != "accelerated":
        return NO_RUN if report.is_unknown else {"analysed": ANALYSED}.get(report.verdict, NOT_ACCELERATED)
    return ACCELERATED if report.speedup is None else faster(report.speedup, report.seconds_saved)


def faster(speedup: float, saved: float) -> str:
    """A speed-up and the seconds that it saved."""
    if speedup >= 1.0 + NOTICEABLE:
        factor = times(speedup)
        return (
            say("faster_by", times=factor, saved=duration(saved)) if saved >= SHORTEST else say("faster", times=factor)
        )
    if speedup > 1.0 - NOTICEABLE:
        return say("as_fast")
    return say("slower_by", lost=duration(-saved)) if saved <= -SHORTEST else say("slower")


def steps(report: RunReport) -> str:
    """How many steps were computed, in part or in full, and how many forecast."""
    full, partly, forecast = report.steps_computed, report.steps_in_part, report.steps_forecast
    counts = {"full": full, "all": full + partly + forecast}
    parts = [say("steps_in_full", **counts) if partly else say("steps_computed", **counts)]
    if partly:
        without = report.references is not None and report.references.frozen
        parts.append(say("steps_without_references", count=partly) if without else say("steps_in_part", count=partly))
    if forecast:
        parts.append(say("steps_forecast", count=forecast))
    told = say("listed", parts=parts)
    return say("of_the_compute", told=told, share=percent(report.computed_token_fraction)) if partly else told


def risk(report: RunReport) -> str:
    """How likely the picture differs; empty where that was not measured. Without a number: those of the map are of
    regions, and one of the whole run beside them reads as a contradiction."""
    return "" if report.risk is None else RISKS[report.risk]


def reason(report: RunReport) -> str:
    """Why nothing was saved, or not everywhere; of a run without a reason, what is known of it."""
    return _joined(report.fallbacks or (() if report.verdict == "accelerated" else report.notes))


def _joined(parts: Iterable[str]) -> str:
    told = [part for part in parts if part]
    return say("several", parts=told) if told else ""


# --- all of them


def chart_title(report: RunReport) -> str:
    """The steps, or why nothing was left out. No factor: the page may measure another one, and a picture stays."""
    return steps(report) if report.verdict == "accelerated" else f"{headline(report)}; {reason(report)}".rstrip("; ")


def summary(report: RunReport) -> str:
    """A line for the log."""
    if report.verdict != "accelerated":
        return _why_not(report)
    main = _joined([with_basis(report), steps(report), risk(report), _references(report)])
    remarks = [say("remark", name=name, told=told) for name, told in _remarks(report) if told]
    return say("run", told=main, remarks=remarks)


def _why_not(report: RunReport) -> str:
    result, because = headline(report), reason(report)
    if not because:
        return say("run", told=result, remarks=[])
    if report.is_unknown or report.verdict == "analysed":
        return say("run_with_reason", told=result, reason=because)
    return say("run_because", told=result, reason=because)


def basis(report: RunReport) -> str:
    """Where a run's factor and the seconds saved are from; empty where it has none. Only the page can measure them."""
    return "estimated" if report.verdict == "accelerated" and report.speedup else ""


def with_basis(report: RunReport) -> str:
    """The headline, and where its factor is from."""
    return say("with_basis", told=headline(report), basis=ESTIMATED) if basis(report) else headline(report)


def table(report: RunReport) -> Table:
    """The run; what is not known of it, or did not happen, has no row."""
    return Table("Jano run", tuple(_rows(report)))


def _rows(report: RunReport) -> list[tuple[str, str]]:
    if report.verdict != "accelerated":
        return [(say("row_result"), headline(report)), (say("row_because"), reason(report))]
    kept = report.cache_bytes_peak / 2**20
    return [
        (say("row_result"), with_basis(report)),
        (say("row_steps"), steps(report)),
        (say("row_risk"), risk(report)),
        (say("row_time"), _time(report)),
        (say("row_model"), report.model),
        (say("row_tokens"), str(report.num_tokens or "")),
        (say("row_references"), _references(report)),
        (say("row_kept"), say("mebibytes", mib=kept) if kept else ""),
        *_remarks(report),
    ]


def _time(report: RunReport) -> str:
    if not report.seconds:
        return ""
    taken = duration(report.seconds)
    if not report.speedup:
        return say("time_taken", seconds=taken)
    return say("time_against_full", seconds=taken, full=duration(report.seconds + report.seconds_saved))


def _references(report: RunReport) -> str:
    return report.references.told() if report.references else ""


def _remarks(report: RunReport) -> list[tuple[str, str]]:
    """What is no part of the result, each under its own name."""
    return [
        (say("row_partly"), reason(report)),
        (say("row_note"), _joined(report.notes)),
        (say("row_advice"), report.advice),
    ]
