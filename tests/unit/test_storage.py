import pytest
import torch
from comfyui_jano.jano.storage import STORAGES, after, fitting, packed


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("storage", ["device", "cpu"])
def test_device_and_main_memory_change_no_bit(storage: str, dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 5, 8).to(dtype)
    kept = packed(x, storage, 2)
    assert torch.equal(kept.unpacked(), x)
    assert kept.unpacked().dtype is dtype
    assert kept.num_bytes == x.nbytes


def test_a_copy_is_kept_and_no_view() -> None:
    x = torch.randn(2, 6, 4).narrow(1, 2, 3)
    before = x.clone()
    kept = packed(x, "device", 1)
    x.zero_()
    assert torch.equal(kept.unpacked(), before)
    assert kept.num_bytes == before.nbytes


@pytest.mark.parametrize("size", [1e-30, 1.0, 6e4])
def test_eight_bits_are_within_a_sixteenth_whatever_a_channel_is_worth(size: float) -> None:
    x = torch.randn(1, 2, 64, 8) * size * torch.logspace(-3, 0, 8)
    kept = packed(x, "fp8", 2)
    coarse = x.abs().amax(2, keepdim=True) * 2**-9  # where eight bits have no more digits
    assert ((kept.unpacked() - x).abs() <= x.abs() / 16 + coarse / 448).all()
    assert kept.num_bytes < x.nbytes / 3


def test_a_channel_of_zeros_stays_so() -> None:
    assert torch.equal(packed(torch.zeros(1, 4, 2), "fp8", 1).unpacked(), torch.zeros(1, 4, 2))


def test_the_first_tokens_of_what_is_kept() -> None:
    x = torch.randn(1, 2, 10, 4)
    kept = packed(x, "fp8", 2)
    assert torch.equal(kept.narrow(2, 3).unpacked(), kept.unpacked()[:, :, :3])


def test_the_fastest_storage_that_fits() -> None:
    assert [fitting(needed, 10.0) for needed in (10, 11, 20, 21)] == ["device", "fp8", "fp8", "cpu"]


def test_every_storage_has_one_after_it_but_the_last() -> None:
    assert [after(storage) for storage in STORAGES] == ["fp8", "cpu", ""]
