"""A run as JSON, its numbers with what is said of them: for the page, for saved pictures and for files."""

from __future__ import annotations

from collections import Counter

from ..sentences import spoken
from .headline import basis, summary, with_basis
from .report import RunReport, rounded


def verdict_of(report: RunReport) -> dict:
    """The verdict with its main numbers: what goes into saved pictures and to the user's node."""
    return {
        "verdict": report.verdict,
        "quality": report.quality,
        "summary": summary(report),
        "steps": report.num_steps,
        "computed_token_fraction": round(report.computed_token_fraction, 4),
        "level_share": report.level_share,
        "fallbacks": list(report.fallbacks),
        "notes": list(report.notes),
        **_told(report),
    }


def _told(report: RunReport) -> dict:
    """The numbers of the headline, and its words; a factor of what was left out alone, else it is chance."""
    known = basis(report)
    return {
        "headline": with_basis(report),
        "seconds": round(report.seconds, 3),
        "speedup": rounded(report.speedup if known else None, 3),
        "seconds_saved": rounded(report.seconds_saved if known else None, 3),
        "basis": known,
        "steps_computed": report.steps_computed,
        "steps_in_part": report.steps_in_part,
        "steps_forecast": report.steps_forecast,
        "largest_forecast_error": rounded(report.largest_forecast_error, 5),
        "picture_error": rounded(report.picture_error, 5),
        "risk": report.risk and str(report.risk),
        "references_frozen": bool(report.references and report.references.frozen),
        "references_compared": bool(report.references and report.references.drifts),
        "references_drift": report.references and rounded(report.references.drift, 5),
        "accelerates": report.accelerates,
        "advice": report.advice,
    }


def account_of(report: RunReport) -> dict:
    """All of the run, with each of its steps."""
    return {
        "model": report.model,
        "quality": report.quality,
        "sampler": report.sampler,
        "cfg": report.cfg,
        "latent": list(report.latent),
        "verdict": report.verdict,
        "steps": report.num_steps,
        "tokens": report.num_tokens,
        "level_share": report.level_share,
        "computed_token_fraction": round(report.computed_token_fraction, 4),
        "step_classes": dict(Counter(str(record.step_class) for record in report.steps)),
        "cache_bytes_peak": report.cache_bytes_peak,
        "forecast_error_spread": round(report.spread, 2),
        "references": report.references and report.references.as_dict(),
        "fallbacks": list(report.fallbacks),
        "notes": list(report.notes),
        **_told(report),
        "timeline": [record.as_dict() for record in report.steps],
    }


def spoken_of(report: RunReport) -> dict:
    """What the user reads of the run, as the page tells it in another language."""
    told = {"summary": summary(report), "fallbacks": report.fallbacks, "notes": report.notes, "advice": report.advice}
    return {name: spoken(of) for name, of in told.items()}
