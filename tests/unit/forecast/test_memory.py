"""Predictions under keys: how long they are fresh, and what is forgotten."""

import torch
from comfyui_jano.jano.clock import Moment
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.forecast.memory import Memory

ONES = torch.ones(1, 1, 1, 2)


def at(step: int) -> Moment:
    sigma = 1.0 - 0.1 * step
    return Moment(step, sigma, sigma, sigma - 0.1)


def kept(memory: Memory, key: str, step: int) -> None:
    memory.ask(key, step)
    memory.record(key, ONES * step, at(step))


def test_it_is_fresh_while_every_step_asks_for_it() -> None:
    memory = Memory(SchedulerConfig(forecast="hold"))
    kept(memory, "a", 0)
    for step in (1, 2, 3):
        assert memory.is_fresh("a", step)
        memory.ask("a", step)
        assert memory.forecast("a", at(step)).tolist() == [[[[0.0, 0.0]]]]
    assert memory.is_fresh("a", 4)
    assert not memory.is_fresh("a", 5)


def test_what_is_unknown_is_neither_fresh_nor_ready() -> None:
    memory = Memory(SchedulerConfig())
    kept(memory, "a", 0)
    assert "b" not in memory
    assert not memory.is_fresh("b", 0)
    assert not memory.is_ready("b")


def test_a_line_needs_two_steps_and_holding_needs_one() -> None:
    for forecast, ready in (("linear", [False, True]), ("hold", [True, True])):
        memory = Memory(SchedulerConfig(forecast=forecast))
        found = []
        for step in (4, 5):
            kept(memory, "a", step)
            found.append(memory.is_ready("a"))
        assert found == ready


def test_what_is_asked_for_no_more_is_forgotten() -> None:
    memory = Memory(SchedulerConfig())
    kept(memory, "old", 0)
    kept(memory, "new", 1)
    assert memory.forget_stale(1) == []
    assert memory.forget_stale(2) == ["old"]
    assert "old" not in memory
    assert "new" in memory


def test_what_was_never_asked_for_stays() -> None:
    """Steps of a warm-up that nothing will be asked of are still a line to go on with."""
    memory = Memory(SchedulerConfig())
    memory.record("a", ONES, at(0))
    assert memory.forget_stale(9) == []
    assert "a" in memory


def test_one_key_is_forgotten_without_the_others() -> None:
    memory = Memory(SchedulerConfig())
    for key in "ab":
        kept(memory, key, 0)
    memory.forget("a")
    assert ("a" in memory, "b" in memory) == (False, True)
    assert not memory.is_fresh("a", 0)


def test_nothing_is_left_after_a_drop() -> None:
    memory = Memory(SchedulerConfig())
    kept(memory, "a", 0)
    memory.drop()
    assert "a" not in memory
    assert not memory.is_fresh("a", 0)
