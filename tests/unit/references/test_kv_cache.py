import pytest
import torch
from comfyui_jano.jano.references.kv_cache import DAMPING, ReferenceCache
from torch import Tensor


def written(cache: ReferenceCache, time: float, chunk: str = "a") -> tuple[Tensor, Tensor]:
    return cache.line(chunk, 0).at(time)


def storing(*values: tuple[float, float], extrapolates: bool = True, storage: str = "device") -> ReferenceCache:
    """A cache of one block whose keys were the first number at the time of the second, and its values twice that."""
    cache = ReferenceCache(extrapolates, storage)
    for value, time in values:
        keys = torch.full((1, 1, 3, 2), value)
        cache.store("a", 0, keys, 2 * keys, time, 2)
    return cache


def test_one_value_is_held() -> None:
    keys, values = written(storing((3.0, 1.0)), -5.0)
    assert torch.equal(keys, torch.full_like(keys, 3.0))
    assert torch.equal(values, torch.full_like(values, 6.0))


def test_two_are_carried_on_along_their_damped_line() -> None:
    keys, values = written(storing((1.0, 4.0), (2.0, 2.0)), 1.0)
    torch.testing.assert_close(keys, torch.full_like(keys, 2.0 + DAMPING * 0.5))
    torch.testing.assert_close(values, torch.full_like(values, 4.0 + DAMPING))


def test_at_its_own_time_the_last_value_is_what_was_stored() -> None:
    cache = storing((1.0, 4.0), (2.3, 2.0))
    assert torch.equal(written(cache, 2.0)[0], torch.full((1, 1, 3, 2), 2.3))


@pytest.mark.parametrize("time", [2.0, 3.0])
def test_no_line_goes_through_values_of_one_time_or_of_a_jump_back(time: float) -> None:
    keys, _ = written(storing((1.0, 2.0), (5.0, time)), 0.0)
    assert torch.equal(keys, torch.full_like(keys, 5.0))


def test_what_is_computed_once_keeps_one_value() -> None:
    held, line = storing((1.0, 2.0), (2.0, 1.0), extrapolates=False), storing((1.0, 2.0), (2.0, 1.0))
    assert held.num_bytes * 2 == line.num_bytes
    assert (held.values, line.values) == (1, 2)


@pytest.mark.parametrize("storage", ["device", "fp8", "cpu"])
def test_every_storage_gives_the_same(storage: str) -> None:
    keys, _ = written(storing((1.0, 4.0), (2.0, 2.0), storage=storage), 1.0)
    torch.testing.assert_close(keys, torch.full_like(keys, 2.0 + DAMPING * 0.5))


def test_chunks_are_kept_apart_and_let_go() -> None:
    cache = storing((1.0, 4.0))
    keys = torch.full((1, 1, 3, 2), 7.0)
    cache.store("b", 0, keys, keys, 4.0, 2)
    assert torch.equal(written(cache, 4.0, "b")[0], keys)
    assert list(cache.layers("a")) == [0]
    cache.forget(["a"])
    assert list(cache.layers("a")) == []
    assert torch.equal(written(cache, 4.0, "b")[0], keys)
    cache.drop()
    assert cache.num_bytes == 0
