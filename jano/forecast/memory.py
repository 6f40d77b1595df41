"""Predictions under keys, fresh as long as every step asks for them."""

from __future__ import annotations

from collections.abc import Hashable

from torch import Tensor

from ..clock import Moment
from ..config import SchedulerConfig
from .history import PredictionHistory


class Memory:
    """The histories of one run; made and dropped with it."""

    def __init__(self, config: SchedulerConfig) -> None:
        self._config = config
        self._histories: dict[Hashable, PredictionHistory] = {}
        self._asked: dict[Hashable, int] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._histories

    def is_fresh(self, key: Hashable, step: int) -> bool:
        """Whether it was asked for up to the step before; otherwise what is known of it is too old."""
        return self._asked.get(key, -2) >= step - 1

    def is_ready(self, key: Hashable) -> bool:
        """Whether there is enough for a forecast."""
        return key in self._histories and self._histories[key].is_ready

    def ask(self, key: Hashable, step: int) -> None:
        """It is asked for at `step`."""
        self._asked[key] = step

    def record(self, key: Hashable, x0: Tensor, moment: Moment, computed: Tensor | None = None) -> None:
        """Keep a prediction, or its `computed` cells."""
        self._histories.setdefault(key, PredictionHistory(self._config)).record(x0, moment, computed)

    def forecast(self, key: Hashable, moment: Moment) -> Tensor:
        return self._histories[key].forecast(moment)

    def forget(self, key: Hashable) -> None:
        self._histories.pop(key, None)
        self._asked.pop(key, None)

    def forget_stale(self, step: int) -> list[Hashable]:
        """Let go of what was asked for once, and is asked for no more; returns its keys."""
        stale = [key for key in self._asked if not self.is_fresh(key, step)]
        for key in stale:
            self.forget(key)
        return stale

    def expire(self) -> None:
        """All of it is too old, until it was asked for again."""
        self._asked.clear()

    def drop(self) -> None:
        self._histories.clear()
        self._asked.clear()
