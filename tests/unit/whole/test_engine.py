"""Whole steps, driven by hand: what is computed, forecast and repaired.

Pictures have one channel, one row and two cells, a region each.
"""

from __future__ import annotations

import pytest
import torch
from comfyui_jano.jano.account import Account
from comfyui_jano.jano.clock import Clock, log_odds
from comfyui_jano.jano.config import AnalyzerConfig, SchedulerConfig
from comfyui_jano.jano.forecast.repair import Repair, followed
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.map import LevelMap
from comfyui_jano.jano.run import WENT_BACK, Run
from comfyui_jano.jano.sampler import SamplerTraits
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.jano.whole.engine import WholeSteps, caution_of, control_of
from comfyui_jano.tests.unit.toy import GRID, HOLD, OWN_MAP, SHAPE, make
from torch import Tensor

STEPS = 20
CLOCK = Clock(tuple(1 - step / STEPS for step in range(STEPS + 1)))


def evaluate_whole(run: Run, step: int, value: Tensor | None = None, calls: int = 1) -> str:
    """One evaluation at the start of a step; `calls` of the transformer make it up."""
    run.begin(run.clock.sigmas[step])
    recalled = run.engine.recall("group", run.moment, True)
    predicted = torch.full(SHAPE, float(step)) if value is None else value
    if recalled is None:
        for _ in range(calls):
            run.account.count_native(1)
        run.engine.keep("group", predicted, run.moment, 2 * calls)
    run.settle(torch.zeros(SHAPE), predicted if recalled is None else recalled)
    return "F" if recalled is None else "-"


def test_controlled_runs_compute_all_or_nothing() -> None:
    run = make(steps=20, tolerance=100.0)
    assert "".join(evaluate_whole(run, step) for step in range(20)) == "FFFF-----F-----F--FF"
    assert run.report.computed_token_fraction == pytest.approx(8 / 20)


def test_without_tolerance_for_errors_everything_is_computed() -> None:
    run = make(steps=20, tolerance=1e-12)
    assert "".join(evaluate_whole(run, step) for step in range(20)) == "F" * 20


def test_a_skipped_step_counts_the_calls_that_it_spared() -> None:
    run = make(steps=20, tolerance=100.0)
    for step in range(5):
        evaluate_whole(run, step, calls=3)
    assert [(record.computed_tokens, record.all_tokens) for record in run.report.steps[3:]] == [(6, 6), (0, 6)]


def test_a_group_that_was_not_asked_for_in_the_step_before_is_computed() -> None:
    run = make(steps=20, tolerance=100.0)
    for step in range(4):
        evaluate_whole(run, step)
    run.begin(run.clock.sigmas[4])
    assert run.engine.recall("another", run.moment, True) is None
    run.engine.keep("another", torch.zeros(SHAPE), run.moment, 2)
    run.begin(run.clock.sigmas[5])
    assert run.engine.recall("group", run.moment, True) is None


def test_whole_steps_need_no_map() -> None:
    """The sampler passes over the steps that would draw one, and the one handed over is of another latent."""
    other = LevelMap(
        TokenGrid((1, 2, 1), (1, 1, 1), (1, 1, 1)), torch.tensor([1, 3], dtype=torch.uint8), torch.zeros(2)
    )
    run = make(steps=20, tolerance=100.0, chosen=other)
    evaluated = [evaluate_whole(run, step) for step in (0, *range(4, 20))]
    assert evaluated.count("-") >= 8
    assert run.report.level_map is None


def test_an_analyzer_that_looks_longer_does_not_hold_up_whole_steps() -> None:
    patient = AnalyzerConfig(warmup=0.8, score="contrast")
    scheduler = SchedulerConfig(**HOLD, tolerance=100.0)
    run = Run(patient, scheduler, GRID, SHAPE, torch.linspace(1, 0, 21).tolist(), RunReport("toy", 20))
    letters = "".join(evaluate_whole(run, step, torch.tensor([[[[step**2 * 1.0, 0.0]]]])) for step in range(20))
    assert letters == "FFFF-----F-----F--FF"
    assert run.drawing.level_map is not None


