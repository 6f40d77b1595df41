"""Every sampler of the host at half of the steps, forecasts repaired and not: which ones does the repair serve?

To sigma 0, and stopped at 70 % of the steps with the noise left in (a first expert's part). Errors are root mean square
over the latent, against the sampler's own run in full; `adapters/repaired.py` lists those that this says gain. Which
ones do is seen on some prompts, and those that do and add no noise are measured again on as many others.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import product

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

PROMPTS, STEPS, TARGET = 4, 20, 2.0
STOPPED = 0.7
FEW_STEPS = 4
# Small enough for 42 samplers in an hour on one core: pixels of the picture, latent of the clip.
SIDE, CLIP = 192, (1, 16, 5, 16, 16)
KEY = ("model", "sampler", "stopped", "prompt")


def measure(args: argparse.Namespace) -> None:
    names = [args.sampler] if args.sampler else [n for n in comfy.samplers.SAMPLER_NAMES if fixed_steps(n)]
    prompts = args.prompts or PROMPTS
    for kind in ("flux", "wan"):
        lines = Lines(args.out / f"{kind}_samplers.jsonl", KEY)
        demo = small(kind)
        for sampler, stopped in product(names, (False, True)):
            compare(demo, sampler, stopped, range(prompts), lines)
            if gains(told(sampler, stopped, list(lines), prompts)):
                compare(demo, sampler, stopped, range(prompts, 2 * prompts), lines)
        known = [name for name in comfy.samplers.SAMPLER_NAMES if any(line["sampler"] == name for line in lines)]
        rows = [told(sampler, stopped, list(lines), prompts) for sampler in known for stopped in (False, True)]
        about = {**describe(args.device), "model": demo.digest, "prompts": prompts, "steps": STEPS}
        levels = {"levels": levels_of(demo, False), "levels_stopped": levels_of(demo, True)}
        save(args.out / f"{kind}_samplers.json", {**about, "cfg": demo.kind.cfg, **levels, "rows": rows})


def levels_of(demo: Demo, stopped: bool) -> list[float]:
    """Sigmas of the runs."""
    sampling = demo.model.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", STEPS)
    return [round(sigma, 4) for sigma in (sigmas[: last_step() + 1] if stopped else sigmas).tolist()]


def last_step() -> int:
    return round(STOPPED * STEPS)


def fixed_steps(sampler: str) -> bool:
    return not sampler.startswith(ADAPTIVE_SAMPLERS)


def small(kind: str) -> Demo:
    if kind == "flux":
        return demo_models.load("flux", side=SIDE)
    demo = demo_models.load("wan")
    return replace(demo, kind=replace(demo.kind, latent=CLIP))


def compare(demo: Demo, sampler: str, stopped: bool, numbers: Iterable[int], lines: Lines) -> None:
    """One row a prompt: the errors with repair and without, at the same target."""
    how = Sampling(STEPS, sampler, demo.kind.cfg, last_step=last_step() if stopped else None)
    for number in numbers:
        text = demo.prompts(number + 1)[number]
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


def told(sampler: str, stopped: bool, lines: list[Row], prompts: int) -> Row:
    """Means over the first `prompts`; `ratio` below 1 where the repair gains, None where nothing was forecast.
    `held_out` is the same over the others, None where there are none."""
    rows = [row for row in lines if (row["sampler"], row["stopped"]) == (sampler, stopped)]
    first, others = ([row for row in rows if (row["prompt"] < prompts) is is_first] for is_first in (True, False))
    repaired, left = (mean([row[f"{name}_error"] for row in first]) for name in ("repaired", "left"))
    worst = max((row["repaired_error"] / row["left_error"] for row in rows if row["left_error"]), default=None)
    return {
        "sampler": sampler,
        "stopped": stopped,
        "finite": all(row["finite"] for row in rows) and math.isfinite(repaired + left),
        "share": round(mean([row["repaired_share"] for row in first]), 3),
        "repaired": round(repaired, 4),
        "left": round(left, 4),
        "ratio": ratio(first),
        "held_out": ratio(others),
        "worst_ratio": worst and round(worst, 3),
    }


def ratio(rows: list[Row]) -> float | None:
    """Mean error with the repair over that without; None where there is nothing to compare."""
    repaired, left = (sum(row[f"{name}_error"] for row in rows) for name in ("repaired", "left"))
    return round(repaired / left, 3) if left else None


def gains(row: Row) -> bool:
    """Whether the repair makes a sampler's runs closer, on the other prompts too where they were measured."""
    ratios = row["ratio"], row["held_out"]
    return bool(row["finite"] and row["ratio"]) and all(ratio is None or ratio < 1.0 for ratio in ratios)
