"""What the measured errors of a run say of its picture."""

import math

import pytest
from comfyui_jano.jano.show.risk import MOST, Risk, picture_error, risk_of


def test_errors_add_up_as_squares() -> None:
    assert picture_error([0.3, 0.4]) == pytest.approx(0.5)
    assert picture_error([0.3, 0.4], left=0.5) == pytest.approx(0.25)
    assert picture_error([]) == 0.0


def test_the_words_follow_the_error() -> None:
    errors = (0.0, MOST[Risk.HARD_TO_SEE], MOST[Risk.DETAILS], 10.0, math.inf)
    assert [risk_of(error) for error in errors] == [*[Risk.HARD_TO_SEE] * 2, Risk.DETAILS, Risk.COMPOSITION, None]
    assert risk_of(MOST[Risk.HARD_TO_SEE] * 1.01) is Risk.DETAILS
    assert risk_of(MOST[Risk.DETAILS] * 1.01) is Risk.COMPOSITION


def test_what_was_not_measured_has_no_word() -> None:
    assert risk_of(None) is None
    assert risk_of(math.nan) is None