def test_a_sampler_that_goes_back_is_computed_and_told() -> None:
    run = make(steps=20, tolerance=100.0)
    letters = "".join(evaluate_whole(run, step) for step in (0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6))
    assert letters == "F" * 15
    assert run.report.fallbacks == [WENT_BACK]


def test_after_a_single_jump_back_forecasts_begin_anew() -> None:
    run = make(steps=20, tolerance=100.0)
    letters = "".join(evaluate_whole(run, step) for step in (*range(10), *range(6, 20)))
    assert letters == "FFFF-----F" + "FFF-----F---FF"


def test_giving_up_keeps_what_was_repaired() -> None:
    run = Run(
        OWN_MAP,
        SchedulerConfig(**HOLD, tolerance=100.0),
        GRID,
        SHAPE,
        torch.linspace(1, 0, 21).tolist(),
        RunReport("toy", 20),
        sampler=SamplerTraits(Repair.FULL),
    )
    for step in range(10):
        evaluate_whole(run, step)
    shift = run.shift.clone()
    assert shift.any()
    run.give_up()
    assert evaluate_whole(run, 10) == "F"
    assert torch.equal(run.shift, shift)


def test_predictions_of_the_cool_down_are_recorded() -> None:
    """Equal steps of a straight line: its error is nil in every step of the cool-down, and so the rate falls."""
    run = make(steps=20, tolerance=1.0, cooldown=0.3, forecast="linear", settling=1e6)
    rates = []
    for step in range(20):
        evaluate_whole(run, step, torch.tensor([[[[log_odds(run.clock.sigmas[step]) + (step == 5) * 0.5, 1.0]]]]))
        rates.append(run.engine.error_rate)
    assert rates[19] < rates[14]


def test_the_spread_of_the_errors_over_the_regions_is_reported() -> None:
    run = make(steps=20, tolerance=100.0)
    for step in range(5):
        evaluate_whole(run, step, torch.tensor([[[[step**2 * 1.0, step**2 * 4.0]]]]))
    assert 1.0 < run.report.spread <= 4.0


def test_a_whole_step_is_forecast_along_the_last_evaluation_of_each_step() -> None:
    """As second-order samplers ask: at the start and inside. The first answers of a step are 100 off, and no past."""
    run = make(20, tolerance=1e6, forecast="linear", settling=1e6)
    first = run.engine.full_steps
    for step in range(first):
        start, end = run.clock.sigmas[step : step + 2]
        for sigma, off in ((start, 100.0), ((start + end) / 2, 0.0)):
            run.begin(sigma)
            assert run.engine.recall("group", run.moment, True) is None
            run.account.count_native(1)
            predicted = torch.full(SHAPE, log_odds(sigma) + off)
            run.engine.keep("group", predicted, run.moment, 2)
            run.settle(torch.zeros(SHAPE), predicted)
    run.begin(run.clock.sigmas[first])
    forecast = run.engine.recall("group", run.moment, True)
    assert forecast.flatten().tolist() == pytest.approx([log_odds(run.clock.sigmas[first])] * 2, abs=1e-3)


# --- groups of conditionings


def skipping(step: int) -> Run:
    """A run whose steps from `step` on may all be forecast."""
    run = make(steps=20, tolerance=1e6)
    for done in range(step):
        evaluate_whole(run, done)
    run.begin(run.clock.sigmas[step])
    return run


def test_two_questions_of_one_key_are_not_forecast() -> None:
    run = skipping(4)
    assert run.engine.recall("group", run.moment, False) is None
    assert run.engine.recall("group", run.moment, True) is not None
    run.engine.forget("group")
    assert run.engine.recall("group", run.moment, True) is None


def test_what_a_group_costs_is_what_it_cost_last() -> None:
    run = skipping(3)
    run.engine.keep("group", torch.zeros(SHAPE), run.moment, 7)
    run.begin(run.clock.sigmas[4])
    run.engine.recall("group", run.moment, True)
    assert run.account.record.all_tokens == 7


def test_what_is_no_longer_asked_for_is_forgotten() -> None:
    run = make(steps=20, tolerance=1e-9)
    for step in range(10):
        run.begin(run.clock.sigmas[step])
        run.engine.keep(f"new at step {step}", torch.zeros(SHAPE), run.moment, 2)
    assert len(run.engine._memory._histories) == len(run.engine._tokens) == 2


