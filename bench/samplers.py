"""Every sampler of the host at half of the steps, forecasts repaired and not: which ones does the repair serve?

To sigma 0, and stopped at 70 % of the steps with the noise left in (a first expert's part). Errors are root mean square
over the latent, against the sampler's own run in full; `adapters/sampling.py` lists those that this says gain.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..jano.adapters.patch import schedule
from ..jano.adapters.refusals import ADAPTIVE_SAMPLERS
from ..jano.adapters.settings import report_of
from ..jano.config import SchedulerConfig
from . import demo_models
from .demo_models import Demo, Sampling
from .host import describe
from .records import Lines, Row, save
from .stats import mean

PROMPTS, STEPS, TARGET = 6, 20, 2.0
STOPPED = 0.7
# Small enough for 42 samplers in an hour on one core: pixels of the picture, latent of the clip.
SIDE, CLIP = 192, (1, 16, 5, 16, 16)
KEY = ("model", "sampler", "stopped", "prompt")


def measure(args: argparse.Namespace) -> None:
    names = [args.sampler] if args.sampler else [n for n in comfy.samplers.SAMPLER_NAMES if fixed_steps(n)]
    for kind in ("flux", "wan"):
        lines = Lines(args.out / f"{kind}_samplers.jsonl", KEY)
        demo = small(kind)
        for sampler in names:
            for stopped in (False, True):
                compare(demo, sampler, stopped, args.prompts or PROMPTS, lines)
        known = [name for name in comfy.samplers.SAMPLER_NAMES if any(line["sampler"] == name for line in lines)]
        rows = [told(sampler, stopped, list(lines)) for sampler in known for stopped in (False, True)]
        about = {**describe(args.device), "model": demo.digest, "prompts": args.prompts or PROMPTS, "steps": STEPS}
        save(args.out / f"{kind}_samplers.json", {**about, "cfg": demo.kind.cfg, "rows": rows})


def fixed_steps(sampler: str) -> bool:
    return not sampler.startswith(ADAPTIVE_SAMPLERS)


def small(kind: str) -> Demo:
    if kind == "flux":
        return demo_models.load("flux", side=SIDE)
    demo = demo_models.load("wan")
    return replace(demo, kind=replace(demo.kind, latent=CLIP))


def compare(demo: Demo, sampler: str, stopped: bool, prompts: int, lines: Lines) -> None:
    """One row a prompt: the errors with repair and without, at the same target."""
    how = Sampling(STEPS, sampler, demo.kind.cfg, last_step=round(STOPPED * STEPS) if stopped else None)
    for number, text in enumerate(demo.prompts(prompts)):
        row = {"model": demo.digest, "sampler": sampler, "stopped": stopped, "prompt": number}
        if lines.find(row) is not None:
            continue
        with torch.inference_mode():
            full = demo.sample(text, number, how)
            sides = {name: spent(demo, text, number, how, full, name == "repaired") for name in ("repaired", "left")}
        lines.add(
            {**row, "finite": bool(full.isfinite().all()), **{k: v for s in sides.values() for k, v in s.items()}}
        )


def spent(demo: Demo, text: str, seed: int, how: Sampling, full: Tensor, repaired: bool) -> Row:
    model = halved(demo.model, repaired)
    found = demo.sample(text, seed, how, model=model)
    name = "repaired" if repaired else "left"
    error = (found - full).square().mean().sqrt().item()
    return {f"{name}_error": error, f"{name}_share": report_of(model, found).computed_token_fraction}


def halved(model: ModelPatcher, repaired: bool) -> ModelPatcher:
    return schedule(model, SchedulerConfig(target_speedup=TARGET, correct=repaired))


def told(sampler: str, stopped: bool, lines: list[Row]) -> Row:
    """Means over the prompts; `ratio` below 1 where the repair gains, None where nothing was forecast."""
    rows = [row for row in lines if (row["sampler"], row["stopped"]) == (sampler, stopped)]
    repaired, left = (mean([row[f"{name}_error"] for row in rows]) for name in ("repaired", "left"))
    worst = max((row["repaired_error"] / row["left_error"] for row in rows if row["left_error"]), default=None)
    return {
        "sampler": sampler,
        "stopped": stopped,
        "finite": all(row["finite"] for row in rows) and math.isfinite(repaired + left),
        "share": round(mean([row["repaired_share"] for row in rows]), 3),
        "repaired": round(repaired, 4),
        "left": round(left, 4),
        "ratio": round(repaired / left, 3) if left else None,
        "worst_ratio": worst and round(worst, 3),
    }
