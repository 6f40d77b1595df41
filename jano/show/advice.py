"""What would help after a run: one sentence at most, and only where it was measured.

That *fast* would do where *balanced* is hard to see is not among it: it did in 52 % of 62 such runs.
"""

from __future__ import annotations

from ..sentences import say
from .report import RunReport
from .risk import Risk

QUALITIES = ("fidelity", "balanced", "fast", "draft", "target")
CLOSE_ENOUGH = 0.02
"""Error of the picture up to which *balanced* is advised in place of *fidelity*: of 54 such runs it was hard to see in
89 % (up to 0.03: of 91 in 70 %), and computed 46 % of the steps in place of 58 % (`bench/run.py risk`)."""
MUCH_OF_NOISE = 0.6
"""Share of the compute from which a sampler that adds noise is the reason: with euler *balanced* computes 48 % of 20 to
28 steps, with euler_ancestral 100 %, *fast* 39 and 78 % (`bench/run.py risk`, tiny Flux and Wan)."""
CLOSER_WITHOUT_NOISE = ("fast", "draft", "target")  # at as many steps computed, where the picture may differ
FEW_STEPS, MORE_STEPS = 10, 14
"""With guidance *balanced* computes 6.7 to 8 of 8 steps, 7 to 10 of 10, and 8.3 to 10 of 14 (euler and dpmpp_2m, both
tiny models, `bench/run.py short_runs`). Not without guidance, where a model may be made for few steps."""
MEASURED_SHORT = ("euler", "dpmpp_2m")

BALANCED = say("advise_balanced")
FASTER_THAN_GOOD = say("advise_fast")
REFERENCES_ON = say("advise_references")


def advice_for(report: RunReport) -> str:
    """The first that fits; empty for a run that did nothing, or whose notes advise already."""
    if report.verdict != "accelerated" or report.quality not in QUALITIES:
        return ""
    rules = (_closer(report), _freezing(report), _other_sampler(report), _longer(report), _cheaper(report))
    return next(filter(None, rules), "")


def _closer(report: RunReport) -> str:
    """Of 65 drafts whose composition may change, 63 % were below 22 dB; as *fast* 2 %, at 61 % of the steps in place of
    41 (`bench/run.py risk`)."""
    return FASTER_THAN_GOOD if report.quality == "draft" and report.risk is Risk.COMPOSITION else ""


def _freezing(report: RunReport) -> str:
    """Where whole steps and references are both left out, the FLOPs of 20 steps with three references fall to 0.29 to
    0.35, at 46 dB; with as many steps alone it is 37 to 40 dB (`bench/run.py references`)."""
    return REFERENCES_ON if report.would_freeze else ""


def _other_sampler(report: RunReport) -> str:
    """At the same setting euler came closer than euler_ancestral in 127 of 133 runs that are told so: *fast* 8 of 10,
    *draft* 39 of 41 (8 to 13 dB), a target of 2 all 41 (21 to 26 dB), of 4 39 of 41 (7 to 10); uni_pc on Wan in 90 of
    97 (4 to 11 dB). Of *balanced* there was one, and it did not (`bench/run.py risk`)."""
    if report.left <= 1.0 or any("euler" in note for note in report.notes):
        return ""
    sampler = report.sampler or say("this_sampler")
    if report.quality != "target" and report.computed_token_fraction >= MUCH_OF_NOISE:
        return say("advise_sampler", sampler=sampler)
    is_due = report.quality in CLOSER_WITHOUT_NOISE and report.risk is not Risk.HARD_TO_SEE and report.risk is not None
    return say("advise_closer_sampler", sampler=sampler) if is_due else ""


def _longer(report: RunReport) -> str:
    guided = report.cfg is not None and report.cfg > 1.0
    few = report.num_steps <= FEW_STEPS and report.sampler in MEASURED_SHORT
    is_due = guided and few and report.quality == "balanced"
    return say("advise_longer", more=MORE_STEPS, fewest=8, most=10) if is_due else ""


def _cheaper(report: RunReport) -> str:
    error = report.picture_error
    return BALANCED if report.quality == "fidelity" and error is not None and error <= CLOSE_ENOUGH else ""
