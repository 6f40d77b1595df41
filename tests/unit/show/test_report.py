"""The account of a run."""

import json

import pytest
import torch
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.map import Level, LevelMap
from comfyui_jano.jano.show.report import RunReport, StepClass, StepRecord


def record(step: int, computed: int, seconds: float = 0.0, kind: StepClass = StepClass.ACTIVE) -> StepRecord:
    """A step of 10 tokens and one evaluation."""
    return StepRecord(step, 1.0, kind, computed, all_tokens=10, evaluations=1, seconds=seconds)


def report(*steps: StepRecord, **fields: object) -> RunReport:
    return RunReport("Flux", len(steps), num_tokens=10, steps=list(steps), **fields)


def level_map(*levels: Level) -> LevelMap:
    grid = TokenGrid((1, 1, len(levels)), (1, 1, 1), (1, 1, 1))
    return LevelMap(grid, torch.tensor([int(level) for level in levels], dtype=torch.uint8), torch.zeros(len(levels)))


QUARTERS = level_map(Level.STATIC, Level.MODERATE, Level.ACTIVE, Level.ACTIVE)


def test_the_computed_fraction_is_over_all_token_steps() -> None:
    assert report(record(0, 10), record(1, 4), record(2, 0)).computed_token_fraction == pytest.approx(14 / 30)
    assert report().computed_token_fraction == 1.0


def test_a_step_without_calls_counts_as_computed() -> None:
    assert StepRecord(0, 1.0, StepClass.FULL).computed_share == 1.0


def test_the_speed_up_is_against_the_median_full_step_and_the_first_one_is_as_slow_without() -> None:
    steps = [record(0, 10, 9.0), record(1, 10, 2.0), record(2, 10, 2.0), record(3, 5, 1.0), record(4, 0, 0.0)]
    assert report(*steps).speedup == pytest.approx((5 * 2.0 + 7.0) / 14.0)


def test_without_times_or_full_steps_there_is_no_speed_up() -> None:
    assert report(record(0, 10)).speedup is None
    assert report(record(0, 4, 1.0)).speedup is None


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (report(record(0, 10), record(1, 4)), "accelerated"),
        (report(record(0, 10)), "native"),
        (report(record(0, 10), level_map=QUARTERS), "native"),
        (report(record(0, 10), level_map=QUARTERS, accelerates=False), "analysed"),
        (report(record(0, 10), accelerates=False), "native"),
        (RunReport.of_nothing("no run"), "native"),
    ],
)
def test_the_verdict(made: RunReport, verdict: str) -> None:
    assert made.verdict == verdict


def test_a_reason_is_noted_once() -> None:
    made = report()
    assert made.add_fallback("of this")
    assert not made.add_fallback("of this")
    assert made.add_fallback("of that")
    assert made.fallbacks == ["of this", "of that"]


def test_the_summary_of_an_accelerated_run() -> None:
    steps = [record(0, 10, 2.0), record(1, 5, 1.0)]
    made = report(*steps, level_map=QUARTERS, cache_bytes_peak=3 * 2**20, fallbacks=["of an area"])
    assert made.summary() == (
        "Jano: accelerated, 75% of the token-steps computed, about 1.33x; 25% static, 25% moderate, 50% active; "
        "cache 3 MiB. Native in part: of an area."
    )


def test_a_note_is_no_reason_for_native_computation() -> None:
    made = report(record(0, 10), record(1, 0), notes=["a target was missed"])
    assert made.summary() == "Jano: accelerated, 50% of the token-steps computed. Note: a target was missed."
    assert made.markdown().splitlines()[-1] == "| Note | a target was missed |"
    assert "Native" not in made.summary() + made.markdown()
    for account in (made.as_dict(), made.verdict_as_dict()):
        assert (account["fallbacks"], account["notes"]) == ([], ["a target was missed"])


def test_levels_that_scheduled_nothing_are_not_told_as_the_schedule() -> None:
    made = report(record(0, 10), record(1, 0), level_map=QUARTERS)
    assert "static" not in made.summary()
    assert "cache" not in made.summary()
    (row,) = [line for line in made.markdown().splitlines() if "static" in line]
    assert row.startswith("| Levels (complexity, not the schedule) |")


def test_a_report_of_nothing_says_only_what_it_knows() -> None:
    assert RunReport.of_nothing("no run").markdown().splitlines()[2:] == [
        "| Verdict | native |", "| Model | unknown |", "| Steps | 0 |", "| Computed token-steps | 100.0% |",
        "| Native because | no run |",
    ]  # fmt: skip


def test_the_summary_of_a_native_run_says_why() -> None:
    assert report(record(0, 10), fallbacks=["of this", "of that"]).summary() == (
        "Jano: native, 1 steps because of this; of that."
    )


def test_the_dictionary_is_json_and_complete() -> None:
    steps = [record(0, 10, 2.0, StepClass.FULL), record(1, 5, 1.0)]
    made = report(*steps, level_map=QUARTERS, cache_bytes_peak=7, spread=2.345)
    account = json.loads(json.dumps(made.as_dict()))
    timeline = account.pop("timeline")
    assert account == {
        "model": "Flux",
        "verdict": "accelerated",
        "steps": 2,
        "tokens": 10,
        "level_share": {"static": 0.25, "moderate": 0.25, "active": 0.5},
        "computed_token_fraction": 0.75,
        "step_classes": {"full": 1, "active": 1},
        "seconds": 3.0,
        "speedup_measured": 1.333,
        "cache_bytes_peak": 7,
        "forecast_error_spread": 2.35,
        "references": None,
        "fallbacks": [],
        "notes": [],
    }
    assert timeline[1] == {
        "step": 1, "sigma": 1.0, "class": "active", "computed": 0.5, "evaluations": 1, "seconds": 1.0
    }  # fmt: skip


def test_the_markdown_is_a_table_of_two_columns() -> None:
    lines = report(record(0, 10), fallbacks=["of this"]).markdown().splitlines()
    assert lines[:3] == ["| Jano run | |", "|---|---|", "| Verdict | native |"]
    assert all(line.startswith("| ") and line.endswith(" |") for line in lines if "---" not in line)
    assert lines[-1] == "| Native because | of this |"


def test_neither_the_fastest_nor_the_slowest_full_step_is_the_measure() -> None:
    steps = [record(0, 10, 9.0), record(1, 10, 2.0), record(2, 10, 1.0), record(3, 0, 0.0)]
    assert report(*steps).speedup == pytest.approx((4 * 2.0 + 7.0) / 12.0)