# --- what is learnt from the predictions as the sampler gets them


def picture(left: float, right: float) -> Tensor:
    return torch.tensor([[[[left, right]]]], dtype=torch.float32)


def feedback(repair: Repair = Repair.FULL, **config: object) -> WholeSteps:
    chosen = SchedulerConfig(**{"tolerance": 0.1, "forecast": "hold", **config})
    report = RunReport("toy", STEPS)
    return WholeSteps(chosen, CLOCK, GRID, Account(report, GRID), SamplerTraits(repair, left=0.5))


def settle(learner: WholeSteps, step: int, value: Tensor, skipped: bool = False, changed: bool = False) -> Tensor:
    """As if the evaluation of a step had been forecast or computed, whatever was due."""
    moment = CLOCK.moment(step)
    learner.begin(moment, is_first=True, resumes=0)
    learner._skipped = skipped
    return learner.settle(value, moment, changed)


def shift_of(learner: WholeSteps) -> Tensor:
    return picture(0, 0) if learner.shift is None else learner.shift


def spread_of(learner: WholeSteps) -> float:
    return learner._account._report.spread


def test_nothing_is_changed_before_anything_was_forecast() -> None:
    learner = feedback()
    for step in range(4):
        value = picture(step, 2 * step)
        assert learner.shift is None
        assert settle(learner, step, value) is value


def controlled_until(step: int) -> WholeSteps:
    """A run under control in which the steps up to `step` were computed and gave the same picture."""
    learner = feedback()
    for number in range(step + 1):
        settle(learner, number, picture(1, 1))
    return learner


def test_the_prediction_follows_the_repair_that_the_model_did_not_see() -> None:
    """Step 6 finds the right cell's forecast wrong: its prediction moves with the repair, and so do later forecasts."""
    learner = controlled_until(4)
    settle(learner, 5, picture(1, 1), skipped=True)
    given = settle(learner, 6, picture(1, 3))
    shift = shift_of(learner)
    after = settle(learner, 7, picture(1, 3), skipped=True)
    expected = picture(1, 3) + followed(shift, CLOCK.sigmas[6])
    assert torch.allclose(given + shift, expected)
    assert torch.allclose(after + shift, expected)
    assert expected[0, 0, 0, 1] > 3.0


def test_forecasts_that_swing_are_not_repaired() -> None:
    """Each prediction lies on the other side of its forecast: moving x after them would swing it too."""
    learner = feedback()
    for step in range(5):
        settle(learner, step, picture(0, (-1) ** step))
    settle(learner, 5, picture(0, 1), skipped=True)
    settle(learner, 6, picture(0, -1))
    assert torch.count_nonzero(shift_of(learner)) == 0
    assert learner._account.record.repaired == 0.0


def test_how_much_is_repaired_is_told_of_steps_that_end_forecasts() -> None:
    learner = controlled_until(4)
    assert learner._account.record.repaired is None
    settle(learner, 5, picture(1, 1), skipped=True)
    settle(learner, 6, picture(1, 3))
    assert learner._account.record.repaired == 1.0


def test_far_forecasts_of_swinging_predictions_come_back_from_guidance() -> None:
    """Two pictures swing alike; guidance took one of them beyond the conditional prediction."""
    given = []
    for overshoot in (None, picture(0, 2)):
        learner = feedback(forecast="linear")
        for step in range(5):
            moment = CLOCK.moment(step)
            learner.begin(moment, is_first=True, resumes=0)
            learner.settle(picture(0, (-1) ** step), moment, False, overshoot)
        given.append(settle(learner, 12, picture(0, 1), skipped=True))
    left, right = (given[1] - given[0]).flatten().tolist()
    assert left == 0.0
    assert right < 0.0


