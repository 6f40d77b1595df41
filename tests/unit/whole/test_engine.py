"""What a run learns from its guided predictions; pictures of one channel, one row, two cells, a region each."""

import pytest
import torch
from comfyui_jano.jano.clock import Clock
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.forecast.repair import followed
from comfyui_jano.jano.feedback import TURNED, Feedback, control_of, guidance_strength, region_errors, turned
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.map import Selection
from comfyui_jano.jano.schedule import Schedule
from torch import Tensor

GRID = TokenGrid(latent=(1, 1, 2), patch=(1, 1, 1), region=(1, 1, 1))
STEPS = 20
CLOCK = Clock(tuple(1 - step / STEPS for step in range(STEPS + 1)))
LEFT = Selection(torch.tensor([0]), torch.tensor([[[True, False]]]))
NONE = Selection(torch.tensor([], dtype=torch.long), torch.zeros(1, 1, 2, dtype=torch.bool))


def picture(left: float, right: float) -> Tensor:
    return torch.tensor([[[[left, right]]]], dtype=torch.float32)


def feedback(corrects: bool = True, **config: object) -> Feedback:
    chosen = SchedulerConfig(**{"tolerance": 0.1, "forecast": "hold", **config})
    return Feedback(chosen, Schedule.from_config(chosen, STEPS, 4), GRID, CLOCK, corrects)


def settle(
    learner: Feedback, step: int, value: Tensor, computed: Selection | None = None, question: str = "", **more: object
) -> Tensor:
    return learner.settled(value, CLOCK.moment(step), computed, question, **more)


def shift_of(learner: Feedback) -> Tensor:
    return picture(0, 0) if learner.shift is None else learner.shift


def test_nothing_is_changed_before_anything_was_forecast() -> None:
    learner = feedback()
    for step in range(4):
        value = picture(step, 2 * step)
        assert learner.shift is None
        assert settle(learner, step, value) is value


def test_the_repair_follows_the_error_of_the_frozen_cell_alone() -> None:
    learner = feedback(tolerance=0.0)
    settle(learner, 0, picture(1, 1))
    settle(learner, 1, picture(2, 1), LEFT)
    settle(learner, 2, picture(3, 3))
    shift = shift_of(learner).flatten().tolist()
    assert shift[0] == 0.0
    assert shift[1] > 0.0


def controlled_until(step: int) -> Feedback:
    """A run under control in which the steps up to `step` were computed and gave the same picture."""
    learner = feedback()
    for number in range(step + 1):
        settle(learner, number, picture(1, 1))
    return learner


def test_the_prediction_follows_the_repair_that_the_model_did_not_see() -> None:
    """Step 6 finds the right cell's forecast wrong: its prediction moves with the repair, and so do later forecasts."""
    learner = controlled_until(4)
    settle(learner, 5, picture(1, 1), NONE)
    given = settle(learner, 6, picture(1, 3))
    shift = shift_of(learner)
    after = settle(learner, 7, picture(1, 3), NONE)
    expected = picture(1, 3) + followed(shift, CLOCK.sigmas[6])
    assert torch.allclose(given + shift, expected)
    assert torch.allclose(after + shift, expected)
    assert expected[0, 0, 0, 1] > 3.0


def test_a_second_evaluation_saw_the_repaired_x() -> None:
    learner = controlled_until(4)
    settle(learner, 5, picture(1, 1), NONE)
    settle(learner, 6, picture(1, 3))
    shift = shift_of(learner)
    assert torch.allclose(settle(learner, 6, picture(1, 4)) + shift, picture(1, 4))


def test_at_fixed_intervals_predictions_stay_as_the_model_gave_them() -> None:
    learner = feedback(tolerance=0.0)
    settle(learner, 0, picture(1, 1))
    settle(learner, 1, picture(1, 1), NONE)
    given = settle(learner, 2, picture(1, 3))
    assert torch.allclose(given + shift_of(learner), picture(1, 3))


def test_without_repair_the_sampler_gets_the_forecasts_as_they_are() -> None:
    learner = feedback(corrects=False, tolerance=0.0)
    for step, computed in ((0, None), (1, NONE), (2, None)):
        value = picture(step, step)
        assert settle(learner, step, value, computed) is value
    assert learner.shift is None


def test_large_errors_make_the_next_step_due_and_small_ones_do_not() -> None:
    for jump, due in ((0.0001, False), (5.0, True)):
        learner = feedback(tolerance=0.01)
        for step in range(4):
            settle(learner, step, picture(1 + jump * step, 1))
        assert learner.due(4) is due


