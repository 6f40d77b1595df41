import pytest
import torch
from comfyui_jano.jano.clock import Clock
from comfyui_jano.jano.references.control import CARRIED, RATE, ByDrift, Once, age


def clock(steps: int, shift: float = 3.15) -> Clock:
    """Sigmas of the scheduler "simple" with a flow model's shift (3.15: Flux)."""
    t = torch.linspace(1, 0, steps + 1)
    return Clock(tuple((shift * t / (1 + (shift - 1) * t)).tolist()))


def stored(control: ByDrift, drifts: float | None = None) -> list[int]:
    """The steps in which references are computed, if every measurement after the first gives `drifts`."""
    steps = []
    for step in range(control.clock.num_steps):
        if control.due(step):
            control.stored(step, drifts if steps else None)
            steps.append(step)
    return steps


def weighed(control: ByDrift, steps: list[int]) -> float:
    """What a plan costs, the long way round."""
    total, ages = 0.0, [age(control.clock.moment(step).time) for step in range(control.clock.num_steps)]
    for step in range(control.clock.num_steps):
        before = [at for at in steps if at <= step]
        left = 1.0 if len(before) == 1 else CARRIED
        total += control.clock.moment(step).picture_weight * left * (ages[step] - ages[before[-1]])
    return RATE * total


def test_once_is_once() -> None:
    control = Once()
    control.stored(0, None)
    assert not any(control.due(step) for step in range(1, 9))


@pytest.mark.parametrize("steps", [2, 3, 4, 8, 20, 50])
def test_the_plan_keeps_to_its_tolerance_and_no_shorter_one_does(steps: int) -> None:
    control = ByDrift(clock(steps))
    plan = stored(control)
    assert weighed(control, plan) <= control.tolerance
    assert plan[0] == 0
    if len(plan) > 1:
        assert all(weighed(control, [*plan[:at], *plan[at + 1 :]]) > control.tolerance for at in range(1, len(plan)))


def test_of_four_steps_two_are_enough() -> None:
    assert stored(ByDrift(clock(4))) == [0, 2]


def test_the_more_they_drift_the_more_often_they_are_computed() -> None:
    plans = [len(stored(ByDrift(clock(20)), drift)) for drift in (0.001, 0.05, 0.2, 0.8)]
    assert plans == sorted(plans)
    assert plans[0] < plans[-1]


def test_a_drift_that_is_no_number_says_nothing() -> None:
    assert stored(ByDrift(clock(8)), float("nan")) == stored(ByDrift(clock(8)))


def test_what_was_due_in_a_step_that_was_skipped_is_computed_in_the_next() -> None:
    control = ByDrift(clock(8))
    control.stored(0, None)
    planned = next(step for step in range(8) if control.due(step))
    assert all(control.due(step) for step in range(planned, 8))


@pytest.mark.parametrize("sigmas", [(1.0, 0.0), (1.0, 1.0, 0.0), (0.5, 0.5, 0.0, 0.0), (0.01, 0.005, 0.0)])
def test_odd_sigmas_are_planned_too(sigmas: tuple[float, ...]) -> None:
    assert stored(ByDrift(Clock(sigmas)), 0.1)[0] == 0


def test_after_a_jump_back_the_plan_begins_anew() -> None:
    control = ByDrift(clock(8))
    for step in (0, 3, 6):
        control.stored(step, None)
    control.go_back()
    assert control.due(2)
    control.stored(2, None)
    assert control._spent() == 0.0
