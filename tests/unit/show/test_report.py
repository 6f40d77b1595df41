"""The account of a run."""

from dataclasses import replace

import pytest
import torch
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.map import Level, LevelMap
from comfyui_jano.jano.show.references import ReferenceAccount
from comfyui_jano.jano.show.report import RunReport, StepClass, StepRecord
from comfyui_jano.jano.show.risk import Risk


def record(step: int, computed: int, seconds: float = 0.0, kind: StepClass = StepClass.ACTIVE) -> StepRecord:
    """A step of 10 tokens and one evaluation."""
    return StepRecord(step, 1.0, kind, computed, all_tokens=10, evaluations=1, seconds=seconds)


def report(*steps: StepRecord, **fields: object) -> RunReport:
    return RunReport("Flux", len(steps), num_tokens=10, steps=list(steps), **fields)


def level_map(*levels: Level) -> LevelMap:
    grid = TokenGrid((1, 1, len(levels)), (1, 1, 1), (1, 1, 1))
    return LevelMap(grid, torch.tensor([int(level) for level in levels], dtype=torch.uint8), torch.zeros(len(levels)))


ASKED = {"quality": "balanced", "sampler": "euler", "cfg": 3.5, "latent": (1, 16, 4, 4)}
QUARTERS = level_map(Level.STATIC, Level.MODERATE, Level.ACTIVE, Level.ACTIVE)


def test_the_computed_fraction_is_over_all_token_steps() -> None:
    assert report(record(0, 10), record(1, 4), record(2, 0)).computed_token_fraction == pytest.approx(14 / 30)
    assert report().computed_token_fraction == 1.0


def test_a_step_without_calls_counts_as_computed() -> None:
    assert StepRecord(0, 1.0, StepClass.FULL).computed_share == 1.0


def test_the_speed_up_is_against_the_median_full_step_and_the_first_one_is_as_slow_without() -> None:
    steps = [record(0, 10, 9.0), record(1, 10, 2.0), record(2, 10, 2.0), record(3, 5, 1.0), record(4, 0, 0.0)]
    assert report(*steps).speedup == pytest.approx((5 * 2.0 + 7.0) / 14.0)


def test_of_two_full_steps_the_first_that_loads_the_weights_is_not_the_measure() -> None:
    """An edit of 4 steps of which two leave the references out."""
    steps = [record(0, 10, 9.0), record(1, 5, 1.0), record(2, 10, 2.0), record(3, 5, 1.0)]
    assert report(*steps).speedup == pytest.approx((4 * 2.0 + 7.0) / 13.0)


def test_a_speed_up_is_no_larger_than_the_steps_that_were_left_out_allow() -> None:
    """Of three computed steps two were held up by another program."""
    steps = [record(0, 10, 3.0), record(1, 10, 1.0), record(2, 0, 0.0), record(3, 10, 3.0)]
    assert report(*steps).speedup == pytest.approx(4 / 3)


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


def test_steps_are_counted_by_what_was_computed_of_them() -> None:
    made = report(record(0, 10), record(1, 10), record(2, 0), record(3, 4))
    assert (made.steps_computed, made.steps_forecast, made.steps_in_part) == (2, 1, 1)


def test_the_seconds_saved_are_those_of_full_steps() -> None:
    made = report(record(0, 10, 2.0), record(1, 10, 2.0), record(2, 0, 0.1), record(3, 10, 2.0))
    assert made.seconds_saved == pytest.approx(4 * 2.0 - 6.1)
    assert report(record(0, 4, 1.0)).seconds_saved is None


def measured(step: int, forecast: float | None = None, picture: float | None = 0.0) -> StepRecord:
    """A computed step with the error of its forecast, and what the forecasts before it did to the picture."""
    return replace(record(step, 10), forecast_error=forecast, picture_error=picture)


def test_the_largest_error_is_of_forecasts_that_were_used() -> None:
    made = report(
        measured(0), measured(1, 0.9), record(2, 0), measured(3, 0.2, 0.015), record(4, 0), measured(5, 0.1, 0.02)
    )
    assert made.largest_forecast_error == 0.2
    assert made.picture_error == pytest.approx(0.025)
    assert made.risk is Risk.HARD_TO_SEE


@pytest.mark.parametrize(
    "steps",
    [
        (measured(0), record(1, 0), measured(2, None, None)),  # the forecast was not measured
        (measured(0), record(1, 0)),  # nothing was computed after it
        (measured(0), record(1, 0), replace(measured(2, 0.1, 0.1), computed_tokens=5)),  # a part was left out
        (measured(0), measured(1)),  # nothing was forecast
    ],
)
def test_there_is_no_risk_where_a_part_of_it_was_not_measured(steps: tuple[StepRecord, ...]) -> None:
    made = report(*steps)
    assert (made.picture_error, made.risk) == (None, None)


def test_references_that_were_left_out_are_no_measured_risk() -> None:
    frozen = ReferenceAccount("auto", 10, frozen={1})
    assert report(measured(0), record(1, 0), measured(2, 0.1, 0.1), references=frozen).risk is None


def test_neither_the_fastest_nor_the_slowest_full_step_is_the_measure() -> None:
    steps = [record(0, 10, 9.0), record(1, 10, 2.0), record(2, 10, 1.0), record(3, 0, 0.0)]
    assert report(*steps).speedup == pytest.approx((4 * 2.0 + 7.0) / 12.0)