def test_what_a_multistep_sampler_is_given_does_not_jump() -> None:
    """It goes on from what it was given before: the shift that is taken away is what the prediction follows by."""
    learner = feedback(Repair.STEADY)
    for step in range(5):
        settle(learner, step, picture(1, 1))
    settle(learner, 5, picture(1, 1), skipped=True)
    given = settle(learner, 6, picture(1, 3))
    assert shift_of(learner)[0, 0, 0, 1] > 0.05
    assert torch.allclose(given, picture(1, 3))


def test_a_second_evaluation_saw_the_repaired_x() -> None:
    learner = controlled_until(4)
    settle(learner, 5, picture(1, 1), skipped=True)
    settle(learner, 6, picture(1, 3))
    shift = shift_of(learner)
    assert torch.allclose(settle(learner, 6, picture(1, 4)) + shift, picture(1, 4))


def test_without_repair_the_sampler_gets_the_forecasts_as_they_are() -> None:
    learner = feedback(Repair.NONE)
    for step in range(8):
        value, skipped = picture(step, step), step in (5, 6)
        assert settle(learner, step, value, skipped) is value
    assert learner.shift is None


def test_large_errors_make_the_next_step_due_and_small_ones_do_not() -> None:
    for jump, due in ((0.0001, False), (5.0, True)):
        learner = feedback(tolerance=0.01)
        for step in range(4):
            settle(learner, step, picture(1 + jump * step, 1))
        assert learner._control.due(4) is due


def test_less_is_tolerated_where_nothing_can_be_repaired() -> None:
    """Errors between the tolerance and a third of it."""
    for repair, due in ((Repair.FULL, False), (Repair.NEEDLESS, False), (Repair.NONE, True)):
        learner = feedback(repair, tolerance=0.05)
        for step in range(4):
            settle(learner, step, picture(1 + step, 1))
        assert learner._control.due(4) is due


def test_where_the_sampler_adds_noise_the_repair_is_no_reason_to_tolerate_more() -> None:
    traits = [SamplerTraits(Repair.FULL), SamplerTraits(Repair.FULL, adds_noise=True), SamplerTraits()]
    plain, noisy, unrepaired = (caution_of(each, is_masked=False) for each in traits)
    assert plain < noisy == unrepaired


# --- samplers that look ahead


def looking(tolerance: float, **config: object) -> str:
    """Every step evaluates itself and the start of the next one, as long as there is one: letters as above."""
    run = make(steps=20, tolerance=tolerance, sampler=SamplerTraits(looks_ahead=True), **config)
    return "".join(evaluate_whole(run, at) for step in range(19) for at in (step, step + 1))


def test_looks_ahead_are_forecast_where_errors_are_tolerated_and_taught_nothing() -> None:
    letters = looking(100.0)
    assert letters[1:8:2] == "FFFF"  # in the first steps
    assert letters[9:-4:2] == "-" * len(letters[9:-4:2])
    assert letters[::2] == "FFFF-----F-----F--F"  # steps as without any look
    assert looking(1e-12) == "F" * 38


def test_a_target_counts_steps_and_their_looks_go_with_them() -> None:
    letters = looking(0.0, target_speedup=2.0)
    assert letters[::2] == letters[1::2]
    assert letters.count("F") == 2 * 9  # of ten steps, the last one of all is not evaluated here


def test_a_step_whose_looks_are_forecast_is_a_computed_one() -> None:
    run = make(steps=20, tolerance=100.0, sampler=SamplerTraits(looks_ahead=True))
    for step in range(12):
        for at in (step, step + 1):
            evaluate_whole(run, at)
    classes = [str(record.step_class) for record in run.report.steps]
    assert classes == ["full"] * 4 + ["skipped"] * 5 + ["full"] + ["skipped"] * 2
    assert [record.computed_share for record in run.report.steps[8:10]] == [0.0, 0.5]
    assert run.report.fallbacks == []


def test_half_is_tolerated_where_a_mask_holds_a_part() -> None:
    """Errors between the tolerance, half of it and a third."""
    painted = torch.ones(1, 1, 1, 2, dtype=torch.bool)
    for mask, tolerance, due in ((None, 0.04, False), (painted, 0.04, True), (painted, 0.08, False)):
        chosen = SchedulerConfig(tolerance=tolerance, forecast="hold")
        account = Account(RunReport("toy", STEPS), GRID)
        learner = WholeSteps(chosen, CLOCK, GRID, account, SamplerTraits(Repair.FULL), painted=mask)
        for step in range(4):
            settle(learner, step, picture(1 + step, 1))
        assert learner._control.due(4) is due, (mask, tolerance)


