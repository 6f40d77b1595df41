"""What is advised after a run, and when nothing is."""

from __future__ import annotations

import pytest
from comfyui_jano.jano.sentences import say
from comfyui_jano.jano.show.advice import BALANCED, FASTER_THAN_GOOD, REFERENCES_ON, advice_for
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.tests.unit.show.test_report import measured, record, report

OTHER_SAMPLER = say("advise_sampler", sampler="lcm")
CLOSER_SAMPLER = say("advise_closer_sampler", sampler="lcm")
LONGER = say("advise_longer", more=14, fewest=8, most=10)


def run(error: float = 0.1, computed: int = 1, **fields: object) -> RunReport:
    """A run whose only forecast did this to the picture."""
    steps = [measured(0), record(1, 0), *(measured(2, 0.1, error if step == 0 else 0.0) for step in range(computed))]
    return report(*steps, **{"quality": "balanced", "sampler": "euler", "cfg": 1.0} | fields)


def half(sampler: str, quality: str) -> RunReport:
    """A run of a sampler that adds noise, of which half was computed; details may move."""
    steps = measured(0), record(1, 0), record(2, 0), measured(3, 0.1, 0.1)
    return report(*steps, quality=quality, sampler=sampler, left=2.0)


@pytest.mark.parametrize(
    ("made", "advised"),
    [
        (run(), ""),
        (run(0.9, quality="draft"), FASTER_THAN_GOOD),
        (run(0.1, quality="draft"), ""),
        (run(0.9), ""),
        (run(0.01, quality="fidelity"), BALANCED),
        (run(0.03, quality="fidelity"), ""),
        (run(0.01, quality="custom"), ""),
        (run(computed=9, left=2.0, sampler="lcm"), OTHER_SAMPLER),
        (run(computed=9, left=2.0, notes=["try euler"]), ""),
        (run(computed=0, left=2.0), ""),
        (run(computed=2, left=2.0, sampler="lcm", quality="fast"), OTHER_SAMPLER),
        (half("lcm", "fast"), CLOSER_SAMPLER),
        (half("lcm", "draft"), CLOSER_SAMPLER),
        (run(computed=9, left=2.0, sampler="lcm", quality="target"), CLOSER_SAMPLER),
        (run(0.001, computed=9, left=2.0, sampler="lcm", quality="target"), ""),  # hard to see
        (run(computed=9, sampler="euler", quality="target"), ""),
        (half("lcm", "balanced"), ""),  # not measured to help
        (run(would_freeze=True), REFERENCES_ON),
        (run(cfg=4.0), LONGER),
        (run(cfg=4.0, sampler="heun"), ""),
        (run(computed=20, cfg=4.0), ""),
        (report(record(0, 10), fallbacks=["of this"], quality="balanced", cfg=4.0, sampler="euler"), ""),
        (RunReport.of_nothing("no run"), ""),
    ],
)
def test_advice(made: RunReport, advised: str) -> None:
    assert advice_for(made) == advised


def test_advice_reads_on_in_a_line() -> None:
    for sentence in (BALANCED, FASTER_THAN_GOOD, OTHER_SAMPLER, CLOSER_SAMPLER, REFERENCES_ON, LONGER):
        assert sentence[0] in "0123456789abcdefghijklmnopqrstuvwxyz"
        assert not sentence.endswith(".")
