"""A student before training: what is copied, cut and solved, and that solving comes closer."""

from __future__ import annotations

import pytest
import torch
from comfyui_jano.flash_vaed.compress import SELECTIONS, Made, Recipe, compress, measure
from comfyui_jano.flash_vaed.initial import FINE, FINEST, PLACES
from comfyui_jano.flash_vaed.wan import WanStudent
from comfyui_jano.flash_vaed.wan_teacher import teacher_from
from comfyui_jano.tests.small_teacher import small_clips, small_state
from torch import Tensor

HALF = (0.5, 0.5)


@pytest.fixture(scope="module")
def teacher() -> WanStudent:
    return teacher_from(small_state())


@pytest.fixture(scope="module")
def windows() -> list[Tensor]:
    return [torch.stack(small_clips(4)), torch.stack(small_clips(3))]


@pytest.fixture(scope="module")
def solved(teacher: WanStudent, windows: list[Tensor]) -> Made:
    return compress(teacher, windows, Recipe(HALF))


@torch.no_grad()
def missed(student: WanStudent, teacher: WanStudent) -> float:
    """Mean square difference of the frames on latents that nothing was solved on."""
    z = torch.stack(small_clips(5))
    return float((student(z) - teacher(z)).square().mean())


def test_the_widths_are_those_asked_for(solved: Made) -> None:
    assert (solved.student.widths.fine, solved.student.widths.finest) == (4, 2)
    assert [len(solved.kept[place]) for place in (*FINE, *FINEST)] == [4] * 7 + [2] * 7


def test_what_both_have_is_copied(solved: Made, teacher: WanStudent) -> None:
    ours, theirs = solved.student.state_dict(), teacher.state_dict()
    shared = [name for name, value in ours.items() if name in theirs and theirs[name].shape == value.shape]
    copied = [name for name in shared if torch.equal(ours[name], theirs[name])]
    assert set(shared) - set(copied) == {"decoder.head.2.bias"}
    assert {"conv2.weight", "decoder.conv1.weight", "decoder.upsamples.7.time_conv.weight"} <= set(copied)
    assert "decoder.middle.1.to_qkv.weight" in copied


def test_solving_comes_closer_than_cutting(solved: Made, teacher: WanStudent, windows: list[Tensor]) -> None:
    cut = compress(teacher, windows, Recipe(HALF, refit=False))
    assert cut.kept == solved.kept
    assert missed(solved.student, teacher) < 0.7 * missed(cut.student, teacher)


@torch.no_grad()
def test_with_all_channels_pictures_that_stand_still_are_the_teachers(
    teacher: WanStudent, windows: list[Tensor]
) -> None:
    """From the fifth frame of a block on: there every tap meets the same picture, and the sum over time is exact."""
    made = compress(teacher, windows, Recipe((1.0, 1.0), refit=False))
    assert all(share > 1 - 1e-4 for share in made.explained.values())
    x = torch.randn(1, 8, 1, 8, 8).expand(1, 8, 6, 8, 8)
    ours, theirs = (model.decoder.upsamples[8](x, {}) for model in (made.student, teacher))
    torch.testing.assert_close(ours[:, :, 4:], theirs[:, :, 4:], rtol=1e-3, atol=1e-3)
    assert (ours[:, :, 0] - theirs[:, :, 0]).abs().max() > 0.1


def test_enough_channels_for_a_share_of_the_variance(teacher: WanStudent, windows: list[Tensor]) -> None:
    made = compress(teacher, windows, Recipe(explained=0.9, refit=False))
    assert min(made.explained.values()) >= 0.9
    fewer = compress(teacher, windows, Recipe(explained=0.5, refit=False))
    assert fewer.student.widths.fine < made.student.widths.fine


@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_selection_makes_a_student(selection: str, teacher: WanStudent, windows: list[Tensor]) -> None:
    made = compress(teacher, windows, Recipe(HALF, selection=selection, refit=False))
    greedy = compress(teacher, windows, Recipe(HALF, refit=False))
    for place in PLACES:
        assert made.explained[place] <= greedy.explained[place] + 0.05
    assert torch.isfinite(made.student(torch.stack(small_clips(1)))).all()


def test_moments_are_taken_at_all_places(teacher: WanStudent, windows: list[Tensor]) -> None:
    found = measure(teacher, windows, 0)
    assert {len(found[place]) for place in FINE} == {8}
    assert {len(found[place]) for place in FINEST} == {4}


def test_other_files_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="Wan 2.1's layout"):
        teacher_from({"decoder.conv_in.weight": torch.zeros(1)})
    broken = small_state()
    del broken["decoder.head.0.gamma"]
    with pytest.raises(ValueError, match="differs from it"):
        teacher_from(broken)
