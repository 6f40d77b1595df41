"""One run, driven by hand: a latent of two cells, the left one static and the right one active, and no transformer.

What "the transformer" predicts for a step is the step's number, so that frozen cells show when they were computed.
"""

import pytest
import torch
from comfyui_jano.jano.clock import log_odds
from comfyui_jano.jano.config import AnalyzerConfig, SchedulerConfig
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.map import LevelMap
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.jano.run import WENT_BACK, Mode, Run, Unaccelerated, warmup_steps, without_region_default
from comfyui_jano.jano.schedule import Level
from torch import Tensor

GRID = TokenGrid(latent=(1, 1, 2), patch=(1, 1, 1), region=(1, 1, 1))
SHAPE = (1, 1, 1, 2)
HOLD = {"forecast": "hold", "cooldown": 0.1, "static_interval": 4, "moderate_interval": 2}
OWN_MAP = AnalyzerConfig(score="curvature", normalisation="robust")
MODES = {Mode.FULL: "F", Mode.STORE: "S", Mode.PARTIAL: "P", Mode.SKIP: "-"}


def level_map(left: Level = Level.STATIC, right: Level = Level.ACTIVE, grid: TokenGrid = GRID) -> LevelMap:
    return LevelMap(grid, torch.tensor([left, right], dtype=torch.uint8), torch.zeros(2))


def make(steps: int = 10, chosen: LevelMap | None = None, accelerate: bool = True, **config: object) -> Run:
    """A run with equal steps from 1 to 0; without `chosen` it draws its own map."""
    scheduler = SchedulerConfig(**{**HOLD, **config}) if accelerate else None
    sigmas = torch.linspace(1, 0, steps + 1).tolist()
    return Run(OWN_MAP, scheduler, GRID, SHAPE, sigmas, RunReport("toy", steps), level_map=chosen)


def evaluate(run: Run, step: int, chunks: tuple = ("c",), value: Tensor | None = None) -> tuple[str, list[float]]:
    """One evaluation at the start of a step: the letter of its mode, and both cells of the prediction."""
    run.begin(run.clock.sigmas[step])
    call = run.plan(chunks)
    predicted = torch.full((len(chunks), *SHAPE[1:]), float(step)) if value is None else value
    denoised = run.finish(call, None if call.mode is Mode.SKIP else predicted)
    run.settle(torch.zeros(SHAPE), denoised[:1])
    return MODES[call.mode], denoised[0].flatten().tolist()


def evaluate_whole(run: Run, step: int, value: Tensor | None = None, calls: int = 1) -> str:
    """The same where whole steps are forecast; `calls` of the transformer make up one evaluation."""
    run.begin(run.clock.sigmas[step])
    recalled = run.recall("group")
    predicted = torch.full(SHAPE, float(step)) if value is None else value
    if recalled is None:
        for _ in range(calls):
            run.account.count_native(1)
        run.keep("group", predicted)
    run.settle(torch.zeros(SHAPE), predicted if recalled is None else recalled)
    return "F" if recalled is None else "-"


def modes(run: Run, steps: int = 10) -> str:
    return "".join(evaluate(run, step)[0] for step in range(steps))


# --- what is computed when


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (Level.STATIC, Level.ACTIVE, "SPPPSPPPFF"),
        (Level.MODERATE, Level.ACTIVE, "SPSPSPSPFF"),
        (Level.STATIC, Level.MODERATE, "S-P-S-P-FF"),
        (Level.STATIC, Level.STATIC, "S---S---FF"),
        (Level.ACTIVE, Level.ACTIVE, "FFFFFFFFFF"),
    ],
)
def test_a_step_stores_when_the_next_one_leaves_something_out(left: Level, right: Level, expected: str) -> None:
    assert modes(make(chosen=level_map(left, right))) == expected


def test_intervals_of_one_leave_nothing_out() -> None:
    assert modes(make(chosen=level_map(), static_interval=1, moderate_interval=1)) == "F" * 10


def test_without_a_scheduler_everything_is_computed_and_the_map_is_drawn() -> None:
    run = make(accelerate=False)
    assert modes(run) == "F" * 10
    run.drop()
    assert run.report.level_map is not None


