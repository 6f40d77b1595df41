"""What every run has in common, whatever computes it; here one that only analyses."""

import pytest
import torch
from comfyui_jano.jano.levels.drawing import TOO_FEW
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.map import Level
from comfyui_jano.jano.refusal import Unaccelerated
from comfyui_jano.jano.run import ALWAYS_NEW, WENT_BACK, Run, fitting
from comfyui_jano.tests.unit.toy import GRID, SHAPE, level_map, make
from torch import Tensor


def analyse(run: Run, value: Tensor | None = None) -> None:
    for sigma in run.clock.sigmas[:-1]:
        run.begin(sigma)
        run.account.count_native(1)
        run.settle(torch.zeros(SHAPE), torch.full(SHAPE, sigma) if value is None else value)


def test_without_a_scheduler_everything_is_computed_and_the_map_is_drawn() -> None:
    run = make(accelerate=False)
    analyse(run)
    run.drop()
    assert run.report.level_map is not None
    assert run.report.computed_token_fraction == 1.0
    assert run.report.verdict == "analysed"


def test_what_an_analysis_is_given_is_what_the_model_said() -> None:
    run = make(accelerate=False)
    run.begin(1.0)
    value = torch.ones(SHAPE)
    assert run.settle(torch.zeros(SHAPE), value) is value
    assert run.shift is None


def test_predictions_that_are_no_numbers_are_noted_once() -> None:
    run = make(accelerate=False)
    analyse(run, torch.full(SHAPE, float("nan")))
    assert run.report.notes == ["the model predicted values that are not finite numbers"]
    assert run.drawing.level_map.levels.tolist() == [int(Level.ACTIVE)] * 2


def test_an_analysis_that_saw_too_little_says_so_once(caplog) -> None:
    run = make(accelerate=False)
    for sigma in (1.0, 0.5, 0.4, 0.1):
        run.begin(sigma)
        run.settle(torch.zeros(SHAPE), torch.zeros(SHAPE))
    assert run.report.fallbacks == [TOO_FEW]
    assert caplog.text.count(TOO_FEW) == 1


def test_an_analysis_needs_its_warm_up() -> None:
    sentence = "3 steps leave nothing between 3 steps of warm-up and 1 of cool-down; use more steps"
    with pytest.raises(Unaccelerated, match=f"^{sentence}$"):
        make(steps=3, accelerate=False)
    make(steps=4, accelerate=False)


def test_a_map_of_the_same_tokens_fits_whatever_its_regions_are() -> None:
    other = level_map(grid=TokenGrid(GRID.latent, GRID.patch, (1, 1, 2)))
    assert fitting(other, GRID, None) is other


def test_seconds_belong_to_their_step() -> None:
    run = make(accelerate=False)
    run.begin(1.0)
    run.account.record.seconds += 0.5
    run.begin(0.9)
    run.account.record.seconds += 0.25
    run.account.record.seconds += 0.25
    assert [record.seconds for record in run.report.steps] == [0.5, 0.5]


def test_an_analysis_needs_no_reason_for_computing_everything() -> None:
    run = make(accelerate=False)
    analyse(run)
    assert run.why_native() == ""


@pytest.mark.parametrize("reason", [WENT_BACK, ALWAYS_NEW, TOO_FEW])
def test_a_reason_reads_on_after_because(reason: str) -> None:
    """ "Jano: computing in full because ... ." """
    assert reason[0].islower()
    assert not reason.endswith(".")
