"""Steps that compute some of the tokens, driven by hand.

What "the transformer" predicts for a step is the step's number, so that frozen cells show when they were computed.
"""

import pytest
import torch
from comfyui_jano.jano.by_level.engine import Call
from comfyui_jano.jano.clock import log_odds
from comfyui_jano.jano.forecast.repair import Repair
from comfyui_jano.jano.levels.drawing import TOO_FEW
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.map import Level
from comfyui_jano.jano.refusal import Unaccelerated
from comfyui_jano.jano.run import Run
from comfyui_jano.jano.sampler import SamplerTraits
from comfyui_jano.tests.unit.toy import SHAPE, level_map, make
from torch import Tensor


def letter(call: Call) -> str:
    """Full, full and stored, a part, nothing."""
    if call.selection.is_all:
        return "S" if call.stores else "F"
    return "-" if call.selection.is_empty else "P"


def evaluate(run: Run, step: int, chunks: tuple = ("c",), value: Tensor | None = None) -> tuple[str, list[float]]:
    """One evaluation at the start of a step: the letter of its call, and both cells of the prediction."""
    run.begin(run.clock.sigmas[step])
    call = run.engine.plan(chunks, run.moment)
    predicted = torch.full((len(chunks), *SHAPE[1:]), float(step)) if value is None else value
    denoised = run.engine.finish(call, None if call.selection.is_empty else predicted, run.moment)
    run.settle(torch.zeros(SHAPE), denoised[:1])
    return letter(call), denoised[0].flatten().tolist()


def modes(run: Run, steps: int = 10) -> str:
    return "".join(evaluate(run, step)[0] for step in range(steps))


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


def test_a_conditioning_that_comes_later_is_stored_first() -> None:
    run = make(chosen=level_map())
    assert [evaluate(run, step)[0] for step in (0, 1)] == ["S", "P"]
    run.begin(run.clock.sigmas[2])
    assert run.engine.plan(("late",), run.moment).selection.is_all
    assert run.engine.plan(("c",), run.moment).selection.is_partial
    assert run.engine.plan(("c", "late"), run.moment).selection.is_all


def test_keys_and_values_from_two_steps_ago_are_too_old() -> None:
    run = make(chosen=level_map())
    evaluate(run, 0, ("c", "sometimes"))
    evaluate(run, 1)
    run.begin(run.clock.sigmas[2])
    assert run.engine.plan(("c",), run.moment).selection.is_partial
    assert run.engine.plan(("sometimes",), run.moment).selection.is_all


def test_what_is_asked_for_no_more_is_let_go() -> None:
    """As where another node changes the model anew at every step: each call is another question."""
    run = make(chosen=level_map(), static_interval=2)
    for step in range(8):
        chunk = f"new at step {step}"
        evaluate(run, step, (chunk,))
        run.engine.cache.store((chunk,), "layer", torch.zeros(1, 2, 1), torch.zeros(1, 2, 1))
    assert len(run.engine._memory._histories) <= 3
    assert run.engine.cache.num_bytes <= 3 * 2 * 2 * 4


def test_every_conditioning_has_its_own_frozen_prediction() -> None:
    run = make(chosen=level_map())
    evaluate(run, 0, ("a", "b"), torch.tensor([10.0, 10.0, 20.0, 20.0]).reshape(2, 1, 1, 2))
    run.begin(run.clock.sigmas[1])
    call = run.engine.plan(("b", "a"), run.moment)
    cells = run.engine.finish(call, torch.full((2, 1, 1, 2), 5.0), run.moment)
    assert cells.flatten().tolist() == [20, 5, 10, 5]


