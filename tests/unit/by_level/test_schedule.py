"""Which level is computed at which step."""

import pytest
from comfyui_jano.jano.by_level.schedule import Schedule
from comfyui_jano.jano.clock import share_of_steps
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.levels.map import ALL_LEVELS, Level

S, M, A = Level.STATIC, Level.MODERATE, Level.ACTIVE
ONE_TWO_FOUR = {"active_interval": 1, "moderate_interval": 2, "static_interval": 4}


def due_letters(schedule: Schedule) -> str:
    """The highest interval that is due at every step: F all, M active and moderate, A active, - nothing."""
    names = {ALL_LEVELS: "F", frozenset({M, A}): "M", frozenset({A}): "A", frozenset(): "-"}
    return "".join(names[schedule.due(step)] for step in range(schedule.num_steps))


@pytest.mark.parametrize(
    ("config", "steps", "letters"),
    [
        ({**ONE_TWO_FOUR, "cooldown": 0.1}, 12, "FFFAMAFAMAFF"),
        ({**ONE_TWO_FOUR, "cooldown": 0.0}, 8, "FFFAMAFA"),
        ({"active_interval": 1, "moderate_interval": 1, "static_interval": 1}, 6, "FFFFFF"),
        ({"active_interval": 2, "moderate_interval": 2, "static_interval": 2, "cooldown": 0.0}, 9, "FFF-F-F-F"),
        ({"active_interval": 1, "moderate_interval": 3, "static_interval": 6, "cooldown": 0.0}, 10, "FFFAAMAAFA"),
    ],
)
def test_intervals_count_from_the_last_step_of_the_warm_up(config: dict, steps: int, letters: str) -> None:
    assert due_letters(Schedule.from_config(SchedulerConfig(**config), steps, 3)) == letters


def test_a_cool_down_that_reaches_the_warm_up_leaves_no_step_between() -> None:
    schedule = Schedule.from_config(SchedulerConfig(cooldown=0.9), 10, 3)
    assert list(schedule.interleaved) == []
    assert due_letters(schedule) == "F" * 10


def test_there_is_always_a_step_of_warm_up() -> None:
    assert Schedule.from_config(SchedulerConfig(), 10, 0).warmup_steps == 1


@pytest.mark.parametrize(
    ("share", "steps", "count"), [(0.0, 20, 0), (0.01, 20, 1), (0.1, 20, 2), (0.1, 21, 3), (0.07, 50, 4), (0.3, 10, 3)]
)
def test_a_share_of_the_steps_is_rounded_up(share: float, steps: int, count: int) -> None:
    assert share_of_steps(share, steps) == count