def test_frozen_cells_keep_their_last_prediction() -> None:
    run = make(chosen=level_map())
    cells = [evaluate(run, step)[1] for step in range(10)]
    assert [left for left, _ in cells] == [0, 0, 0, 0, 4, 4, 4, 4, 8, 9]
    assert [right for _, right in cells] == list(range(10))


def test_a_linear_forecast_goes_on_with_the_slope() -> None:
    """Step 4 is the second one that computes the left cell: from then on it has a slope over the log odds of sigma."""
    run = make(steps=12, chosen=level_map(), forecast="linear", settling=1e6)
    left = [evaluate(run, step)[1][0] for step in range(8)]
    times = [log_odds(sigma) for sigma in run.clock.sigmas[:8]]
    slope = 4 / (times[4] - times[0])
    assert left == pytest.approx([0, 0, 0, 0] + [4 + slope * (time - times[4]) for time in times[4:]], abs=1e-3)


def test_a_skipped_step_needs_no_prediction() -> None:
    run = make(chosen=level_map(Level.STATIC, Level.STATIC))
    assert evaluate(run, 0) == ("S", [0, 0])
    assert evaluate(run, 1) == ("-", [0, 0])


# --- conditionings


def test_a_conditioning_that_comes_later_is_stored_first() -> None:
    run = make(chosen=level_map())
    assert [evaluate(run, step)[0] for step in (0, 1)] == ["S", "P"]
    run.begin(run.clock.sigmas[2])
    assert run.plan(("late",)).mode is Mode.STORE
    assert run.plan(("c",)).mode is Mode.PARTIAL
    assert run.plan(("c", "late")).mode is Mode.STORE


def test_keys_and_values_from_two_steps_ago_are_too_old() -> None:
    run = make(chosen=level_map())
    evaluate(run, 0, ("c", "sometimes"))
    evaluate(run, 1)
    run.begin(run.clock.sigmas[2])
    assert run.plan(("c",)).mode is Mode.PARTIAL
    assert run.plan(("sometimes",)).mode is Mode.STORE


def test_every_conditioning_has_its_own_frozen_prediction() -> None:
    run = make(chosen=level_map())
    evaluate(run, 0, ("a", "b"), torch.tensor([10.0, 10.0, 20.0, 20.0]).reshape(2, 1, 1, 2))
    run.begin(run.clock.sigmas[1])
    call = run.plan(("b", "a"))
    cells = run.finish(call, torch.full((2, 1, 1, 2), 5.0))
    assert cells.flatten().tolist() == [20, 5, 10, 5]


def test_a_call_sees_the_run_only_as_a_whole() -> None:
    run = make(chosen=level_map())
    assert run.accepts(torch.zeros(4, 1, 1, 2))
    assert not run.accepts(torch.zeros(1, 1, 1, 1))


# --- second-order samplers


def test_a_second_evaluation_of_a_step_computes_the_same_tokens() -> None:
    run = make(chosen=level_map())
    evaluate(run, 0)
    letters = []
    for sigma in (0.9, 0.85, 0.8, 0.8, 0.75):
        run.begin(sigma)
        call = run.plan(("c",))
        letters.append((run.moment.step, MODES[call.mode]))
        run.finish(call, torch.zeros(SHAPE))
    assert letters == [(1, "P"), (1, "P"), (2, "P"), (2, "P"), (2, "P")]
    assert [record.evaluations for record in run.report.steps] == [1, 2, 3]


# --- the map


def test_the_map_is_drawn_from_the_warm_up() -> None:
    run = make(steps=12)
    for step, restless in enumerate((0.0, 5.0, -3.0)):
        evaluate(run, step, value=torch.tensor([0.0, restless]).reshape(SHAPE))
    assert run.level_map is None
    run.begin(run.clock.sigmas[3])
    assert run.level_map.levels.tolist() == [int(Level.STATIC), int(Level.ACTIVE)]
    assert run.plan(("c",)).mode is Mode.PARTIAL


def test_the_last_evaluation_of_a_warm_up_step_counts() -> None:
    run = make(steps=12)
    evaluate(run, 0, value=torch.tensor([99.0, 0.0]).reshape(SHAPE))
    for step, restless in enumerate((0.0, 5.0, -3.0)):
        evaluate(run, step, value=torch.tensor([0.0, restless]).reshape(SHAPE))
    run.begin(run.clock.sigmas[3])
    assert run.level_map.levels.tolist() == [int(Level.STATIC), int(Level.ACTIVE)]