def test_a_second_evaluation_of_a_step_computes_the_same_tokens() -> None:
    run = make(chosen=level_map())
    evaluate(run, 0)
    letters = []
    for sigma in (0.9, 0.85, 0.8, 0.8, 0.75):
        run.begin(sigma)
        call = run.engine.plan(("c",), run.moment)
        letters.append((run.moment.step, letter(call)))
        run.engine.finish(call, torch.zeros(SHAPE), run.moment)
    assert letters == [(1, "P"), (1, "P"), (2, "P"), (2, "P"), (2, "P")]
    assert [record.evaluations for record in run.report.steps] == [1, 2, 3]


def test_the_map_is_drawn_from_the_warm_up() -> None:
    run = make(steps=12)
    for step, restless in enumerate((0.0, 5.0, -3.0)):
        evaluate(run, step, value=torch.tensor([0.0, restless]).reshape(SHAPE))
    assert run.drawing.level_map is None
    run.begin(run.clock.sigmas[3])
    assert run.drawing.level_map.levels.tolist() == [int(Level.STATIC), int(Level.ACTIVE)]
    assert run.engine.plan(("c",), run.moment).selection.is_partial


def test_the_last_evaluation_of_a_warm_up_step_counts() -> None:
    run = make(steps=12)
    evaluate(run, 0, value=torch.tensor([99.0, 0.0]).reshape(SHAPE))
    for step, restless in enumerate((0.0, 5.0, -3.0)):
        evaluate(run, step, value=torch.tensor([0.0, restless]).reshape(SHAPE))
    run.begin(run.clock.sigmas[3])
    assert run.drawing.level_map.levels.tolist() == [int(Level.STATIC), int(Level.ACTIVE)]


def test_a_sampler_that_passes_over_the_warm_up_makes_the_run_native(caplog) -> None:
    run = make()
    assert [evaluate(run, step)[0] for step in (0, 5, 6, 9)] == ["F"] * 4
    assert run.report.fallbacks == [TOO_FEW]
    assert caplog.text.count(TOO_FEW) == 1
    assert run.report.computed_token_fraction == 1.0


def test_a_given_map_needs_one_step_of_warm_up() -> None:
    assert make(chosen=level_map()).engine.schedule.warmup_steps == 1


def test_no_room_between_warm_up_and_cool_down_is_refused() -> None:
    sentence = "4 steps leave nothing between 3 steps of warm-up and 1 of cool-down; use more steps"
    with pytest.raises(Unaccelerated, match=f"^{sentence}$"):
        make(steps=4)
    assert make(steps=5).engine.schedule.interleaved == range(3, 4)


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
    engine, drawing = run.engine, run.drawing
    evaluate(run, 0)
    engine.cache.store(("c",), "layer", torch.zeros(1, 2, 1), torch.zeros(1, 2, 1))
    run.drop()
    assert engine.cache.num_bytes == 0
    assert not any(
        held for held in (run.engine, drawing.level_map, drawing._seen, engine._selections, engine._memory._histories)
    )
    assert run.report.level_map.levels.tolist() == [1, 3]


def test_what_is_repaired_of_a_frozen_cell_is_handed_back_to_the_model_alone() -> None:
    """The sampler's x and predictions lack the shift; predictions stay as the model gave them."""
    run = make(chosen=level_map(), sampler=SamplerTraits(Repair.FULL))
    for step in range(4):
        evaluate(run, step)
    run.begin(run.clock.sigmas[4])
    call = run.engine.plan(("c",), run.moment)
    predicted = run.engine.finish(call, torch.full(SHAPE, 4.0), run.moment)
    given = run.settle(torch.zeros(SHAPE), predicted)
    left, right = run.shift.flatten().tolist()
    assert right == 0.0
    assert left > 0.0
    torch.testing.assert_close(given + run.shift, predicted)


def test_tokens_are_counted_for_every_conditioning() -> None:
    run = make(chosen=level_map())
    evaluate(run, 0, ("a", "b"))
    evaluate(run, 1, ("a", "b"))
    assert [(record.computed_tokens, record.all_tokens) for record in run.report.steps] == [(4, 4), (2, 4)]
