"""What is remembered of groups of conditionings between steps."""

import torch
from comfyui_jano.jano.clock import Moment
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.whole_steps import GroupMemory

ONES = torch.ones(1, 1, 1, 2)


def at(step: int) -> Moment:
    sigma = 1.0 - 0.1 * step
    return Moment(step, sigma, sigma, sigma - 0.1)


def kept(memory: GroupMemory, key: str, step: int) -> None:
    memory.keep(key, ONES * step, at(step), tokens=4)


def test_a_group_is_recalled_while_every_step_asks_for_it() -> None:
    memory = GroupMemory(SchedulerConfig(forecast="hold"))
    kept(memory, "a", 0)
    for step in (1, 2, 3):
        assert memory.recall("a", step).history.forecast(at(5)).tolist() == [[[[0.0, 0.0]]]]
    assert memory.recall("a", 5) is None


def test_an_unknown_group_is_not_recalled() -> None:
    memory = GroupMemory(SchedulerConfig())
    kept(memory, "a", 0)
    assert memory.recall("b", 1) is None
    assert memory.strangers == 1


def test_what_one_evaluation_asks_for_twice_is_not_recalled() -> None:
    memory = GroupMemory(SchedulerConfig(forecast="hold"))
    memory.begin()
    assert memory.ask("a")
    kept(memory, "a", 0)
    assert not memory.ask("a")
    kept(memory, "a", 0)
    assert memory.recall("a", 0) is None
    memory.begin()
    assert not memory.ask("a")  # it may be the second one, which the first has fallen silent before
    assert memory.recall("a", 1) is None
    kept(memory, "a", 1)
    memory.begin()
    assert memory.ask("a")
    assert memory.recall("a", 2) is not None


def test_what_is_no_longer_asked_for_is_forgotten() -> None:
    memory = GroupMemory(SchedulerConfig())
    for step in range(4):
        kept(memory, f"new at step {step}", step)
    assert len(memory._groups) == 2


def test_a_group_without_a_line_is_computed_once_more() -> None:
    memory = GroupMemory(SchedulerConfig())
    kept(memory, "a", 4)
    assert memory.recall("a", 5) is None
    kept(memory, "a", 5)
    assert memory.recall("a", 6) is not None


def test_what_a_group_costs_is_what_it_cost_last() -> None:
    memory = GroupMemory(SchedulerConfig())
    kept(memory, "a", 0)
    memory.keep("a", ONES, at(1), tokens=7)
    assert memory.recall("a", 2).tokens == 7


def test_nothing_is_left_after_a_drop() -> None:
    memory = GroupMemory(SchedulerConfig())
    kept(memory, "a", 0)
    memory.drop()
    assert memory.recall("a", 1) is None
