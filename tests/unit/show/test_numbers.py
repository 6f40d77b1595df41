"""How numbers are written for people."""

import pytest
from comfyui_jano.jano.show.numbers import duration, percent, times


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.04, "0.0 s"), (3.44, "3.4 s"), (9.94, "9.9 s"), (9.96, "10 s"), (41.2, "41 s"), (119.4, "119 s"),
        (119.6, "2 min 0 s"), (200, "3 min 20 s"), (3599.2, "59 min 59 s"), (3600, "1 h 0 min"), (7500, "2 h 5 min"),
    ],
)  # fmt: skip
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_numbers_are_written_in_one_way() -> None:
    assert [times(factor) for factor in (1.05, 2.24, 2.25, 9.94, 9.96, 12.3)] == [
        "1.1x", "2.2x", "2.3x", "9.9x", "10x", "12x",
    ]  # fmt: skip
    assert [percent(share) for share in (0.0, 0.0001, 0.004, 0.03, 0.385, 0.994, 0.999, 1.0, 1.3)] == [
        "0 %", "under 0.1 %", "0.4 %", "3 %", "39 %", "99 %", "over 99 %", "100 %", "130 %",
    ]  # fmt: skip
