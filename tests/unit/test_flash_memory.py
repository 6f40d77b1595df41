"""What decoding holds in memory at once: as much as is told to the host, and for Wan no more for a longer clip."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from comfyui_jano.flash_vaed.ltx import LTXStudent, LTXWidths
from comfyui_jano.flash_vaed.streaming import StreamedDecoder
from comfyui_jano.flash_vaed.wan import WanStudent, WanWidths
from comfyui_jano.tests.live_elements import LiveElements


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
    assert counted(student, (1, 16, 9, 6, 10)) == counted(student, (1, 16, 4, 6, 10))


@pytest.mark.parametrize("student", [ltx(), ltx(latent=16, deep=64, fine=8, finest=4)], ids=["released", "narrow"])
@pytest.mark.parametrize("latents", [5, 20])
def test_an_ltx_clip_holds_what_is_told(student: LTXStudent, latents: int) -> None:
    shape = (1, student.widths.latent, latents, 8, 10)
    assert 0.8 < counted(student, shape) / student.live_elements(shape) < 1.01
