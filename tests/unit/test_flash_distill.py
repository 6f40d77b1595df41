"""Training a student: phases, losses, windows, and that an interrupted run ends as one that was not."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest
import torch
from comfyui_jano.flash_vaed import distill as distill_module
from comfyui_jano.flash_vaed.compress import Made, Recipe, compress
from comfyui_jano.flash_vaed.distill import PHASES, Plan, School, distill, phase_steps
from comfyui_jano.flash_vaed.lessons import Size, ask, cut_windows
from comfyui_jano.flash_vaed.losses import feature_loss, image_loss, psnr, ssim
from comfyui_jano.flash_vaed.streaming import StreamedDecoder
from comfyui_jano.flash_vaed.teachers import family_of
from comfyui_jano.jano.show import quality
from comfyui_jano.tests.small_teacher import LAYOUTS, small_clips, small_teacher
from torch import Tensor

PLAN = Plan(steps=(2, 2, 3), rate=2e-3, batch=2, size=Size(2, 2), windows=4, round_steps=2)


@pytest.fixture(scope="module", params=LAYOUTS)
def teacher(request: pytest.FixtureRequest) -> StreamedDecoder:
    return small_teacher(request.param)


@pytest.fixture(scope="module")
def start(teacher: StreamedDecoder) -> Made:
    return compress(teacher, [torch.stack(small_clips(3))], Recipe((0.5, 0.5), refit=False))


def fresh(start: Made) -> Made:
    return dataclasses.replace(start, student=copy.deepcopy(start.student))


def school_of(teacher: StreamedDecoder, made: Made, plan: Plan = PLAN) -> School:
    return School(teacher, small_clips(3), made.kept, plan)


def quiet(step: int, steps: int, what: str, loss: float) -> None:
    pass


def weights_of(student: StreamedDecoder) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in student.state_dict().items()}


@pytest.mark.parametrize(("phase", "resting"), [(0, "shallow"), (1, "deep")])
def test_a_phase_trains_its_own_parts_only(phase: int, resting: str, teacher: StreamedDecoder, start: Made) -> None:
    made = fresh(start)
    before = weights_of(made.student)
    plan = dataclasses.replace(PLAN, steps=tuple(2 if place == phase else 0 for place in range(3)))
    distill(made.student, school_of(teacher, made, plan), None, quiet)
    moved = {name for name, value in made.student.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.startswith(PHASES[phase].parts(teacher)) for name in moved)
    assert not any(name.startswith(family_of(teacher).stretch(resting).parts) for name in moved)


def test_training_comes_closer_to_the_teacher(teacher: StreamedDecoder, start: Made) -> None:
    made = fresh(start)
    losses: dict[str, list[float]] = {phase.name: [] for phase in PHASES}
    steady = dataclasses.replace(PLAN, steps=(16, 0, 16), round_steps=16, windows=2)
    distill(made.student, school_of(teacher, made, steady), None, lambda *told: losses[told[2]].append(told[3]))
    for phase in ("deep", "shallow"):
        assert sum(losses[phase][-4:]) < 0.9 * sum(losses[phase][:4]), losses[phase]


class StopError(Exception):
    pass


@pytest.mark.parametrize("stop", [2, 5])
def test_an_interrupted_run_ends_as_one_that_was_not(
    stop: int, teacher: StreamedDecoder, start: Made, tmp_path: Path
) -> None:
    whole, broken = fresh(start), fresh(start)
    distill(whole.student, school_of(teacher, whole), None, quiet)

    def stopping(step: int, steps: int, what: str, loss: float) -> None:
        if step == stop:
            raise StopError

    checkpoint = tmp_path / "run.training"
    with pytest.raises(StopError):
        distill(broken.student, school_of(teacher, broken), checkpoint, stopping)
    assert checkpoint.exists()
    other = type(broken.student)(broken.student.widths)
    told = []
    distill(other, school_of(teacher, broken), checkpoint, lambda step, *rest: told.append(step))
    assert told == list(range(stop + 1, 8))
    assert checkpoint.exists()
    for name, value in whole.student.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=1e-4, atol=1e-5)


def test_a_run_is_saved_now_and_then(
    teacher: StreamedDecoder, start: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distill_module, "SAVE_SECONDS", -1)
    made, found = fresh(start), []
    checkpoint = tmp_path / "run.training"
    distill(made.student, school_of(teacher, made), checkpoint, lambda *told: found.append(checkpoint.exists()))
    assert found == [False] + [True] * 6


def test_another_students_checkpoint_is_refused_in_words(teacher: StreamedDecoder, start: Made, tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.training"

    def stopping(*told: object) -> None:
        raise StopError

    made = fresh(start)
    with pytest.raises(StopError):
        distill(made.student, school_of(teacher, made), checkpoint, stopping)
    other = compress(teacher, [torch.stack(small_clips(3))], Recipe((0.25, 0.5), refit=False))
    with pytest.raises(ValueError, match="another small decoder"):
        distill(other.student, school_of(teacher, other), checkpoint, quiet)
    checkpoint.write_bytes(b"something else")
    with pytest.raises(ValueError, match="no checkpoint"):
        distill(made.student, school_of(teacher, made), checkpoint, quiet)


def test_steps_are_shared_among_the_phases() -> None:
    assert phase_steps(4001) == (1000, 1000, 2001)
    assert phase_steps(0) == (0, 0, 0)
    assert [PLAN.place_of(step) for step in (0, 1, 2, 4, 6)] == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 2)]


def test_windows_lie_inside_their_clips() -> None:
    clips = [torch.full((4, 3, 5, 6), float(number)) for number in range(3)]
    windows = cut_windows(clips, 40, Size(4, 2), torch.Generator().manual_seed(0))
    assert windows.shape == (40, 4, 2, 4, 4)
    assert set(windows.amax((1, 2, 3, 4)).tolist()) == {0.0, 1.0, 2.0}
    small = cut_windows(clips, 2, Size(9, 9), torch.Generator())
    assert small.shape == (2, 4, 3, 5, 6)


def test_the_teacher_is_asked_no_further_than_needed(teacher: StreamedDecoder, start: Made) -> None:
    latents = torch.stack(small_clips(3))
    family = family_of(teacher)
    deep = ask(teacher, latents, {}, family.deep.places, batch=2)
    assert deep.frames is None
    kept, last = start.kept, family.fine[-1]
    all_places = ask(teacher, latents, kept, (*family.deep.places, last), batch=2)
    assert all_places.features[last].shape[1] == 4
    torch.testing.assert_close(all_places.frames.float(), teacher(latents).clamp(-1, 1), rtol=0, atol=2e-3)
    batch = all_places.batch(torch.tensor([2]), torch.device("cpu"))
    assert batch.frames.dtype == torch.float32
    assert torch.equal(batch.latents, latents[2:])


def test_measures_are_those_of_jano_compare() -> None:
    a = torch.rand(2, 3, 16, 20)
    b = (a + 0.1 * torch.randn_like(a)).clamp(0, 1)
    for ours, theirs in ((psnr, quality.psnr), (ssim, quality.ssim)):
        expected = theirs(a.movedim(1, -1), b.movedim(1, -1)).float()
        torch.testing.assert_close(ours(a * 2 - 1, b * 2 - 1), expected, rtol=1e-4, atol=1e-4)


def test_losses_vanish_where_nothing_differs() -> None:
    frames = torch.rand(2, 3, 40, 40) * 2 - 1
    other = (frames + 0.2).clamp(-1, 1)
    assert image_loss(frames, frames) < 1e-4
    assert image_loss(frames, other) > 0.1
    told = image_loss(frames, other, lambda a, b: torch.full((len(a),), float(a.shape[-1])))
    assert float(told - image_loss(frames, other)) == pytest.approx(2 * 3, rel=1e-4)
    features = torch.randn(2, 3, 2, 4, 4)
    assert feature_loss(features, features) == 0
    assert float(feature_loss(features, features.mean((0, 2, 3, 4), keepdim=True))) == pytest.approx(1, rel=1e-3)
