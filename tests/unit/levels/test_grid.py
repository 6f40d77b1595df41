"""Latent cells, tokens and regions."""

import pytest
import torch
from comfyui_jano.jano.levels.grid import TokenGrid


def test_a_picture_that_divides_evenly() -> None:
    grid = TokenGrid(latent=(1, 8, 12), patch=(1, 2, 2), region=(1, 2, 3))
    assert grid.tokens == (1, 4, 6)
    assert grid.regions == (1, 2, 2)
    assert (grid.num_tokens, grid.num_regions) == (24, 4)
    assert grid.region_cells == (1, 4, 6)


def test_ragged_ends_are_smaller_tokens_and_regions() -> None:
    grid = TokenGrid(latent=(1, 5, 3), patch=(1, 2, 2), region=(1, 2, 2))
    assert grid.tokens == (1, 3, 2)
    assert grid.regions == (1, 2, 1)
    assert grid.region_of_token().tolist() == [0, 0, 0, 0, 1, 1]
    assert grid.region_of_cell().tolist() == [0] * 12 + [1] * 3


def test_clips_have_regions_over_frames() -> None:
    grid = TokenGrid(latent=(3, 2, 2), patch=(1, 2, 2), region=(2, 1, 1))
    assert grid.tokens == (3, 1, 1)
    assert grid.region_of_token().tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("cells", "region"),
    [((1, 8, 8), (1, 4, 4)), ((7, 6, 8), (7, 3, 4)), ((1, 1, 1), (1, 1, 1)), ((1, 5, 7), (1, 2, 4))],
)
def test_region_cells_are_rounded_to_whole_tokens(cells: tuple, region: tuple) -> None:
    assert TokenGrid.with_region_cells((9, 64, 64), (1, 2, 2), cells).region == region


def test_token_values_are_spread_over_their_cells() -> None:
    grid = TokenGrid(latent=(1, 3, 4), patch=(1, 2, 2), region=(1, 1, 1))
    cells = grid.cells(torch.tensor([1, 2, 3, 4]))
    assert cells.tolist() == [[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4]]]


def test_leading_dimensions_are_kept_when_spreading() -> None:
    grid = TokenGrid(latent=(2, 4, 4), patch=(1, 2, 2), region=(1, 1, 1))
    assert grid.cells(torch.zeros(5, 3, 8)).shape == (5, 3, 2, 4, 4)


def test_the_mean_of_a_ragged_region_counts_its_own_cells() -> None:
    grid = TokenGrid(latent=(1, 1, 3), patch=(1, 1, 1), region=(1, 1, 2))
    values = torch.tensor([[[2.0, 4.0, 10.0]]])
    assert grid.mean_per_region(values).tolist() == [3.0, 10.0]


def test_the_mean_leaves_out_cells_that_are_not_valid() -> None:
    grid = TokenGrid(latent=(1, 1, 4), patch=(1, 1, 1), region=(1, 1, 2))
    valid = torch.tensor([[[True, False, False, False]]])
    assert grid.mean_per_region(torch.tensor([[[2.0, 99.0, 99.0, 99.0]]]), valid).tolist() == [2.0, 0.0]


def test_tokens_and_cells_agree_on_their_region() -> None:
    grid = TokenGrid(latent=(3, 9, 7), patch=(1, 2, 2), region=(2, 3, 2))
    assert torch.equal(grid.cells(grid.region_of_token()).flatten(), grid.region_of_cell())
