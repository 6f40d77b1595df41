"""From how many steps does *balanced* gain? Short runs, and second passes that start from a picture (hires fix).

Errors are root mean square over the latent against the sampler's own run in full: with the preset, and with as many
steps as the preset computed, rounded up. `adapters/refusals.py` has the limit that follows.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

import comfy.sample
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..jano.adapters.patch import schedule
from ..jano.adapters.settings import report_of
from ..jano.presets import schedule_of
from .demo_models import Demo, Sampling
from .host import describe
from .records import Lines, Row, save
from .samplers import small
from .stats import mean

PROMPTS = 3
SAMPLERS = ("euler", "heun", "dpmpp_2m", "uni_pc", "res_multistep", "euler_ancestral")
STEPS = tuple(range(4, 15))
DENOISE, PASS_STEPS = (0.2, 0.35, 0.5), (8, 12, 20)
KEY = ("model", "sampler", "cfg", "denoise", "steps", "prompt")


@dataclass(frozen=True)
class Case:
    """`denoise` 1 starts from noise; less, from a finished picture with that much noise, as KSampler has it."""

    sampler: str
    cfg: float
    denoise: float
    steps: int


def cases(kind: str, only: str | None) -> Iterator[Case]:
    for sampler in (only,) if only else SAMPLERS:
        for cfg in (1.0, 4.0 if kind == "flux" else 5.0):
            yield from (Case(sampler, cfg, 1.0, steps) for steps in STEPS)
            yield from (Case(sampler, cfg, denoise, steps) for denoise in DENOISE for steps in PASS_STEPS)


def measure(args: argparse.Namespace) -> None:
    for kind in ("flux", "wan"):
        lines, demo = Lines(args.out / f"{kind}_short_runs.jsonl", KEY), small(kind)
        started_from = pictures(demo, args.prompts or PROMPTS)
        for case in cases(kind, args.sampler):
            for number, text in enumerate(demo.prompts(args.prompts or PROMPTS)):
                compare(demo, case, number, text, started_from[number], lines)
        told = [summary(case, list(lines)) for case in cases(kind, None)]
        about = {**describe(args.device), "model": demo.digest, "prompts": args.prompts or PROMPTS}
        save(args.out / f"{kind}_short_runs.json", {**about, "rows": [row for row in told if row]})


def pictures(demo: Demo, count: int) -> list[Tensor]:
    """What second passes start from: finished latents of other seeds."""
    how = Sampling(20, "euler", demo.kind.cfg)
    with torch.inference_mode():
        return [demo.sample(text, 1000 + number, how) for number, text in enumerate(demo.prompts(count))]


def compare(demo: Demo, case: Case, number: int, text: str, start: Tensor, lines: Lines) -> None:
    row = {"model": demo.digest, **vars(case), "prompt": number}
    if lines.find(row) is not None:
        return
    model = schedule(demo.model, schedule_of("balanced", {}))
    with torch.inference_mode():
        full = sampled(demo, demo.model, case, case.steps, number, text, start)
        found = sampled(demo, model, case, case.steps, number, text, start)
        share = report_of(model, found).computed_token_fraction
        as_many = math.ceil(share * case.steps - 1e-6)
        fewer = full if as_many == case.steps else sampled(demo, demo.model, case, as_many, number, text, start)
    lines.add({**row, "share": share, "error": error(found, full), "fewer_error": error(fewer, full)})


def sampled(demo: Demo, model: ModelPatcher, case: Case, steps: int, seed: int, text: str, start: Tensor) -> Tensor:
    latent = torch.zeros_like(start) if case.denoise == 1.0 else start
    noise = comfy.sample.prepare_noise(latent, seed)
    sides = demo.kind.conditioning(text), demo.kind.conditioning("")
    options = {"disable_pbar": True, "seed": seed, "denoise": case.denoise}
    return comfy.sample.sample(model, noise, steps, case.cfg, case.sampler, "simple", *sides, latent, **options)


def error(found: Tensor, full: Tensor) -> float:
    return (found - full).square().mean().sqrt().item()


def summary(case: Case, lines: list[Row]) -> Row | None:
    """Means over the prompts; `gains` where something was left out, and in the mean it came closer than fewer steps."""
    rows = [row for row in lines if all(row[name] == value for name, value in vars(case).items())]
    if not rows:
        return None
    share, off, fewer = (mean([row[name] for row in rows]) for name in ("share", "error", "fewer_error"))
    better = [row["error"] < row["fewer_error"] for row in rows if row["share"] < 1.0]
    return {
        **vars(case),
        "share": round(share, 3),
        "error": round(off, 4),
        "fewer_error": round(fewer, 4),
        "better": f"{sum(better)} of {len(better)}",
        "gains": share < 1.0 and off < fewer,
    }