def test_a_sampler_that_passes_over_the_warm_up_makes_the_run_native() -> None:
    run = make()
    assert [evaluate(run, step)[0] for step in (0, 5, 6, 9)] == ["F"] * 4
    assert run.report.fallbacks == ["the sampler evaluated too few of the first steps to draw a level map"]
    assert run.report.computed_token_fraction == 1.0


@pytest.mark.parametrize(
    ("share", "steps", "score", "count"),
    [(0.1, 20, "curvature", 3), (0.1, 50, "curvature", 5), (0.1, 20, "pairwise", 2), (0.0, 20, "paper", 2)],
)
def test_a_warm_up_has_the_steps_that_its_score_needs(share: float, steps: int, score: str, count: int) -> None:
    assert warmup_steps(share, steps, score) == count


def test_a_given_map_needs_one_step_of_warm_up() -> None:
    assert make(chosen=level_map()).schedule.warmup_steps == 1


def test_zeros_of_a_region_size_stand_for_the_familys() -> None:
    own = AnalyzerConfig(region=(0, 4, 0))
    assert without_region_default(own, (1, 8, 8)).region == (1, 4, 8)


# --- refusals, and letting go


def test_no_room_between_warm_up_and_cool_down_is_refused() -> None:
    sentence = "4 steps leave nothing between 3 steps of warm-up and 1 of cool-down; use more steps"
    with pytest.raises(Unaccelerated, match=f"^{sentence}$"):
        make(steps=4)
    assert make(steps=5).schedule.interleaved == range(3, 4)


def test_a_map_of_another_size_is_refused() -> None:
    other = TokenGrid(latent=(1, 2, 1), patch=(1, 1, 1), region=(1, 1, 1))
    with pytest.raises(
        Unaccelerated, match=r"^the level map is for \(1, 2, 1\) latent cells .* this latent has \(1, 1, 2\)"
    ):
        make(chosen=level_map(grid=other))


def test_giving_up_computes_the_rest_and_keeps_the_account() -> None:
    run = make(chosen=level_map())
    assert [evaluate(run, step)[0] for step in (0, 1)] == ["S", "P"]
    run.give_up()
    assert [evaluate(run, step)[0] for step in range(2, 10)] == ["F"] * 8
    assert run.report.computed_token_fraction == pytest.approx((2 + 1 + 8 * 2) / 20)
    assert run.report.level_map is not None


def test_dropping_lets_go_of_every_tensor_but_the_maps_copy() -> None:
    run = make(chosen=level_map())
    evaluate(run, 0)
    run.cache.store(("c",), "layer", torch.zeros(1, 2, 1), torch.zeros(1, 2, 1))
    run.drop()
    assert run.cache.num_bytes == 0
    assert not any(
        held for held in (run.level_map, run.feedback, run._histories, run._features, run._selections, run._last_step)
    )
    assert run.report.level_map.levels.tolist() == [1, 3]


# --- the account


def test_tokens_are_counted_for_every_conditioning() -> None:
    run = make(chosen=level_map())
    evaluate(run, 0, ("a", "b"))
    evaluate(run, 1, ("a", "b"))
    assert [(record.computed_tokens, record.all_tokens) for record in run.report.steps] == [(4, 4), (2, 4)]


def test_seconds_belong_to_their_step() -> None:
    run = make(chosen=level_map())
    run.begin(1.0)
    run.account.record.seconds += 0.5
    run.begin(0.9)
    run.account.record.seconds += 0.25
    run.account.record.seconds += 0.25
    assert [record.seconds for record in run.report.steps] == [0.5, 0.5]


# --- error control


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
    assert run.recall("another") is None
    run.keep("another", torch.zeros(SHAPE))
    run.begin(run.clock.sigmas[5])
    assert run.recall("group") is None


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
    assert run.level_map is not None


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
        corrects=True,
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
        rates.append(run.feedback.error_rate)
    assert rates[19] < rates[14]


def test_the_spread_of_the_errors_over_the_regions_is_reported() -> None:
    run = make(steps=20, tolerance=100.0)
    for step in range(5):
        evaluate_whole(run, step, torch.tensor([[[[step**2 * 1.0, step**2 * 4.0]]]]))
    assert 1.0 < run.report.spread <= 4.0
