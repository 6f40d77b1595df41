"""What the measured errors of a run say of its picture."""

import math

import pytest
from comfyui_jano.jano.show.risk import LEFT_WHERE_ERRORS_SWING, MOST, STEADY, Risk, left_of, picture_error, risk_of


def test_errors_add_up_as_squares() -> None:
    assert picture_error([0.3, 0.4]) == pytest.approx(0.5)
    assert picture_error([0.3, 0.4], left=0.5) == pytest.approx(0.25)
    assert picture_error([]) == 0.0


def test_the_words_follow_the_error() -> None:
    errors = (0.0, MOST[Risk.HARD_TO_SEE], MOST[Risk.DETAILS], 10.0, math.inf)
    assert [risk_of(error) for error in errors] == [*[Risk.HARD_TO_SEE] * 2, Risk.DETAILS, Risk.COMPOSITION, None]
    assert risk_of(MOST[Risk.HARD_TO_SEE] * 1.01) is Risk.DETAILS
    assert risk_of(MOST[Risk.DETAILS] * 1.01) is Risk.COMPOSITION


@pytest.mark.parametrize(
    ("repaired", "left"),
    [
        ([], 0.5),
        ([None, None], 0.5),
        ([None, 1.0, STEADY], 0.5),
        ([1.0, 0.0, 1.0], LEFT_WHERE_ERRORS_SWING),
        ([None, STEADY - 0.01], LEFT_WHERE_ERRORS_SWING),
    ],
)
def test_where_errors_swing_more_is_left_of_them(repaired: list[float | None], left: float) -> None:
    assert left_of(0.5, repaired) == left


def test_what_was_not_measured_has_no_word() -> None:
    assert risk_of(None) is None
    assert risk_of(math.nan) is None
