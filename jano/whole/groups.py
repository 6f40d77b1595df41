"""What is kept to forecast a whole step: the predictions of every group of conditionings that the guidance asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from torch import Tensor

from .clock import Moment
from .config import SchedulerConfig
from .forecast import PredictionHistory


@dataclass
class Group:
    """Predictions of one group, stacked along the batch: their history, the last step that asked for them, and the
    tokens that computing them takes."""

    history: PredictionHistory
    last_step: int
    tokens: int


class GroupMemory:
    """The groups of one run; made and dropped with it.

    A key that one evaluation asks for twice stands for two questions that cannot be told apart: none is remembered.
    `strangers` counts what was asked for and not known.
    """

    def __init__(self, config: SchedulerConfig) -> None:
        self._config = config
        self._groups: dict[Hashable, Group] = {}
        self._asked: Counter[Hashable] = Counter()
        self._ambiguous: frozenset[Hashable] = frozenset()
        self.strangers = 0

    def begin(self) -> None:
        """A model evaluation starts."""
        self._ambiguous = frozenset(key for key, times in self._asked.items() if times > 1)
        self._asked.clear()

    def ask(self, key: Hashable) -> bool:
        """The evaluation asks for a group; whether it is the only one of this key, here and in the one before."""
        self._asked[key] += 1
        if self._asked[key] > 1:
            self._groups.pop(key, None)
        return self._asked[key] == 1 and key not in self._ambiguous

    def recall(self, key: Hashable, step: int) -> Group | None:
        """The group, if it has a line and was asked for up to the step before; older predictions are too old."""
        group = None if key in self._ambiguous else self._groups.get(key)
        if group is None or group.last_step < step - 1:
            self.strangers += 1
            return None
        if not group.history.is_ready:
            return None
        group.last_step = step
        return group

    def keep(self, key: Hashable, predictions: Tensor, moment: Moment, tokens: int) -> None:
        """Predictions that were computed at `moment`, from this many tokens."""
        if self._asked[key] > 1:
            return
        self._groups = {known: group for known, group in self._groups.items() if group.last_step >= moment.step - 1}
        group = self._groups.setdefault(key, Group(PredictionHistory(self._config), moment.step, tokens))
        group.last_step, group.tokens = moment.step, tokens
        group.history.record(predictions, moment)

    def drop(self) -> None:
        self._groups.clear()
        self._asked.clear()
        self._ambiguous = frozenset()
