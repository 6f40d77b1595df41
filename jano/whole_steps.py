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
    """

    def __init__(self, config: SchedulerConfig) -> None:
        self._config = config
        self._groups: dict[Hashable, Group] = {}
        self._asked: Counter[Hashable] = Counter()
        self._asked_before: Counter[Hashable] = Counter()
        self._compared, self._familiar = 0, 0

    @property
    def always_new(self) -> bool:
        """Whether every evaluation asked for something that the one before had not asked for."""
        return self._compared > 0 and not self._familiar

    def begin(self) -> None:
        """A model evaluation starts."""
        if self._asked and self._asked_before:
            self._compared += 1
            self._familiar += self._asked.keys() <= self._asked_before.keys()
        self._asked_before, self._asked = self._asked, Counter()

    def ask(self, key: Hashable) -> bool:
        """The evaluation asks for a group; whether it is the only one of this key, here and in the one before."""
        self._asked[key] += 1
        if self._asked[key] > 1:
            self._groups.pop(key, None)
        return self._asked[key] == 1 and self._asked_before[key] <= 1

    def recall(self, key: Hashable, step: int) -> Group | None:
        """The group, if it has a line and was asked for up to the step before; older predictions are too old."""
        group = self._groups.get(key) if self._asked_before[key] <= 1 else None
        if group is None or group.last_step < step - 1 or not group.history.is_ready:
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
        self._asked_before.clear()
