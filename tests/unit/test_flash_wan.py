"""The small decoder for Wan 2.1: the authors' output, whatever the chunks, for clips of any length."""

from __future__ import annotations

import pytest
import torch
from comfyui_jano.flash_vaed.wan import WanStudent, WanWidths
from comfyui_jano.tests.filled import fill, golden, shapes_in, shapes_of
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

NARROW = WanWidths(deep=32, entry=16, middle=32, fine=8, finest=4)


@pytest.fixture(scope="module")
def narrow() -> WanStudent:
    """In double precision, in which what is the same is the same to many digits."""
    return fill(WanStudent(NARROW)).double()


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def clip(student: WanStudent, z: Tensor, latents: int) -> Tensor:
    return torch.cat(list(student.chunks(z, latents)), dim=2)


def close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, atol=1e-10)


@pytest.fixture(scope="module")
def released() -> WanStudent:
    """At the released decoder's widths."""
    return fill(WanStudent())


def test_names_and_shapes_are_the_released_files(released: WanStudent) -> None:
    assert shapes_in(released) == shapes_of("student_wan")


@pytest.mark.parametrize("latents", [1, 2, 3])
def test_the_output_is_the_authors(released: WanStudent, latents: int) -> None:
    z, expected = golden("wan")
    assert (clip(released, z, latents) - expected).abs().max() < 1e-4


def test_upsampling_in_two_steps_gives_the_same() -> None:
    z, expected = golden("wan")
    assert (fill(WanStudent(naive=True)).decode(z) - expected).abs().max() < 1e-4


@pytest.mark.parametrize(("latents", "frames"), [(1, 1), (2, 5), (5, 17), (30, 117)])
def test_every_length_has_its_frames(narrow: WanStudent, latents: int, frames: int) -> None:
    z = noise(1, 16, latents, 3, 2)
    streamed = narrow.decode(z)
    assert streamed.shape == (1, 3, frames, 24, 16)
    assert close(streamed, narrow(z))


@pytest.mark.parametrize("latents", [1, 2, 3, 4, 7, 8])
def test_chunks_do_not_show(narrow: WanStudent, latents: int) -> None:
    z = noise(1, 16, 7, 3, 2)
    assert close(clip(narrow, z, latents), narrow(z))


def test_uneven_chunks_do_not_show_either(narrow: WanStudent) -> None:
    z, cache = noise(1, 16, 8, 3, 2), {}
    parts = [narrow(chunk, cache) for chunk in z.split([3, 1, 2, 2], dim=2)]
    assert close(torch.cat(parts, dim=2), narrow(z))


def test_no_clip_begins_anew_at_the_21st_latent(narrow: WanStudent) -> None:
    """The released code forgets there what came before: 86 frames of 23 latents instead of 89, and a jump."""
    z = noise(1, 16, 23, 3, 2)
    decoded = narrow.decode(z)
    assert decoded.shape[2] == 89
    assert close(decoded, narrow(z))
    changed = z.clone()
    changed[:, :, 19] += 1.0
    assert not close(narrow.decode(changed)[:, :, 77:81], decoded[:, :, 77:81])  # the frames of the 21st latent


def test_later_latents_do_not_change_earlier_frames(narrow: WanStudent) -> None:
    z = noise(1, 16, 4, 3, 2)
    assert torch.equal(narrow.decode(z)[:, :, :9], narrow.decode(z[:, :, :3]))


def test_clips_of_a_batch_do_not_mix(narrow: WanStudent) -> None:
    z = noise(2, 16, 3, 3, 2)
    assert close(narrow.decode(z), torch.cat([narrow.decode(one) for one in z.split(1)]))


def test_nothing_of_a_clip_stays_on_the_module(narrow: WanStudent) -> None:
    z = noise(1, 16, 3, 3, 2)
    first = narrow.decode(z)
    narrow.decode(noise(1, 16, 5, 2, 4))
    interleaved = [narrow.chunks(z), narrow.chunks(noise(1, 16, 3, 3, 2))]
    parts = [[next(chunks) for chunks in interleaved] for _ in range(3)]
    assert torch.equal(torch.cat([part for part, _ in parts], dim=2), first)


def test_frames_go_into_the_buffer_that_is_given(narrow: WanStudent) -> None:
    z = noise(1, 16, 3, 3, 2)
    buffer = torch.full(narrow.decode_output_shape(z.shape), torch.nan)
    assert narrow.decode(z, output_buffer=buffer) is buffer
    assert torch.equal(buffer, narrow.decode(z).float())


def test_the_decoder_can_be_trained() -> None:
    student = fill(WanStudent(NARROW)).requires_grad_(True)
    student(torch.randn(1, 16, 2, 3, 2)).square().mean().backward()
    idle = {name for name, parameter in student.named_parameters() if parameter.grad is None}
    assert idle == {"conv1.weight", "conv1.bias"}


def flops_a_frame(student: WanStudent) -> float:
    """Of a frame far into a clip at 480 x 832."""
    counts = []
    for latents in (2, 3):
        with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
            student.decode(torch.empty(1, 16, latents, 60, 104))
        counts.append(counter.get_total_flops())
    return (counts[1] - counts[0]) / 4e9


@pytest.mark.parametrize(("naive", "gigaflops"), [(True, 119.7), (False, 100.4)])
def test_work_by_frame(naive: bool, gigaflops: float) -> None:
    """119.7 GFLOP is the authors' decoder, against 3387.5 of the VAE; the upsampling in four phases leaves out more."""
    with torch.device("meta"):
        student = WanStudent(naive=naive)
    assert flops_a_frame(student) == pytest.approx(gigaflops, abs=0.05)
