"""The small decoder for LTX-Video 0.9: the authors' output for whole clips, of latents scaled by channel."""

from __future__ import annotations

import pytest
import torch
from comfyui_jano.flash_vaed.ltx import LTXStudent, LTXWidths, Stage
from comfyui_jano.tests.filled import fill, golden, shapes_in, shapes_of
from torch.utils.flop_counter import FlopCounterMode

NARROW = LTXWidths(latent=16, deep=64, fine=8, finest=4)


@pytest.fixture(scope="module")
def narrow() -> LTXStudent:
    return fill(LTXStudent(NARROW)).double()


def test_names_and_shapes_are_the_released_files_without_the_encoder() -> None:
    with torch.device("meta"):
        released = LTXStudent()
    table = shapes_of("student_ltx")
    assert shapes_in(released) == {name: shape for name, shape in table.items() if not name.startswith("encoder.")}
    assert shapes_in(LTXStudent(NARROW)) == shapes_of("golden_ltx_small") | {"latents_mean": [16], "latents_std": [16]}


def test_the_output_is_the_authors(narrow: LTXStudent) -> None:
    z, expected = golden("ltx_small")
    assert (narrow.decode(z.double()) - expected).abs().max() < 1e-4


@pytest.mark.parametrize(("latents", "frames"), [(1, 1), (2, 9), (5, 33)])
def test_every_length_has_its_frames(narrow: LTXStudent, latents: int, frames: int) -> None:
    z = torch.randn(1, 16, latents, 2, 1).double()
    assert narrow.decode(z).shape == narrow.decode_output_shape(z.shape) == (1, 3, frames, 64, 32)


def test_clips_of_a_batch_do_not_mix(narrow: LTXStudent) -> None:
    z = torch.randn(2, 16, 2, 2, 1).double()
    assert torch.allclose(narrow.decode(z), torch.cat([narrow.decode(one) for one in z.split(1)]), atol=1e-10)


def test_latents_are_scaled_by_channel_before_they_are_decoded(narrow: LTXStudent) -> None:
    scaled = fill(LTXStudent(NARROW)).double()
    scaled.latents_mean.copy_(torch.randn(16))
    scaled.latents_std.copy_(torch.rand(16) + 0.5)
    raw = torch.randn(1, 16, 2, 1, 1).double()
    normalised = (raw - scaled.latents_mean.view(1, -1, 1, 1, 1)) / scaled.latents_std.view(1, -1, 1, 1, 1)
    assert torch.allclose(scaled.decode(normalised), narrow.decode(raw), atol=1e-10)
    statistics = scaled.per_channel_statistics
    assert torch.allclose(statistics.normalize(raw), normalised)
    assert torch.allclose(statistics.un_normalize(normalised), raw)


def test_how_many_pictures_are_refined_at_once_does_not_show(narrow: LTXStudent, monkeypatch) -> None:
    z = torch.randn(1, 16, 3, 1, 2).double()
    at_once = narrow.decode(z)
    monkeypatch.setattr(f"{Stage.__module__}.PICTURES_AT_ONCE", 3)
    assert torch.allclose(narrow.decode(z), at_once, atol=1e-10)


def test_work_by_frame() -> None:
    """Of a clip of 81 frames at 480 x 832; the VAE takes 349.8 GFLOP."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        LTXStudent().decode(torch.empty(1, 128, 11, 15, 26))
    assert counter.get_total_flops() / 81e9 == pytest.approx(21.6, abs=0.05)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_single_precision_rounds_no_more_than_the_goldens_own(narrow: LTXStudent, batch: int) -> None:
    """Against the same weights in double precision. To the golden output itself it is up to 1.03e-4 on some machines:
    6.4e-5 of that are the golden's own rounding and torch.randn's, whose last digits differ from machine to machine."""
    z, _ = golden("ltx_small")
    rounded, exact = fill(LTXStudent(NARROW)).decode(z.repeat(batch, 1, 1, 1, 1)), narrow.decode(z.double())
    assert (rounded - exact).abs().max() < 1e-4
