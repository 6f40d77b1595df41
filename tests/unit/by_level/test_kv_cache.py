"""Keys and values of all tokens, written in place. Two tokens of one channel; values are keys plus 100."""

from dataclasses import replace

import pytest
import torch
from comfyui_jano.jano.by_level.kv_cache import KVCache
from torch import Tensor

FIRST, SECOND, LAYER = torch.tensor([0]), torch.tensor([1]), ("double", 0)


def keys(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows).unsqueeze(-1)


def store(cache: KVCache, chunks: tuple, *rows: tuple[float, ...], layer: object = LAYER) -> None:
    cache.store(chunks, layer, keys(*rows), keys(*rows) + 100)


def update(
    cache: KVCache, chunks: tuple, *rows: tuple[float, ...], layer: object = LAYER, index: Tensor = FIRST
) -> list:
    """Write one token of every row, the first; the keys of all tokens then, after a look at the values."""
    k, v = cache.update(chunks, layer, index, 1, keys(*rows), keys(*rows) + 100)
    assert torch.equal(v, k + 100)
    return k.squeeze(-1).tolist()


def test_computed_tokens_are_new_and_frozen_ones_are_kept() -> None:
    cache = KVCache()
    store(cache, ("a",), (1.0, 2.0))
    assert update(cache, ("a",), (5.0,)) == [[5.0, 2.0]]
    assert update(cache, ("a",), (6.0,)) == [[6.0, 2.0]]


def test_storing_again_replaces_everything() -> None:
    cache = KVCache()
    store(cache, ("a",), (1.0, 2.0))
    store(cache, ("a",), (3.0, 4.0))
    assert update(cache, ("a",), (5.0,)) == [[5.0, 4.0]]


def test_layers_and_chunks_do_not_meet() -> None:
    cache = KVCache()
    store(cache, ("a",), (1.0, 2.0))
    store(cache, ("b",), (3.0, 4.0))
    store(cache, ("a",), (5.0, 6.0), layer="other")
    assert update(cache, ("a",), (9.0,)) == [[9.0, 2.0]]
    assert update(cache, ("b",), (9.0,)) == [[9.0, 4.0]]
    assert update(cache, ("a",), (9.0,), layer="other") == [[9.0, 6.0]]


@pytest.mark.parametrize(("stored", "used"), [("ab", "ba"), ("ab", "a"), ("ab", "b"), ("abc", "ac"), ("abc", "bc")])
def test_a_batch_may_be_put_together_in_another_way(stored: str, used: str) -> None:
    cache = KVCache()
    frozen = {"a": 1.0, "b": 2.0, "c": 3.0}
    store(cache, tuple(stored), *((0.0, frozen[chunk]) for chunk in stored))
    assert update(cache, tuple(used), *((9.0,) for _ in used)) == [[9.0, frozen[chunk]] for chunk in used]


def test_chunks_stored_apart_can_be_used_together_and_apart_again() -> None:
    cache = KVCache()
    store(cache, ("a",), (1.0, 2.0))
    store(cache, ("b",), (3.0, 4.0))
    assert update(cache, ("a", "b"), (5.0,), (6.0,)) == [[5.0, 2.0], [6.0, 4.0]]
    assert update(cache, ("b",), (7.0,)) == [[7.0, 4.0]]
    assert update(cache, ("a", "b"), (8.0,), (9.0,)) == [[8.0, 2.0], [9.0, 4.0]]


def test_what_was_written_together_is_read_apart() -> None:
    cache = KVCache()
    store(cache, ("a",), (1.0, 2.0))
    store(cache, ("b",), (3.0, 4.0))
    update(cache, ("a", "b"), (5.0,), (6.0,))
    assert update(cache, ("b",), (7.0,), index=SECOND) == [[6.0, 7.0]]


def test_a_chunk_may_have_several_rows() -> None:
    cache = KVCache()
    store(cache, ("a", "b"), (0.0, 1.0), (0.0, 2.0), (0.0, 3.0), (0.0, 4.0))
    assert update(cache, ("b",), (9.0,), (9.0,)) == [[9.0, 3.0], [9.0, 4.0]]


def test_what_is_stored_is_a_copy() -> None:
    cache, source = KVCache(), keys((1.0, 2.0))
    cache.store(("a",), LAYER, source, source + 100)
    source += 50
    assert update(cache, ("a",), (5.0,)) == [[5.0, 2.0]]


def test_a_view_into_a_large_projection_is_not_kept_alive() -> None:
    cache, projection = KVCache(), torch.zeros(1, 2, 300)
    cache.store(("a",), LAYER, projection[..., :1], projection[..., 1:2])
    assert cache.num_bytes == 2 * 2 * 4


def test_bytes_are_those_of_all_buffers_and_shared_ones_count_once() -> None:
    cache = KVCache()
    assert cache.num_bytes == 0
    store(cache, ("a", "b"), (1.0, 2.0), (3.0, 4.0))
    assert cache.num_bytes == 2 * 4 * 4  # keys and values, two rows of two tokens, four bytes
    store(cache, ("c",), (1.0, 2.0))
    assert cache.num_bytes == 2 * 6 * 4
    cache.drop()
    assert cache.num_bytes == 0


def test_another_length_takes_a_buffer_of_its_own() -> None:
    cache = KVCache()
    store(cache, ("a",), (1.0, 2.0))
    store(cache, ("a",), (1.0, 2.0, 3.0))
    assert update(cache, ("a",), (9.0,)) == [[9.0, 2.0, 3.0]]


def test_a_chunk_that_was_never_stored_is_an_error() -> None:
    with pytest.raises(KeyError):
        update(KVCache(), ("a",), (1.0,))


