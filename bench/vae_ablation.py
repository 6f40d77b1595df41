"""What each part of making a fast decoder is worth, on the demo's tiny Wan VAE and clips that it was not trained on.

Channels chosen at random, by the norm of their kernels, or greedily; layers cut out of the teacher's or solved; every
phase of the training left out in turn, its steps given to the others; and the decoder that the demo ships.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
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
from ..flash_vaed.wan import WanStudent
from ..flash_vaed.wan_teacher import teacher_from
from ..host.location import ROOT
from .host import describe
from .records import Row, digest, save

VAE = ROOT / "demo" / "models" / "jano_tiny_wan_vae.safetensors"
SHIPPED = VAE.with_name("jano_tiny_wan_fast_decoder.safetensors")
LEARNT, HELD = (64, 21), (12, 12)
"""Clips and seed; the shipped decoder's own training clips have the seed 11."""
RATIO = (0.25, 0.5)
PLAN = Plan(steps=(40, 40, 120), rate=1e-3, batch=4, size=Size(side=6, frames=3))
CALIBRATION = 48
BATCH = 4


def measure(args: argparse.Namespace) -> None:
    torch.manual_seed(0)
    teacher = teacher_from(load_file(VAE)).to(args.device)
    learnt = clips_of(args.out, *LEARNT)["latents"]
    held = clips_of(args.out, *HELD)
    judge = Judge(teacher, held)
    windows = cut_windows(list(learnt), CALIBRATION, PLAN.size, torch.Generator().manual_seed(0))
    windows = list(windows.to(args.device).split(BATCH))
    rows = [*selections(teacher, windows, judge), *trainings(teacher, windows, list(learnt), judge)]
    if SHIPPED.exists():
        shipped = load_shipped().to(args.device)
        rows.append({"part": "shipped", "what": SHIPPED.name, **judge(shipped), **costs(teacher, shipped)})
    about = {
        **describe(args.device),
        "model": digest(VAE),
        "teacher_psnr_db": judge.teacher_psnr,
        "steps": sum(PLAN.steps),
    }
    small = compress(teacher, windows, Recipe(RATIO, refit=False)).student
    save(args.out / "vae_ablation.json", {**about, "held": HELD[0], **costs(teacher, small), "rows": rows})


def clips_of(out: Path, count: int, seed: int) -> dict[str, Tensor]:
    """Frames and latents of drawn clips, from disk if they were drawn before."""
    path = out / f"vae_clips_{count}_{seed}.safetensors"
    if not path.exists():
        draw = [ROOT / "demo" / "student_clips.py", "--count", count, "--seed", seed, "--out", path]
        subprocess.run([sys.executable, *map(str, draw)], check=True)
    return load_file(path)


class Judge:
    """Measures decoders on held-out clips: against the teacher, and both against what was drawn."""

    def __init__(self, teacher: WanStudent, held: dict[str, Tensor]) -> None:
        self.latents = held["latents"]
        self.truth = pictures(held["frames"].permute(0, 4, 1, 2, 3).float() / 127.5 - 1)
        self.reference = frames_of(teacher, self.latents, BATCH)
        self.teacher_psnr = round(float(psnr(self.truth, self.reference).mean()), 2)

    def __call__(self, student: WanStudent) -> Row:
        frames = frames_of(student, self.latents, BATCH)
        truth = float(psnr(self.truth, frames).mean())
        kept = {"truth_psnr_db": round(truth, 2), "kept": round(truth / self.teacher_psnr, 4)}
        return closeness(self.reference, frames) | kept


def selections(teacher: WanStudent, windows: list[Tensor], judge: Judge) -> list[Row]:
    """Every way of choosing channels with both ways of setting the layers, without training."""
    rows = []
    for selection in SELECTIONS:
        for refit in (False, True):
            made = compress(teacher, windows, Recipe(RATIO, selection=selection, refit=refit))
            tell(f"{selection}, {'solved' if refit else 'cut'}")
            row = {"part": "start", "selection": selection, "refit": refit, **judge(made.student)}
            rows.append(row | {"explained": round(min(made.explained.values()), 4)})
    return rows


def trainings(teacher: WanStudent, windows: list[Tensor], clips: list[Tensor], judge: Judge) -> list[Row]:
    """Equally many steps from different starts, and with each phase left out."""
    starts = {
        "greedy, solved": (Recipe(RATIO), PLAN.steps),
        "greedy, cut": (Recipe(RATIO, refit=False), PLAN.steps),
        "norm, solved": (Recipe(RATIO, selection="norm"), PLAN.steps),
        "random, solved": (Recipe(RATIO, selection="random"), PLAN.steps),
        **{f"without phase {phase.name}": (Recipe(RATIO), without(place)) for place, phase in enumerate(PHASES)},
    }
    rows = []
    for name, (recipe, steps) in starts.items():
        made = compress(teacher, windows, recipe)
        train(teacher, made, clips, steps)
        tell(name)
        rows.append({"part": "trained", "what": name, "phase_steps": steps, **judge(made.student)})
    return rows


def without(place: int) -> tuple[int, int, int]:
    """The plan's steps with those of one phase given to the others in proportion."""
    steps = list(PLAN.steps)
    left = sum(steps) - steps[place]
    shared = [0 if phase == place else round(count * sum(steps) / left) for phase, count in enumerate(steps)]
    return tuple(shared)


def train(teacher: WanStudent, made: Made, clips: list[Tensor], steps: tuple[int, int, int]) -> None:
    plan = Plan(steps, PLAN.rate, PLAN.batch, PLAN.size)
    distill(made.student, School(teacher, clips, made.kept, plan), None, lambda *progress: None)


def load_shipped() -> WanStudent:
    """The demo's decoder as its loader node reads it."""
    student, weights = student_of(load_file(SHIPPED), SHIPPED.name)
    student.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    return student.eval()


def tell(what: str) -> None:
    print(f"    {what}", file=sys.stderr, flush=True)
