"""The comparison at equal cost reads curves as a user would."""

import pytest
from comfyui_jano.bench.report_quality import between, cost_of

CURVE = [(0.6, 40.0), (0.4, 30.0), (0.5, 34.0)]


def test_between_measured_points_a_curve_is_straight_and_outside_there_is_none() -> None:
    assert between(CURVE, 0.45) == pytest.approx(32.0)
    assert between(CURVE, 0.3) is None
    assert between([(0.4, 30.0), (0.5, 40.0), (0.5, 44.0)], 0.5) == pytest.approx(42.0)


@pytest.mark.parametrize(("psnr", "share"), [(32.0, 0.45), (37.0, 0.55), (20.0, 0.4), (50.0, 1.0)])
def test_the_cost_of_a_psnr(psnr: float, share: float) -> None:
    assert cost_of(CURVE, psnr) == pytest.approx(share)


def test_a_curve_that_falls_again_costs_what_keeps_it_above() -> None:
    assert cost_of([(0.3, 35.0), (0.4, 30.0), (0.5, 40.0)], 35.0) == pytest.approx(0.45)
