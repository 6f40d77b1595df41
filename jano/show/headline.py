"""What a run did, in words: said here once, and read in the log, in the Report and in saved pictures.

The page says the same of the same numbers (web/headline.js; a test holds the two equal).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .numbers import duration, percent, times
from .risk import Risk

if TYPE_CHECKING:
    from .report import RunReport

NOTICEABLE = 0.05
"""How far a speed-up is from 1 that is told as one: timings of equal runs differ by as much."""
SHORTEST = 0.05  # seconds; what rounds to none is not said to be saved
RISKS = {
    Risk.HARD_TO_SEE: "hard to see",
    Risk.DETAILS: "details may move",
    Risk.COMPOSITION: "composition may change",
}
ESTIMATED = "estimated from this run's full steps"
NOT_ACCELERATED, ANALYSED, ACCELERATED = "not accelerated", "analysed, nothing left out", "accelerated"
NO_RUN = "no run to report"


# --- one sentence each


def headline(report: RunReport) -> str:
    """The run in a few words, with neither reasons nor notes."""
    if report.verdict != "accelerated":
        return NO_RUN if report.is_unknown else {"analysed": ANALYSED}.get(report.verdict, NOT_ACCELERATED)
    return ACCELERATED if report.speedup is None else faster(report.speedup, report.seconds_saved)


def faster(speedup: float, saved: float) -> str:
    """A speed-up and the seconds that it saved."""
    if speedup >= 1.0 + NOTICEABLE:
        return f"{times(speedup)} faster" + (f", saved {duration(saved)}" if saved >= SHORTEST else "")
    if speedup > 1.0 - NOTICEABLE:
        return "about as fast as in full"
    return "slower than in full" + (f", by {duration(-saved)}" if saved <= -SHORTEST else "")


def steps(report: RunReport) -> str:
    """How many steps were computed, in part or in full, and how many forecast."""
    full, partly, forecast = report.steps_computed, report.steps_in_part, report.steps_forecast
    parts = [f"{full} of {full + partly + forecast} steps computed{' in full' if partly else ''}"]
    if partly:
        without_references = report.references is not None and report.references.frozen
        parts.append(f"{partly} {'without references' if without_references else 'in part'}")
    if forecast:
        parts.append(f"{forecast} forecast")
    return ", ".join(parts) + (f" ({percent(report.computed_token_fraction)} of the compute)" if partly else "")


def risk(report: RunReport) -> str:
    """How likely the picture differs, with the largest error that was measured; empty where none was."""
    if report.risk is None:
        return ""
    return f"{RISKS[report.risk]} (largest forecast error {percent(report.largest_forecast_error)})"


def reason(report: RunReport) -> str:
    """Why nothing was saved, or not everywhere; of a run without a reason, what is known of it."""
    return "; ".join(report.fallbacks or (() if report.verdict == "accelerated" else report.notes))


# --- all of them


def chart_title(report: RunReport) -> str:
    """The result and the steps, or why there was none."""
    return f"{headline(report)}; {steps(report) if report.verdict == 'accelerated' else reason(report)}".rstrip("; ")


def summary(report: RunReport) -> str:
    """A line for the log."""
    if report.verdict != "accelerated":
        because = reason(report)
        joint = ": " if report.is_unknown or report.verdict == "analysed" else " because "
        return f"Jano: {headline(report)}{joint + because if because else ''}."
    basis = f" ({ESTIMATED})" if report.speedup else ""
    main = "; ".join(filter(None, (headline(report) + basis, steps(report), risk(report), _references(report))))
    return " ".join([f"Jano: {main}.", *(f"{name}: {told}." for name, told in _remarks(report) if told)])


def table(report: RunReport) -> str:
    """The run as a short markdown table; what is not known of it, or did not happen, has no row."""
    rows = [(name, value) for name, value in _rows(report) if value]
    return "\n".join(["| Jano run | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _rows(report: RunReport) -> list[tuple[str, str]]:
    if report.verdict != "accelerated":
        return [("Result", headline(report)), ("Because", reason(report))]
    estimated = f" ({ESTIMATED})" if report.speedup else ""
    return [
        ("Result", headline(report) + estimated),
        ("Steps", steps(report)),
        ("Risk", risk(report)),
        ("Time", _time(report)),
        ("Model", report.model),
        ("Image tokens", str(report.num_tokens or "")),
        ("References", _references(report)),
        ("Kept in memory", f"{report.cache_bytes_peak / 2**20:.1f} MiB" if report.cache_bytes_peak else ""),
        *_remarks(report),
    ]


def _time(report: RunReport) -> str:
    if not report.seconds:
        return ""
    in_full = f", in full about {duration(report.seconds + report.seconds_saved)}" if report.speedup else ""
    return f"{duration(report.seconds)} of sampling{in_full}"


def _references(report: RunReport) -> str:
    return report.references.told() if report.references else ""


def _remarks(report: RunReport) -> list[tuple[str, str]]:
    """What is no part of the result, each under its own name."""
    notes, advice = "; ".join(report.notes), report.advice
    return [("Partly not accelerated, because", reason(report)), ("Note", notes), ("Advice", advice)]
