"""How large the error of a forecast is; pictures of one row and two cells, a region each."""

import math

import pytest
import torch
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.parts import Parts
from comfyui_jano.jano.whole.errors import median, region_errors, share_of, worst_share_of
from comfyui_jano.tests.unit.toy import GRID
from torch import Tensor


def picture(left: float, right: float) -> Tensor:
    return torch.tensor([[[[left, right]]]], dtype=torch.float32)


def test_a_batch_counts_with_its_worst_picture_per_region() -> None:
    error = torch.tensor([[[[3.0, 0.0]]], [[[1.0, 2.0]]]])
    assert region_errors(error, GRID).tolist() == [3.0, 2.0]


def test_the_share_is_that_of_the_root_mean_squares() -> None:
    share, spread, _ = share_of(picture(1, 1), picture(2, 2), GRID)
    assert share == pytest.approx(0.5)
    assert spread == pytest.approx(1.0)


def test_the_spread_is_the_ninetieth_over_the_tenth_percentile() -> None:
    _, spread, _ = share_of(picture(1, 4), picture(2, 2), GRID)
    assert spread == pytest.approx((0.9 * 4 + 0.1) / (0.1 * 4 + 0.9), rel=1e-4)


def test_the_median_passes_over_what_is_no_number() -> None:
    assert median([]) == 0.0
    assert median([float("nan"), 3.0, 1.0, 2.0]) == 2.0
    assert median([float("inf")]) == 0.0


SOUND = (1, 1, 4)
SQUARE = TokenGrid(latent=(1, 4, 4), patch=(1, 1, 1), region=(1, 2, 2))
WITH_SOUND = Parts(((1, 1, 4, 4), SOUND), shown=0)


def packed(*parts: torch.Tensor) -> torch.Tensor:
    return torch.cat([part.reshape(1, 1, -1) for part in parts], -1)


@pytest.mark.parametrize(("of_picture", "of_sound", "worst"), [(0.3, 0.1, 0.3), (0.1, 0.3, 0.3)])
def test_of_several_parts_the_worse_one_decides(of_picture: float, of_sound: float, worst: float) -> None:
    """However loud the other is, and however many values it has."""
    pictures, sound = torch.full((1, 1, 4, 4), 2.0), torch.full(SOUND, 50.0)
    error = packed(of_picture * pictures, of_sound * sound)
    share, spread, _ = worst_share_of(error, packed(pictures, sound), SQUARE, WITH_SOUND)
    assert share == pytest.approx(worst)
    assert spread == pytest.approx(1.0)


def test_a_part_whose_error_is_no_number_says_so() -> None:
    pictures = torch.ones(1, 1, 4, 4)
    nothing = torch.zeros(SOUND)
    share, *_ = worst_share_of(packed(0.1 * pictures, nothing), packed(pictures, nothing), SQUARE, WITH_SOUND)
    assert math.isnan(share)


def test_under_a_mask_a_part_that_is_held_does_not_count() -> None:
    pictures, sound = torch.full((1, 1, 4, 4), 2.0), torch.full(SOUND, 50.0)
    error, said = packed(0.3 * pictures, 0.1 * sound), packed(pictures, sound)
    of_sound = packed(torch.zeros(1, 1, 4, 4), torch.ones(SOUND)) > 0
    share, spread, _ = worst_share_of(error, said, SQUARE, WITH_SOUND, of_sound)
    assert share == pytest.approx(0.1)
    assert math.isnan(spread)
    assert worst_share_of(error, said, SQUARE, WITH_SOUND, ~of_sound)[0] == pytest.approx(0.3)
