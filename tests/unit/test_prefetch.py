from collections.abc import Hashable

import pytest
import torch
from comfyui_jano.jano.references.kv_cache import Line, ReferenceCache

DEVICE = torch.device("cpu")


class Watched(ReferenceCache):
    """Notes in which order lines are taken."""

    def __init__(self, storage: str) -> None:
        super().__init__(True, storage)
        self.taken: list[tuple[Hashable, Hashable]] = []

    def line(self, chunk: Hashable, layer: Hashable) -> Line:
        self.taken.append((chunk, layer))
        return super().line(chunk, layer)


def filled(storage: str = "cpu", layers: int = 4) -> Watched:
    cache = Watched(storage)
    for layer in range(layers):
        for chunk in "ab":
            for time in (3.0, 2.0):
                keys = torch.full((1, 1, 3, 2), layer + time)
                cache.store(chunk, layer, keys, 2 * keys, time, 2)
    cache.taken.clear()
    return cache


def test_the_next_block_is_on_its_way_before_this_one_computes() -> None:
    cache = filled()
    ahead = cache.ahead(("a", "b"), DEVICE)
    seen = []
    for layer in range(4):
        ahead.of(layer)
        seen.append([taken for chunk, taken in cache.taken if chunk == "a"])
    assert seen == [[0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3]]
    assert [chunk for chunk, _ in cache.taken] == ["a", "b"] * 4


def test_a_block_out_of_turn_is_fetched_then() -> None:
    ahead = filled().ahead(("a",), DEVICE)
    ahead.of(0)
    assert torch.equal(ahead.of(2)["a"].at(2.0)[0], torch.full((1, 1, 3, 2), 4.0))
    assert torch.equal(ahead.of(3)["a"].at(2.0)[0], torch.full((1, 1, 3, 2), 5.0))


@pytest.mark.parametrize("storage", ["device", "fp8", "cpu"])
def test_what_comes_is_what_was_kept(storage: str) -> None:
    cache = filled(storage)
    ahead = cache.ahead(("a", "b"), DEVICE)
    for layer in range(4):
        for chunk, line in ahead.of(layer).items():
            for ours, kept in zip(line.at(1.0), cache.line(chunk, layer).at(1.0), strict=True):
                assert torch.equal(ours, kept)


def test_blocks_of_which_nothing_is_kept_have_no_line() -> None:
    ahead = filled(layers=2).ahead(("a", "c"), DEVICE)
    assert ahead.of(7) == {}
    assert list(ahead.of(1)) == ["a"]