def test_less_is_tolerated_where_nothing_can_be_repaired() -> None:
    """Errors between the tolerance and a third of it."""
    for corrects, due in ((True, False), (False, True)):
        learner = feedback(corrects, tolerance=0.05)
        for step in range(4):
            settle(learner, step, picture(1 + step, 1))
        assert learner.due(4) is due


def test_the_second_evaluation_of_a_step_is_not_measured_again() -> None:
    learner = feedback()
    for step in range(3):
        settle(learner, step, picture(1 + step**2, 1))
    spread = learner.spread
    settle(learner, 2, picture(1, 99))
    assert learner.spread == spread


def test_the_spread_is_that_of_the_regions_errors() -> None:
    learner = feedback()
    assert learner.spread == 0.0
    for step in range(3):  # errors of 1 and 4 in step 2; step 1 has no line to go on with
        settle(learner, step, picture(1 + step, 1 + 4 * step))
    assert learner.spread == pytest.approx((0.9 * 4 + 0.1) / (0.1 * 4 + 0.9), rel=1e-4)


def test_a_batch_counts_with_its_worst_picture_per_region() -> None:
    error = torch.tensor([[[[3.0, 0.0]]], [[[1.0, 2.0]]]])
    assert region_errors(error, GRID).tolist() == [3.0, 2.0]


def test_a_target_leaves_a_budget_of_steps() -> None:
    config = SchedulerConfig(target_speedup=2.0)
    assert control_of(config, Schedule.from_config(config, STEPS, 4), CLOCK).budget == 10


# --- a change of what is asked


def test_a_change_of_the_question_is_no_error_of_the_forecast() -> None:
    """Step 6 asks for something else than steps 0 to 4: nothing is learnt from it of the forecast of step 5."""
    learner = controlled_until(4)
    rate = learner.error_rate
    settle(learner, 5, picture(1, 1), NONE)
    value = picture(50, 3)
    assert settle(learner, 6, value, question="another") is value
    assert learner.shift is None
    assert learner.error_rate == rate


def test_after_a_change_of_the_question_repairs_go_on() -> None:
    learner = controlled_until(4)
    for step in (6, 7):
        settle(learner, step, picture(50, 3), question="another")
    settle(learner, 8, picture(50, 3), NONE)
    settle(learner, 9, picture(50, 5), question="another")
    left, right = shift_of(learner).flatten().tolist()
    assert left == pytest.approx(0.0, abs=1e-6)
    assert right > 0.0


def test_what_was_repaired_before_the_change_stays() -> None:
    learner = controlled_until(4)
    settle(learner, 5, picture(1, 1), NONE)
    settle(learner, 6, picture(1, 3))
    shift = shift_of(learner)
    settle(learner, 7, picture(70, 7), question="another")
    assert torch.equal(shift_of(learner), shift)
    assert shift.any()


def test_guidance_that_is_turned_is_another_question() -> None:
    learner = controlled_until(4)
    settle(learner, 5, picture(1, 1), strength=4.0)
    settle(learner, 6, picture(1, 1), NONE)
    settle(learner, 7, picture(9, 9), strength=1.5)
    assert learner.shift is None


def test_repairs_add_up() -> None:
    """Two forecasts, each found wrong by the same: the second repair comes on top of the first."""
    learner = controlled_until(4)
    shifts = []
    for step in (5, 7):
        settle(learner, step, picture(1, step), NONE)
        settle(learner, step + 1, picture(1, step + 2))
        shifts.append(shift_of(learner)[0, 0, 0, 1].item())
    assert 0.0 < shifts[0] < shifts[1]


def test_an_x_of_before_is_not_shifted() -> None:
    learner = controlled_until(4)
    settle(learner, 5, picture(1, 1), NONE)
    settle(learner, 6, picture(1, 3))
    assert learner.shift is not None
    learner.went_back()
    assert learner.shift is None
    assert settle(learner, 3, value := picture(5, 5)) is value


def test_the_strength_of_guidance_is_the_scale_of_cfg() -> None:
    cond, uncond = torch.randn(2, 1, 4, 8, 8)
    guided = uncond + 3.5 * (cond - uncond)
    assert guidance_strength(guided, [cond, uncond]) == pytest.approx(3.5, rel=1e-4)
    assert guidance_strength(cond, [cond]) is None
    assert guidance_strength(cond, [cond, cond]) is None
    assert guidance_strength(guided * 1.5, [cond, uncond]) is None


def test_small_changes_of_the_strength_are_schedules_of_it() -> None:
    assert not turned(4.0, 4.0 * (1 - 0.9 * TURNED))
    assert turned(4.0, 4.0 * (1 - 1.1 * TURNED))
    assert not turned(None, 4.0)
    assert not turned(4.0, None)
