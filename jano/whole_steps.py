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
    """The groups of one run; made and dropped with it."""

    def __init__(self, config: SchedulerConfig) -> None:
        self._config = config
        self._groups: dict[Hashable, Group] = {}
        self._asked: Counter[Hashable] = Counter()

    def begin(self) -> None:
        """A model evaluation starts."""
        self._asked.clear()

    def numbered(self, key: Hashable) -> Hashable:
        """`key`, told apart from the same conditionings asked for before in this evaluation (other blocks, say)."""
        self._asked[key] += 1
        return key, self._asked[key]

    def recall(self, key: Hashable, step: int) -> Group | None:
        """The group, if it has a line and was asked for up to the step before; older predictions are too old."""
        group = self._groups.get(key)
        if group is None or group.last_step < step - 1 or not group.history.is_ready:
            return None
        group.last_step = step
        return group

    def keep(self, key: Hashable, predictions: Tensor, moment: Moment, tokens: int) -> None:
        """Predictions that were computed at `moment`, from this many tokens."""
        group = self._groups.setdefault(key, Group(PredictionHistory(self._config), moment.step, tokens))
        group.last_step, group.tokens = moment.step, tokens
        group.history.record(predictions, moment)

    def drop(self) -> None:
        self._groups.clear()
