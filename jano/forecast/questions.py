"""What the guidance asks in one evaluation after another, and whether it still asks the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from operator import itemgetter

import torch
from torch import Tensor

TURNED = 0.1
"""Relative change of the guidance's strength between two computed steps that is a change of what is asked; schedules
that turn it a little at every step stay below, and count as errors of the forecast."""
ASIDE = 1e-4
"""Share (of squares) of the way that guidance went aside of a line, above which it is not CFG, whose rounding in 16 bit
is 1e-6."""


class Questions:
    """The questions of one run. A key that one evaluation asks for twice stands for two that cannot be told apart."""

    def __init__(self) -> None:
        self._asked: Counter[Hashable] = Counter()
        self._asked_before: Counter[Hashable] = Counter()
        self._compared, self._familiar = 0, 0
        self._parts: set[Hashable] = set()
        self._answers: list[tuple[int, Tensor]] = []
        self._known: frozenset[Hashable] = frozenset()
        self._strength: float | None = None
        self._conditional: Tensor | None = None

    def begin(self) -> None:
        """A model evaluation starts."""
        if self._asked and self._asked_before:
            self._compared += 1
            self._familiar += self._asked.keys() <= self._asked_before.keys()
        self._asked_before, self._asked = self._asked, Counter()
        self._parts, self._answers = set(), []

    def ask(self, key: Hashable) -> bool:
        """The evaluation asks something; whether nothing else has its key, here and in the one before."""
        self._asked[key] += 1
        return self._asked[key] == 1 and self._asked_before[key] <= 1

    @property
    def are_always_new(self) -> bool:
        """Whether every evaluation asked for something that the one before had not asked for."""
        return self._compared > 0 and not self._familiar

    def is_repeated(self, key: Hashable) -> bool:
        """Whether this evaluation asked for the key more than once."""
        return self._asked[key] > 1

    def hear(self, parts: Iterable[Hashable], answers: Sequence[tuple[int, Tensor]]) -> None:
        """What was asked for, and the predictions of its sides, computed or forecast."""
        self._parts.update(parts)
        self._answers += answers

    def have_changed(self, guided: Tensor, cfg: float | None = None) -> bool:
        """Whether a computed evaluation asked for something else than the one before, or guided by another strength.

        `cfg` is the guider's own word for its strength, where that cannot be measured.
        """
        answers = [answer for _, answer in sorted(self._answers, key=itemgetter(0))]
        strength = guidance_strength(guided, answers)
        self._conditional = answers[0] if strength is not None and strength > 1.0 and len(answers) == 2 else None
        strength = cfg if strength is None else strength
        parts, known = frozenset(self._parts), self._known
        changed = parts != known or turned(strength, self._strength)
        self._known, self._strength = parts, self._strength if strength is None else strength
        return changed

    def overshoot(self, guided: Tensor) -> Tensor | None:
        """How far CFG took a computed evaluation beyond the conditional prediction; None where it is not known."""
        return None if self._conditional is None else guided - self._conditional.to(guided)


def guidance_strength(guided: Tensor, predictions: list[Tensor]) -> float | None:
    """How far guidance went from the last towards the first of the `predictions` that it asked for: the scale of CFG.

    None where it did something else with them, or asked for one (one device synchronisation otherwise).
    """
    if len(predictions) < 2:
        return None
    last = predictions[-1].to(guided)
    apart, gone = predictions[0].to(guided) - last, guided - last
    strength = (gone * apart).sum() / apart.square().sum()
    aside = (gone - strength * apart).square().sum() / gone.square().sum()
    strength, aside = torch.stack((strength, aside)).tolist()
    return strength if aside < ASIDE else None


def turned(strength: float | None, before: float | None) -> bool:
    """Whether the guidance was turned up or down; not where that is not known."""
    if strength is None or before is None:
        return False
    return abs(strength - before) > TURNED * max(abs(strength), abs(before))
