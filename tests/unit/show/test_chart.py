"""The steps of a run as a chart."""

import pytest
import torch
from comfyui_jano.jano.show.chart import ERROR, TOLERANCE, spent, step_chart
from comfyui_jano.jano.show.render import STEP_COLOURS
from comfyui_jano.jano.show.report import RunReport, StepClass, StepRecord
from torch import Tensor

FULL, SKIPPED = StepClass.FULL, StepClass.SKIPPED


def chart(*seconds: float, kind: StepClass = FULL) -> Tensor:
    steps = [StepRecord(i, 1.0, kind, 100, 100, 1, taken) for i, taken in enumerate(seconds)]
    return step_chart(RunReport("Flux", len(seconds), steps=steps))


def near(picture: Tensor, colour: tuple[float, float, float]) -> Tensor:
    """(height, width) bool: pixels of a colour."""
    wanted = torch.tensor([round(255 * part) / 255 for part in colour])
    return (picture[0] - wanted).abs().sum(-1) < 1e-3


@pytest.mark.parametrize("kind", StepClass)
def test_bars_have_the_colour_of_their_class(kind: StepClass) -> None:
    assert near(chart(1.0, kind=kind)[:, 60:200], STEP_COLOURS[kind]).any()


def test_a_bar_is_as_high_as_its_seconds_and_a_forecast_one_is_empty() -> None:
    coloured = near(chart(2.0, 1.0)[:, :314], STEP_COLOURS[FULL]).sum(0)
    assert coloured[600].item() == pytest.approx(coloured[200].item() / 2, abs=5)  # the lines behind them
    assert near(chart(2.0, kind=SKIPPED)[:, :314], STEP_COLOURS[SKIPPED])[:, 200].sum() <= 2  # its upper and lower edge


def test_a_run_without_steps_has_a_chart_too() -> None:
    assert step_chart(RunReport.of_nothing("no run")).shape == (1, 344, 768, 3)


def of(kind: StepClass, in_picture: float | None = None, tolerance: float | None = None) -> StepRecord:
    return StepRecord(0, 1.0, kind, picture_error=in_picture, tolerance=tolerance)


def test_forecasts_cost_what_their_tolerance_is_of() -> None:
    """As whole/control.py weighs them: error times the root of the steps."""
    steps = [of(FULL, 0.0), of(SKIPPED), of(FULL, 0.02), of(FULL, 0.0), *[of(SKIPPED)] * 4, of(FULL, 0.03)]
    assert spent(steps) == [None, None, 0.02, None, None, None, None, None, pytest.approx(0.06)]
    assert spent([of(FULL), of(SKIPPED), of(FULL)]) == [None] * 3  # not measured


def test_errors_are_drawn_beside_their_tolerance_where_they_were_measured() -> None:
    kinds = [FULL, SKIPPED, FULL, SKIPPED, FULL]
    costs = [None, None, 0.02, None, 0.01]
    steps = [
        StepRecord(step, 1.0, kind, seconds=1.0, picture_error=cost, tolerance=0.06)
        for step, (kind, cost) in enumerate(zip(kinds, costs, strict=True))
    ]
    drawn = step_chart(RunReport("Flux", 5, steps=steps))
    curve, limit = (near(drawn, colour)[194:].nonzero()[:, 0].float().mean() for colour in (ERROR, TOLERANCE))
    assert limit < curve  # higher up: nothing cost more than it might
    assert not near(chart(1.0, 1.0), ERROR).any()
