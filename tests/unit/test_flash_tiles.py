"""Tiles in space: they count for one everywhere, fade, and leave time alone."""

from __future__ import annotations

import pytest
import torch
from comfyui_jano.flash_vaed.streaming import StreamedDecoder
from comfyui_jano.flash_vaed.tiles import tiles
from comfyui_jano.flash_vaed.wan import WanStudent, WanWidths
from comfyui_jano.tests.filled import fill
from torch import Tensor

NARROW = WanWidths(deep=32, entry=16, middle=32, fine=8, finest=4)


@pytest.fixture(scope="module")
def narrow() -> WanStudent:
    return fill(WanStudent(NARROW))


class Enlarger(StreamedDecoder):
    """Gives every cell's own value to all of its pixels: what tiles then add is seen."""

    cell = 4, 8, 8
    colours = 3

    def chunks(self, z: Tensor):
        large = z[:, :3].repeat_interleave(8, 3).repeat_interleave(8, 4)
        yield large[:, :, :1]
        for later in large[:, :, 1:].split(1, dim=2):
            yield later.expand(-1, -1, 4, -1, -1)


@pytest.mark.parametrize("side", [1, 3, 8, 9, 31])
@pytest.mark.parametrize("tile", [1, 4, 8, 64])
@pytest.mark.parametrize("overlap", [0, 1, 3, 99])
def test_tiles_cover_a_side_and_count_for_one(side: int, tile: int, overlap: int) -> None:
    total, made = torch.zeros(side * 8), tiles(side, tile, overlap, 8)
    for one in made:
        assert one.cells.stop - one.cells.start == min(side, tile)
        assert one.weight.min() > 0 or one.weight.numel() == 0
        total[one.pixels] += one.weight
    assert torch.allclose(total, torch.ones(side * 8))
    assert (made[0].cells.start, made[-1].cells.stop) == (0, side)


def test_tiles_overlap_by_what_was_asked_or_more() -> None:
    made = tiles(31, 8, 3, 8)
    assert all(left.cells.stop - right.cells.start >= 3 for left, right in zip(made, made[1:], strict=False))


@pytest.mark.parametrize("overlap", [0, 1, 4])
def test_what_tiles_agree_on_is_left_as_it_is(overlap: int) -> None:
    z = torch.randn(2, 4, 3, 9, 7)
    decoder = Enlarger()
    assert torch.allclose(decoder.decode_tiled(z, 4, 5, overlap), decoder.decode(z), atol=1e-6)


def test_a_tile_as_large_as_the_picture_is_the_picture(narrow: WanStudent) -> None:
    z = torch.randn(1, 16, 3, 4, 3)
    assert torch.equal(narrow.decode_tiled(z, 64, 64, 16), narrow.decode(z))


def test_tiles_are_never_cut_in_time(narrow: WanStudent) -> None:
    """A corner that only one tile reaches is that tile decoded over the whole clip, whatever `tile_t` says."""
    z = torch.randn(1, 16, 6, 4, 8)
    tiled = narrow.decode_tiled(z, tile_x=4, tile_y=4, overlap=1, tile_t=2, overlap_t=1)
    alone = narrow.decode(z[..., :4])
    assert tiled.shape == (1, 3, 21, 32, 64)
    assert torch.allclose(tiled[..., :16], alone[..., :16], atol=1e-6)
