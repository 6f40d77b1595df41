import pytest
import torch
from comfyui_jano.jano.references.drift import ROWS, drift_of, metered, relative_rms
from comfyui_jano.jano.references.kv_cache import ReferenceCache


def test_two_blocks_are_looked_at() -> None:
    assert metered(range(9)) == {3, 6}
    assert metered(range(1)) == {0}
    assert metered([]) == frozenset()


def test_relative_to_what_was_computed() -> None:
    computed = torch.tensor([3.0, -4.0])
    assert relative_rms(torch.zeros(2), computed) == pytest.approx(1.0)
    assert relative_rms(1.1 * computed, computed) == pytest.approx(0.1, rel=1e-4)


def test_the_mean_of_keys_and_values_of_the_first_tokens() -> None:
    cache = ReferenceCache(extrapolates=True)
    keys = torch.ones(1, 2, ROWS + 40, 4)
    cache.store("a", 0, keys, keys, 1.0, 2)
    unlike = torch.cat([keys[:, :, :ROWS], 100 * keys[:, :, ROWS:]], 2)
    assert drift_of(cache.line("a", 0), 2 * unlike, unlike, 0.5, 2) == pytest.approx(0.25)
