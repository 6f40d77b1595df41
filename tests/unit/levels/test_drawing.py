"""The map beside whatever computes the steps."""

import pytest
import torch
from comfyui_jano.jano.clock import Clock
from comfyui_jano.jano.config import AnalyzerConfig
from comfyui_jano.jano.levels.drawing import NOT_FINITE, TOO_FEW, Drawing, warmup_steps
from comfyui_jano.jano.levels.map import Level
from comfyui_jano.tests.unit.toy import GRID, OWN_MAP, SHAPE, level_map
from torch import Tensor

CLOCK = Clock(tuple(1 - step / 10 for step in range(11)))
ACTIVE, STATIC = int(Level.ACTIVE), int(Level.STATIC)


def drawing() -> Drawing:
    return Drawing(OWN_MAP, None, GRID, CLOCK.num_steps)


def seen(made: Drawing, step: int, left: float, right: float) -> None:
    made.observe(torch.zeros(SHAPE), torch.tensor([left, right]).reshape(SHAPE), CLOCK.moment(step))


def restless_on_the_right(made: Drawing) -> None:
    for step, restless in enumerate((0.0, 5.0, -3.0)):
        seen(made, step, 0.0, restless)


@pytest.mark.parametrize(
    ("share", "steps", "score", "count"),
    [(0.1, 20, "curvature", 3), (0.1, 50, "curvature", 5), (0.1, 20, "pairwise", 2), (0.0, 20, "paper", 2)],
)
def test_a_warm_up_has_the_steps_that_its_score_needs(share: float, steps: int, score: str, count: int) -> None:
    assert warmup_steps(share, steps, score) == count


def test_it_is_due_once_after_its_steps() -> None:
    made = drawing()
    restless_on_the_right(made)
    assert [made.is_due(CLOCK.moment(step)) for step in (0, 2, 3)] == [False, False, True]
    assert made.draw() == ""
    assert made.level_map.levels.tolist() == [STATIC, ACTIVE]
    assert not made.is_due(CLOCK.moment(4))


def test_the_last_evaluation_of_a_step_counts() -> None:
    made = drawing()
    seen(made, 0, 99.0, 0.0)
    restless_on_the_right(made)
    made.draw()
    assert made.level_map.levels.tolist() == [STATIC, ACTIVE]


def test_what_comes_after_its_steps_is_not_looked_at() -> None:
    made = drawing()
    restless_on_the_right(made)
    seen(made, 3, 99.0, 0.0)
    made.draw()
    assert made.level_map.levels.tolist() == [STATIC, ACTIVE]


def test_too_few_steps_make_no_map_and_are_said_once() -> None:
    made = drawing()
    seen(made, 0, 1.0, 1.0)
    assert made.draw() == TOO_FEW
    assert made.level_map is None
    assert not made.is_due(CLOCK.moment(9))


def test_values_that_are_no_numbers_are_told_and_active() -> None:
    made = drawing()
    for step in range(3):
        seen(made, step, float("nan"), 1.0)
    assert made.draw() == NOT_FINITE
    assert ACTIVE in made.level_map.levels.tolist()


def test_a_map_that_is_given_is_not_drawn_anew() -> None:
    given = level_map()
    made = Drawing(AnalyzerConfig(), None, GRID, CLOCK.num_steps, given)
    restless_on_the_right(made)
    assert made.steps == 1
    assert not made.is_due(CLOCK.moment(5))
    assert made.level_map is given


def test_nothing_is_held_after_a_drop() -> None:
    made: Drawing = drawing()
    restless_on_the_right(made)
    made.drop()
    assert not any(isinstance(value, Tensor) or value for value in (made._seen, made.level_map))
