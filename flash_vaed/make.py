"""From a VAE's weights and some latents to the file of a trained small decoder, with a report beside it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .account import closeness, costs, frames_of
from .checkpoint import differences, load_about
from .compress import Made, Recipe, compress, pruned
from .distill import Plan, School, distill
from .files import check_path, write, write_reports
from .lessons import cut_windows, fitting
from .losses import Perceptual
from .streaming import StreamedDecoder
from .teachers import family_of

CALIBRATION = 24
"""Windows from which channels are chosen and layers solved."""
HELD_OUT_SHARE = 8
"""One clip of so many is kept to measure on, at least one of two."""
HELD_OUT_WINDOWS = 16
SMALLEST = 2
"""Latents each way: SSIM needs 11 pixels."""
Tell = Callable[[int, int, str, float | None], None]
"""Step, steps in all, what is being done, the loss where there is one. May raise to stop; a training goes on later."""


@dataclass(frozen=True)
class Order:
    """What to make, and where: `path` ends in .safetensors and is never overwritten."""

    path: Path
    recipe: Recipe = Recipe()
    plan: Plan = Plan()

    @property
    def checkpoint(self) -> Path:
        return self.path.with_suffix(".training")


def make_student(
    teacher: StreamedDecoder,
    clips: list[Tensor],
    order: Order,
    device: torch.device,
    perceptual: Perceptual | None = None,
    tell: Tell = lambda step, steps, what, loss: None,
) -> dict:
    """Makes the file and returns its report, with a sentence as "missing" where no report lies beside the file.
    teacher: teachers.teacher_from's; clips: latents (C, T, h, w) as the host has them. ValueError with a sentence for
    the user where something does not fit."""
    check_settings(order)
    check_path(order.path)
    check_clips(clips, teacher.widths.latent)
    teacher = teacher.to(device)
    steps = sum(order.plan.steps)
    learnt, held = split(clips)
    about = {"teacher": digest(teacher), "clips": digest_of_clips(clips)}
    about |= {"recipe": plain(order.recipe), "plan": plain(order.plan)}
    made = continued(order.checkpoint, about, teacher, device)
    if made is None:
        made = compress(
            teacher, calibration(learnt, order, device), order.recipe, lambda name: tell(0, steps, name, None)
        )
    notes = about | {"kept": made.kept, "explained": made.explained, "rank_one": made.rank_one}
    school = School(teacher, learnt, made.kept, order.plan, perceptual, notes)
    if steps:
        distill(made.student, school, order.checkpoint, tell)
    tell(steps, steps, "measuring", None)
    report = report_of(order, made, teacher, held or learnt, about)
    report |= {"held_out": bool(held), "window": list(fitting(learnt, order.plan.size))}
    write(order.path, made.student, report)
    missing = write_reports(order.path, report)
    with suppress(OSError):  # what was asked for is made, and a checkpoint that stays does no harm
        order.checkpoint.unlink(missing_ok=True)
    return report | {"missing": missing} if missing else report


def check_settings(order: Order) -> None:
    """ValueError with a sentence for settings that no run can have."""
    recipe, plan = order.recipe, order.plan
    demands = {
        f"keep between 0 and 1 of the channels, not {recipe.ratio}": all(0 < share <= 1 for share in recipe.ratio),
        f"explain from 0 to less than 1 of the variance, not {recipe.explained}": 0 <= recipe.explained < 1,
        f"train 0 steps or more, not {plan.steps}": min(plan.steps) >= 0,
        f"learn at a rate above 0, not {plan.rate}": plan.rate > 0,
        f"take 1 window or more in a step, not {plan.batch}": plan.batch >= 1,
        f"have windows of {SMALLEST} latents or more each way and 1 or more in time, not {plan.size.side} and "
        f"{plan.size.frames}": plan.size.side >= SMALLEST and plan.size.frames >= 1,
    }
    wrong = [demand for demand, met in demands.items() if not met]
    if wrong:
        raise ValueError(f"A small decoder's making must {wrong[0]}.")


def check_clips(clips: list[Tensor], channels: int) -> None:
    """ValueError with a sentence unless these are latents of the teacher's kind."""
    if not clips:
        raise ValueError("There are no clips to learn from: give latents, or pictures that the VAE can encode.")
    for clip in clips:
        if clip.ndim != 4 or clip.shape[0] != channels or min(clip.shape[2:]) < SMALLEST or not clip.shape[1]:
            raise ValueError(
                f"A clip's latent must have {channels} channels and at least {SMALLEST} x {SMALLEST} places "
                f"({channels}, time, height, width), but one has {tuple(clip.shape)}: give latents of this VAE."
            )
        if not clip.isfinite().all():
            raise ValueError("A clip's latent holds values that are not finite numbers: leave it out, or make it anew.")


