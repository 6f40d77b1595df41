"""What decoding holds in memory at once: as much as is told to the host, and for Wan no more for a longer clip."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from comfyui_jano.flash_vaed.ltx import LTXStudent, LTXWidths
from comfyui_jano.flash_vaed.streaming import StreamedDecoder
from comfyui_jano.flash_vaed.wan import WanStudent, WanWidths
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveElements(TorchDispatchMode):
    """Counts the elements of storages that are alive, without `given` ones; `most` of them at one time."""

    def __init__(self, given: list[Tensor]) -> None:
        super().__init__()
        self.most = 0
        self._given = {tensor.untyped_storage()._cdata for tensor in given}
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, operation: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None):
        self._alive = {key: kept for key, kept in self._alive.items() if not kept[0].expired()}
        made = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self._given | self._alive.keys():
                    self._alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes() // tensor.element_size())
        self.most = max(self.most, sum(elements for _, elements in self._alive.values()))
        return made


@pytest.fixture(autouse=True)
def _attention_as_on_a_gpu(monkeypatch) -> None:
    """Its kernels there do not hold the products of all pairs, as the plain computation does that meta tensors get."""
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda query, key, value: torch.empty_like(query))


def counted(student: StreamedDecoder, shape: tuple[int, ...]) -> int:
    with torch.device("meta"), torch.no_grad():
        z = torch.empty(shape)
        buffer = torch.empty(student.decode_output_shape(z.shape))
        with LiveElements([z, buffer, *student.parameters(), *student.buffers()]) as live:
            student.decode(z, buffer)
    return live.most


def wan(**widths: int) -> WanStudent:
    with torch.device("meta"):
        return WanStudent(WanWidths(**widths))


def ltx(**widths: int) -> LTXStudent:
    with torch.device("meta"):
        return LTXStudent(LTXWidths(**widths))


NARROW = {"deep": 64, "entry": 32, "middle": 64, "fine": 16, "finest": 8}


@pytest.mark.parametrize("student", [wan(), wan(**NARROW)], ids=["released", "narrow"])
@pytest.mark.parametrize("latents", [2, 5])
def test_a_wan_clip_holds_what_is_told(student: WanStudent, latents: int) -> None:
    shape = (1, 16, latents, 30, 52)
    assert 0.85 < counted(student, shape) / student.live_elements(shape) < 1.01


@pytest.mark.parametrize(("student", "least"), [(wan(), 0.85), (wan(**NARROW), 0.4)], ids=["released", "narrow"])
def test_a_picture_holds_less_than_is_told(student: WanStudent, least: float) -> None:
    shape = (1, 16, 1, 30, 52)
    assert least < counted(student, shape) / student.live_elements(shape) < 1.01


def test_a_long_clip_holds_no_more_than_a_short_one() -> None:
    student = wan(**NARROW)
    assert counted(student, (1, 16, 25, 6, 10)) == counted(student, (1, 16, 4, 6, 10))


@pytest.mark.parametrize("student", [ltx(), ltx(latent=16, deep=64, fine=8, finest=4)], ids=["released", "narrow"])
@pytest.mark.parametrize("latents", [5, 20])
def test_an_ltx_clip_holds_what_is_told(student: LTXStudent, latents: int) -> None:
    shape = (1, student.widths.latent, latents, 8, 10)
    assert 0.8 < counted(student, shape) / student.live_elements(shape) < 1.01
