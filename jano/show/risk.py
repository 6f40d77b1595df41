"""How much of the picture a run's forecasts may have changed, by the errors that it measured itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import Enum


class Risk(str, Enum):
    """What a side by side with the run in full would show."""

    __str__ = str.__str__

    HARD_TO_SEE = "hard_to_see"
    DETAILS = "details"
    COMPOSITION = "composition"


MOST = {Risk.HARD_TO_SEE: 0.08, Risk.DETAILS: 0.35}
"""The largest error of the picture (`picture_error`) that each word is for."""


def picture_error(errors: Iterable[float]) -> float:
    """What all forecasts of a run did to its picture, of what each row of them did (whole/control.py): they are
    independent, so their squares add up. A share of the prediction's root mean square."""
    return math.sqrt(sum(error * error for error in errors))


def risk_of(error: float | None) -> Risk | None:
    """The word for an error of the picture; None where it was not measured."""
    if error is None or not math.isfinite(error):
        return None
    return next((risk for risk, most in MOST.items() if error <= most), Risk.COMPOSITION)
