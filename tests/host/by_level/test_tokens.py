"""Which rows of a sequence are computed, and what is refused because its rows are not known."""

from __future__ import annotations

import pytest
import torch
from comfyui_jano.jano.adapters.by_level.tokens import TokenRows
from comfyui_jano.jano.by_level.engine import Call
from comfyui_jano.jano.by_level.kv_cache import KVCache
from comfyui_jano.jano.by_level.selection import Selection
from comfyui_jano.jano.refusal import Unaccelerated


def rows(*chosen: int, num_main: int = 4, num_front: int = 0) -> TokenRows:
    selection = Selection(tokens=torch.tensor(chosen), cells=torch.zeros(0))
    return TokenRows(Call(("c",), selection, stores=True), num_main, KVCache(), num_front)


def test_text_and_references_are_always_among_the_computed_rows() -> None:
    made = rows(1, 3)
    made.settle(num_text=2, num_image=6)
    assert made.image.tolist() == [1, 3, 4, 5]
    assert made.joint.tolist() == [0, 1, 3, 5, 6, 7]


@pytest.mark.parametrize("later", [(2, 5), (3, 4), (2, 3)])
def test_a_block_of_another_length_is_refused(later: tuple[int, int]) -> None:
    made = rows(0)
    made.settle(2, 4)
    with pytest.raises(Unaccelerated, match="^a block got . image tokens where 4 or more were expected$"):
        made.settle(*later)


def test_fewer_tokens_than_the_latent_has_are_refused() -> None:
    with pytest.raises(Unaccelerated, match="^a block got 3 image tokens where 4 or more were expected$"):
        rows(0).settle(2, 3)


def test_shared_tables_are_gathered_once() -> None:
    made, table = rows(1), torch.arange(6.0).reshape(1, 6)
    made.settle(2, 4)
    first = made.gather_joint(table, 1)
    assert first.tolist() == [[0, 1, 3]]
    assert made.gather_joint(table, 1) is first
    assert made.gather_joint(None, 1) is None


@pytest.mark.parametrize(
    ("offset", "ranges", "moved"),
    [
        (0, [(0, 4, 0), (4, 6, 1)], [(0, 1, 0), (1, 3, 1)]),
        (2, [(0, 6, 0), (6, 8, 1)], [(0, 3, 0), (3, 5, 1)]),
        (2, [(0, 2, 0), (2, 6, 1), (6, 8, 0)], [(0, 2, 0), (2, 3, 1), (3, 5, 0)]),
    ],
)
def test_ranges_move_to_where_their_rows_went(offset: int, ranges: list, moved: list) -> None:
    made = rows(2)
    made.settle(2, 6)
    assert made.ranges(ranges, offset) == moved


def test_a_range_with_a_border_inside_the_latent_is_refused() -> None:
    made = rows(2)
    made.settle(2, 6)
    with pytest.raises(Unaccelerated, match="^the model modulates token ranges .* that are not known here$"):
        made.ranges([(0, 3, 0), (3, 6, 1)], 0)