def split(clips: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Those to learn from and those to measure on (none of a single clip), evenly spread."""
    count = max(1, len(clips) // HELD_OUT_SHARE) if len(clips) > 1 else 0
    held = {round((place + 0.5) * len(clips) / count) for place in range(count)}
    return [clip for place, clip in enumerate(clips) if place not in held], [clips[place] for place in sorted(held)]


def calibration(clips: list[Tensor], order: Order, device: torch.device) -> list[Tensor]:
    generator = torch.Generator().manual_seed(order.recipe.seed)
    windows = cut_windows(clips, CALIBRATION, order.plan.size, generator)
    return [part.to(device) for part in windows.split(order.plan.batch)]


def digest(teacher: StreamedDecoder) -> str:
    """sha256 of the decoder's weights in float32, by name, and of what is outside of its pictures if not zeros."""
    modes = {layer.padding_mode for layer in teacher.modules() if isinstance(layer, nn.Conv3d)} - {"zeros"}
    found = hashlib.sha256("".join(sorted(modes)).encode())
    for name, value in sorted(teacher.state_dict().items()):
        found.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def digest_of_clips(clips: list[Tensor]) -> str:
    """sha256 of the clips' shapes and values: which of them are held out follows from all of them, in their order."""
    found = hashlib.sha256()
    for clip in clips:
        found.update(str(tuple(clip.shape)).encode() + clip.detach().float().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def plain(settings: object) -> dict:
    """A dataclass as JSON gives it back."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def continued(checkpoint: Path, about: dict, teacher: StreamedDecoder, device: torch.device) -> Made | None:
    """The student of an interrupted run, without its weights. ValueError if that run was another one."""
    if not checkpoint.exists():
        return None
    notes = load_about(checkpoint)
    if different := differences(notes, about):
        raise ValueError(
            f"{checkpoint} is left from a run with another {' and another '.join(different)}: go on with what that run "
            "had, choose another name, or delete the file."
        )
    student = pruned(teacher, notes["kept"]).to(device)
    return Made(student, notes["kept"], notes["explained"], notes["rank_one"])


def report_of(order: Order, made: Made, teacher: StreamedDecoder, clips: list[Tensor], about: dict) -> dict:
    """All that is known of the student, as JSON takes it."""
    family, generator = family_of(teacher), torch.Generator().manual_seed(order.plan.seed)
    windows = cut_windows(clips, HELD_OUT_WINDOWS, order.plan.size, generator)
    pair = [frames_of(model, windows, order.plan.batch) for model in (teacher, made.student)]
    return {
        "name": order.path.name,
        "layout": f"{family.name}, Flash-VAED",
        "widths": dataclasses.asdict(made.student.widths),
        "operators": family.operators,
        "steps": list(order.plan.steps),
        "against_teacher": closeness(*pair),
        "costs": costs(teacher, made.student),
        "explained": {place: round(share, 4) for place, share in made.explained.items()},
        "separable_energy": {name: round(share, 4) for name, share in made.rank_one.items()},
        **about,
    }
