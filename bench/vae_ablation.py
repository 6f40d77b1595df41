"""What each part of making a fast decoder is worth, on the demo's tiny Wan VAE and clips that it was not trained on.

Channels chosen at random, by the norm of their kernels, or greedily; layers cut out of the teacher's or solved; every
phase of the training left out in turn, its steps given to the others; and the decoder that the demo ships.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from ..flash_vaed.account import closeness, costs, frames_of
from ..flash_vaed.compress import SELECTIONS, Made, Recipe, compress
from ..flash_vaed.distill import PHASES, Plan, School, distill
from ..flash_vaed.layout import student_of
from ..flash_vaed.lessons import Size, cut_windows
from ..flash_vaed.losses import pictures, psnr
from ..flash_vaed.streaming import StreamedDecoder
from ..flash_vaed.teachers import teacher_from
from ..host.location import ROOT
from .host import describe
from .records import Row, digest, save

VAE = ROOT / "demo" / "models" / "jano_tiny_wan_vae.safetensors"
SHIPPED = VAE.with_name("jano_tiny_wan_fast_decoder.safetensors")
LEARNT, HELD = (64, 21), (12, 12)
"""Clips and seed; the shipped decoder's own training clips have the seed 11."""
CALIBRATION = 48
BATCH = 4


@dataclass(frozen=True)
class Subject:
    """A small VAE, how a decoder is made of it, latents to learn from, and held-out clips.

    vae: its file. held: "latents" (N, C, T, h, w), and "frames" (N, 3, F, H, W) in -1 to 1 that these stand for.
    """

    vae: Path
    ratio: tuple[float, float]
    plan: Plan
    learnt: Tensor
    held: dict[str, Tensor]


def measure(args: argparse.Namespace) -> None:
    held = clips_of(args.out, *HELD)
    held["frames"] = held["frames"].permute(0, 4, 1, 2, 3).float() / 127.5 - 1
    plan = Plan(steps=(40, 40, 120), rate=1e-3, batch=4, size=Size(side=6, frames=3))
    subject = Subject(VAE, (0.25, 0.5), plan, clips_of(args.out, *LEARNT)["latents"], held)
    save(args.out / "vae_ablation.json", ablate(subject, args.device, SHIPPED))


def ablate(subject: Subject, device: str, shipped: Path | None = None) -> Row:
    """All rows, and what a decoder of this size costs. shipped: one that was trained longer."""
    torch.manual_seed(0)
    teacher = teacher_from(load_file(subject.vae)).to(device)
    judge = Judge(teacher, subject.held)
    calibration = torch.Generator().manual_seed(0)
    windows = cut_windows(list(subject.learnt), CALIBRATION, subject.plan.size, calibration)
    windows = list(windows.to(device).split(BATCH))
    rows = [*selections(teacher, windows, subject, judge), *trainings(teacher, windows, subject, judge)]
    if shipped is not None and shipped.exists():
        longer = load_shipped(shipped).to(device)
        rows.append({"part": "shipped", "what": shipped.name, **judge(longer), **costs(teacher, longer)})
    about = {
        **describe(device),
        "model": digest(subject.vae),
        "teacher_psnr_db": judge.teacher_psnr,
        "steps": sum(subject.plan.steps),
    }
    small = compress(teacher, windows, Recipe(subject.ratio, refit=False)).student
    return {**about, "held": len(subject.held["latents"]), **costs(teacher, small), "rows": rows}


def clips_of(out: Path, count: int, seed: int) -> dict[str, Tensor]:
    """Frames and latents of drawn clips, from disk if they were drawn before."""
    path = out / f"vae_clips_{count}_{seed}.safetensors"
    if not path.exists():
        draw = [ROOT / "demo" / "student_clips.py", "--count", count, "--seed", seed, "--out", path]
        subprocess.run([sys.executable, *map(str, draw)], check=True)
    return load_file(path)


class Judge:
    """Measures decoders on held-out clips: against the teacher, and both against what was drawn."""

    def __init__(self, teacher: StreamedDecoder, held: dict[str, Tensor]) -> None:
        self.latents = held["latents"]
        self.truth = pictures(held["frames"])
        self.reference = frames_of(teacher, self.latents, BATCH)
        self.teacher_psnr = round(float(psnr(self.truth, self.reference).mean()), 2)

    def __call__(self, student: StreamedDecoder) -> Row:
        frames = frames_of(student, self.latents, BATCH)
        truth = float(psnr(self.truth, frames).mean())
        kept = {"truth_psnr_db": round(truth, 2), "kept": round(truth / self.teacher_psnr, 4)}
        return closeness(self.reference, frames) | kept


def selections(teacher: StreamedDecoder, windows: list[Tensor], subject: Subject, judge: Judge) -> list[Row]:
    """Every way of choosing channels with both ways of setting the layers, without training."""
    rows = []
    for selection in SELECTIONS:
        for refit in (False, True):
            made = compress(teacher, windows, Recipe(subject.ratio, selection=selection, refit=refit))
            tell(f"{selection}, {'solved' if refit else 'cut'}")
            row = {"part": "start", "selection": selection, "refit": refit, **judge(made.student)}
            rows.append(row | {"explained": round(min(made.explained.values()), 4)})
    return rows


def trainings(teacher: StreamedDecoder, windows: list[Tensor], subject: Subject, judge: Judge) -> list[Row]:
    """Equally many steps from different starts, and with each phase left out."""
    ratio, steps = subject.ratio, subject.plan.steps
    left_out = {f"without phase {phase.name}": without(place, steps) for place, phase in enumerate(PHASES)}
    starts = {
        "greedy, solved": (Recipe(ratio), steps),
        "greedy, cut": (Recipe(ratio, refit=False), steps),
        "norm, solved": (Recipe(ratio, selection="norm"), steps),
        "random, solved": (Recipe(ratio, selection="random"), steps),
        **{name: (Recipe(ratio), others) for name, others in left_out.items()},
    }
    rows = []
    for name, (recipe, steps) in starts.items():
        made = compress(teacher, windows, recipe)
        train(teacher, made, subject, steps)
        tell(name)
        rows.append({"part": "trained", "what": name, "phase_steps": steps, **judge(made.student)})
    return rows


def without(place: int, steps: tuple[int, int, int]) -> tuple[int, int, int]:
    """A plan's steps with those of one phase given to the others in proportion."""
    left = sum(steps) - steps[place]
    shared = [0 if phase == place else round(count * sum(steps) / left) for phase, count in enumerate(steps)]
    return tuple(shared)


def train(teacher: StreamedDecoder, made: Made, subject: Subject, steps: tuple[int, int, int]) -> None:
    plan = dataclasses.replace(subject.plan, steps=steps)
    distill(made.student, School(teacher, list(subject.learnt), made.kept, plan), None, lambda *progress: None)


def load_shipped(path: Path) -> StreamedDecoder:
    """A decoder as its loader node reads it."""
    student, weights = student_of(load_file(path), path.name)
    student.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    return student.eval()


def tell(what: str) -> None:
    print(f"    {what}", file=sys.stderr, flush=True)
