"""Simulated annealing of a plan: which steps of a run are computed, all else being what it makes of the picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable
from random import Random

Plan = frozenset[int]
"""The steps that are computed."""

HOTTEST, COLDEST = 0.2, 0.02
"""Losses in dB that are taken with a chance of 1 in e, at the first try and at the last."""
NEAR, NEARBY = 3, 0.7
"""A step is moved by this many at most in this share of the tries, else anywhere."""


def moved(plan: Plan, num_steps: int, fixed: Collection[int], chance: Random) -> Plan:
    """The plan with one computed step, none of the `fixed`, in another place."""
    taken = chance.choice(sorted(plan.difference(fixed)))
    free = [step for step in range(num_steps) if step not in plan]
    near = [step for step in free if abs(step - taken) <= NEAR]
    found = near if near and chance.random() < NEARBY else free
    return plan - {taken} | {chance.choice(found)}


def heat(done: float) -> float:
    """In dB, after this share of the tries."""
    return HOTTEST * (COLDEST / HOTTEST) ** done


def is_taken(gain: float, done: float, chance: Random) -> bool:
    """Whether a plan that is so many dB better than the last one takes its place."""
    return gain >= 0 or chance.random() < math.exp(gain / heat(done))


def consensus(plans: Iterable[Plan], budget: int) -> Plan:
    """The steps that most of the plans compute."""
    votes = Counter(step for plan in plans for step in plan)
    return frozenset(sorted(votes, key=lambda step: (-votes[step], step))[:budget])
