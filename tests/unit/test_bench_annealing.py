"""Plans keep their number of steps while they are moved, and get better where that is possible."""

from __future__ import annotations

from random import Random

from comfyui_jano.bench.annealing import COLDEST, HOTTEST, Plan, consensus, heat, is_taken, moved

START: Plan = frozenset((0, 1, 2, 3, 4))
WANTED: Plan = frozenset((0, 1, 8, 13, 19))


def test_a_moved_plan_differs_in_one_step_and_keeps_the_fixed_ones() -> None:
    chance = Random(0)
    for _ in range(200):
        plan = moved(START, 20, (0, 1), chance)
        assert len(plan) == len(START)
        assert len(plan ^ START) == 2
        assert plan >= {0, 1}
        assert max(plan) < 20


def test_the_annealing_finds_a_plan_that_is_known_to_be_best() -> None:
    chance, plan = Random(0), START

    def db(of: Plan) -> float:
        return -sum(abs(a - b) for a, b in zip(sorted(of), sorted(WANTED), strict=True))

    for number in range(600):
        other = moved(plan, 20, (0, 1), chance)
        if is_taken(db(other) - db(plan), number / 600, chance):
            plan = other
    assert plan == WANTED


def test_losses_are_taken_less_and_less() -> None:
    assert heat(0.0) == HOTTEST
    assert abs(heat(1.0) - COLDEST) < 1e-12
    early, late = (sum(is_taken(-0.15, done, Random(seed)) for seed in range(200)) for done in (0.0, 1.0))
    assert early > 80
    assert late == 0


def test_the_consensus_is_what_most_compute() -> None:
    assert consensus([frozenset((0, 1, 5)), frozenset((0, 1, 7)), frozenset((0, 5, 7))], 3) == {0, 1, 5}