def test_the_second_evaluation_of_a_step_is_not_measured_again() -> None:
    learner = feedback()
    for step in range(3):
        settle(learner, step, picture(1 + step**2, 1))
    spread = spread_of(learner)
    settle(learner, 2, picture(1, 99))
    assert spread_of(learner) == spread


def test_the_spread_is_that_of_the_regions_errors() -> None:
    learner = feedback()
    assert spread_of(learner) == 0.0
    for step in range(3):  # errors of 1 and 4 in step 2; step 1 has no line to go on with
        settle(learner, step, picture(1 + step, 1 + 4 * step))
    assert spread_of(learner) == pytest.approx((0.9 * 4 + 0.1) / (0.1 * 4 + 0.9), rel=1e-4)


def test_a_target_leaves_a_budget_of_steps() -> None:
    config = SchedulerConfig(target_speedup=2.0)
    assert control_of(config, CLOCK, 4, tolerance=0.0).budget == 10


# --- a change of what is asked


def test_a_change_of_the_question_is_no_error_of_the_forecast() -> None:
    """Step 6 asks for something else than steps 0 to 4: nothing is learnt from it of the forecast of step 5."""
    learner = controlled_until(4)
    rate = learner.error_rate
    settle(learner, 5, picture(1, 1), skipped=True)
    value = picture(50, 3)
    assert settle(learner, 6, value, changed=True) is value
    assert learner.shift is None
    assert learner.error_rate == rate


def test_after_a_change_of_the_question_repairs_go_on() -> None:
    learner = controlled_until(4)
    settle(learner, 6, picture(50, 3), changed=True)
    settle(learner, 7, picture(50, 3))
    settle(learner, 8, picture(50, 3), skipped=True)
    settle(learner, 9, picture(50, 5))
    left, right = shift_of(learner).flatten().tolist()
    assert left == pytest.approx(0.0, abs=1e-6)
    assert right > 0.0


def test_what_was_repaired_before_the_change_stays() -> None:
    learner = controlled_until(4)
    settle(learner, 5, picture(1, 1), skipped=True)
    settle(learner, 6, picture(1, 3))
    shift = shift_of(learner)
    settle(learner, 7, picture(70, 7), changed=True)
    assert torch.equal(shift_of(learner), shift)
    assert shift.any()


def test_repairs_add_up() -> None:
    """Two forecasts, each found wrong by the same: the second repair comes on top of the first."""
    learner = controlled_until(4)
    shifts = []
    for step in (5, 7):
        settle(learner, step, picture(1, step), skipped=True)
        settle(learner, step + 1, picture(1, step + 2))
        shifts.append(shift_of(learner)[0, 0, 0, 1].item())
    assert 0.0 < shifts[0] < shifts[1]


def test_an_x_of_before_is_not_shifted() -> None:
    learner = controlled_until(4)
    settle(learner, 5, picture(1, 1), skipped=True)
    settle(learner, 6, picture(1, 3))
    assert learner.shift is not None
    learner.go_back()
    assert learner.shift is None
    assert settle(learner, 3, value := picture(5, 5)) is value


def test_the_error_is_the_root_mean_square_over_the_regions() -> None:
    """Off by one in both regions of a picture of twos: a half. In one of them alone: sqrt(1/2) of sqrt(5/2)."""
    rates = []
    for value in (picture(2, 2), picture(2, 1)):
        learner = controlled_until(4)
        settle(learner, 5, value)
        rates.append(learner.error_rate)
    assert rates[1] / rates[0] == pytest.approx((0.5 / 2.5) ** 0.5 / 0.5, rel=1e-4)


def test_an_error_that_is_no_number_is_not_told() -> None:
    learner = controlled_until(4)
    settle(learner, 5, picture(float("nan"), 1))
    assert learner.error_rate == controlled_until(4).error_rate
    assert spread_of(learner) == spread_of(controlled_until(4))