def fits(cache: KVCache, chunks: tuple, *rows: tuple[float, ...], layer: object = LAYER) -> bool:
    return cache.fits(chunks, layer, FIRST, 1, keys(*rows))


def test_what_is_put_back_must_have_the_shape_of_what_was_kept() -> None:
    cache = KVCache()
    store(cache, ("a", "b"), (1.0, 2.0), (3.0, 4.0))
    assert fits(cache, ("b", "a"), (5.0,), (6.0,))
    assert not fits(cache, ("a", "b"), (5.0,))  # one row of two
    assert not fits(cache, ("a",), (5.0, 6.0))  # two tokens at one place
    assert not fits(cache, ("a", "c"), (5.0,), (6.0,))
    assert not fits(cache, ("a",), (5.0,), layer="another")
    assert not cache.fits(("a",), LAYER, FIRST, 1, torch.zeros(1, 1, 3))  # more channels


def test_layers_that_were_left_out_are_forgotten_and_other_chunks_are_not() -> None:
    cache = KVCache()
    for layer in ("first", "second"):
        store(cache, ("a", "b"), (1.0, 2.0), (3.0, 4.0), layer=layer)
    cache.retain(("a",), {"second"})
    assert not fits(cache, ("a",), (5.0,), layer="first")
    assert fits(cache, ("b",), (5.0,), layer="first")
    assert fits(cache, ("a",), (5.0,), layer="second")


def test_chunks_that_are_asked_for_no_more_are_forgotten() -> None:
    cache = KVCache()
    store(cache, ("a",), (1.0, 2.0))
    store(cache, ("b",), (3.0, 4.0))
    held = cache.num_bytes
    cache.forget({"a"})
    assert cache.num_bytes == held // 2
    assert fits(cache, ("b",), (5.0,))


def in_order(storage: str, tokens: int = 6) -> tuple[KVCache, dict[int, Tensor]]:
    """Three layers of two chunks, as heads have them: (batch, heads, tokens, channels)."""
    cache, kept = KVCache(storage), {}
    for layer in range(3):
        kept[layer] = torch.randn(2, 2, tokens, 8, generator=torch.Generator().manual_seed(layer))
        cache.store(("a", "b"), layer, kept[layer], 2 * kept[layer])
    return cache, kept


@pytest.mark.parametrize("chunks", [("a", "b"), ("b", "a"), ("b",)])
def test_in_main_memory_nothing_changes_but_the_way(chunks: tuple[str, ...]) -> None:
    """Layer by layer from one call to the next, each fetched while the one before computes."""
    index = torch.tensor([1, 4])
    caches = {storage: in_order(storage)[0] for storage in ("device", "cpu")}
    for step in range(3):
        new = torch.full((len(chunks), 2, 2, 8), float(step))
        seen = {}
        for storage, cache in caches.items():
            ahead = cache.ahead(chunks, torch.device("cpu"))
            seen[storage] = [cache.update(chunks, at, index, 2, new, -new, ahead.of(at)) for at in range(3)]
        for ours, theirs in zip(seen["cpu"], seen["device"], strict=True):
            assert torch.equal(ours[0], theirs[0])
            assert torch.equal(ours[1], theirs[1])


def test_what_comes_from_another_memory_is_written_back() -> None:
    """As on a GPU, where what is attended to is a copy."""
    cache, kept = in_order("cpu")
    index, new = torch.tensor([1, 4]), torch.ones(2, 2, 2, 8)
    for _ in range(2):
        copies = tuple(replace(buffer, data=buffer.data.clone()) for buffer in cache._together(("a", "b"), 0))
        keys, values = cache.update(("a", "b"), 0, index, 2, new, -new, copies)
        assert torch.equal(keys, kept[0].index_copy(2, index, new))
        assert torch.equal(values, (2 * kept[0]).index_copy(2, index, -new))


def test_in_eight_bits_frozen_tokens_do_not_age_by_being_read() -> None:
    """Computed ones are seen as they are in their own step, all others within a sixteenth."""
    cache, kept = in_order("fp8")
    assert cache.num_bytes < in_order("device")[0].num_bytes / 2
    frozen, index = torch.tensor([0, 2, 3, 5]), torch.tensor([1, 4])
    before = None
    for step in range(1, 4):
        new = torch.full((2, 2, 2, 8), step / 3)
        keys, values = cache.update(("a", "b"), 1, index, 2, new, -new)
        assert torch.equal(keys[:, :, index], new)
        assert torch.equal(values[:, :, index], -new)
        rest = keys[:, :, frozen]
        assert ((rest - kept[1][:, :, frozen]).abs() <= kept[1][:, :, frozen].abs() / 16 + 1e-4).all()
        assert before is None or torch.equal(rest, before)
        before = rest.clone()
    only_one = cache.update(("b",), 1, torch.tensor([0]), 2, torch.ones(1, 2, 1, 8), torch.ones(1, 2, 1, 8))[0]
    torch.testing.assert_close(only_one[:, :, index], new[1:], rtol=1 / 16, atol=1e-4)


@pytest.mark.parametrize("storage", ["device", "fp8", "cpu"])
@pytest.mark.parametrize(("stored", "used"), [("ab", "ba"), ("ab", "b"), ("abc", "ac")])
def test_a_batch_may_be_put_together_in_another_way_wherever_it_is(storage: str, stored: str, used: str) -> None:
    cache, frozen = KVCache(storage), {"a": 1.0, "b": 2.0, "c": 4.0}
    store(cache, tuple(stored), *((0.0, frozen[chunk]) for chunk in stored))
    k, _ = cache.update(tuple(used), LAYER, FIRST, 1, keys(*((9.0,) for _ in used)), keys(*((9.0,) for _ in used)))
    assert k.squeeze(-1).tolist() == [[9.0, frozen[chunk]] for chunk in used]
