"""An engine that forecasts nothing: for runs in which only references are left out."""

from __future__ import annotations

from collections.abc import Hashable

from torch import Tensor

from .clock import Moment
from .presets import more_tolerant
from .sentences import say, with_hints

TOO_FAR = say("references_drift_too_far")


class EveryStep:
    """What `whole.engine.WholeSteps` says of a step that is computed, for every step."""

    NEEDS_MAP = False
    MAY_LOOK = False
    MAPS = ""
    shift = None
    error_rate = None
    computed = True
    asks = True

    def __init__(self, tolerance: float = 0.0) -> None:
        """`tolerance` is that of the quality, 0 where it has none."""
        self._tolerance = tolerance

    def begin(self, moment: Moment, is_first: bool, resumes: int) -> None:
        """Every evaluation is computed."""

    def settle(self, denoised: Tensor, moment: Moment, has_changed: bool, overshoot: Tensor | None = None) -> Tensor:
        return denoised

    def recall(self, key: Hashable, moment: Moment, is_only: bool) -> None:
        """Nothing is forecast."""

    def keep(self, key: Hashable, predictions: Tensor, moment: Moment, tokens: int) -> None:
        """Nothing is kept."""

    def forget(self, key: Hashable) -> None:
        """Nothing is kept."""

    def go_back(self) -> None:
        """Nothing was forecast across the jump."""

    def give_up(self) -> None:
        """There is nothing to give up."""

    def why_native(self) -> str:
        """After a run that left out nothing, and gave up on nothing."""
        return with_hints(TOO_FAR, more_tolerant(self._tolerance))

    def why_little(self, share: float) -> str:
        return ""

    def drop(self) -> None:
        """No tensor is kept."""
