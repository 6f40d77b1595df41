"""Do a run's own measured errors tell how far its picture is from the run in full? PSNR and SSIM beside what a report
knows, from which `jano/show/risk.py` takes its words.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from itertools import product

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..jano.adapters.patch import schedule
from ..jano.adapters.settings import report_of
from ..jano.config import SchedulerConfig
from ..jano.presets import schedule_of
from ..jano.show.quality import psnr, ssim
from ..jano.show.report import RunReport
from . import demo_models
from .arms import QUALITIES
from .demo_models import Demo, Sampling
from .quality import HIGHEST_DB, loaded
from .records import Lines, Row

PROMPTS = 8
SIDE, FRAMES = {"flux": 256, "wan": 128}, 5
# Those that are repaired, one that is not, and one that adds noise.
SAMPLERS = ("euler", "dpmpp_2m", "uni_pc", "euler_ancestral")
STEPS = (20, 28)
TARGETS = (2.0, 4.0)
KEY = ("model", "sampler", "cfg", "steps", "setting", "prompt")


def measure(args: argparse.Namespace) -> None:
    demo, lines = bed(args), Lines(args.out / f"{args.model}_risk.jsonl", KEY)
    samplers = (args.sampler,) if args.sampler else SAMPLERS
    guidances = (args.cfg,) if args.cfg else tuple(dict.fromkeys((1.0, demo.kind.cfg)))
    texts = demo.prompts(args.prompts or PROMPTS)
    with torch.inference_mode():
        for sampler, cfg, steps in product(samplers, guidances, args.steps or STEPS):
            how = Sampling(steps, sampler, cfg)
            for seed, text in enumerate(texts):
                print(f"\r{sampler}, CFG {cfg:g}, {steps} steps, prompt {seed + 1}   ", end="", file=sys.stderr)
                compare(demo, lines, how, seed, text)
    print(file=sys.stderr)


def bed(args: argparse.Namespace) -> Demo:
    """The demo's model, at a size that takes seconds; or a bed of patches as it is."""
    if "patches" in args.model:
        return loaded(args)
    demo = demo_models.load(args.model, args.checkpoint, args.side or SIDE.get(args.model))
    if len(demo.kind.latent) < 5:
        return demo
    *before, _, rows, columns = demo.kind.latent
    return replace(demo, kind=replace(demo.kind, latent=(*before, FRAMES, rows, columns)))


def settings() -> dict[str, SchedulerConfig]:
    presets = {quality: schedule_of(quality, {}) for quality in QUALITIES}
    return presets | {f"target {times:g}x": SchedulerConfig(target_speedup=times) for times in TARGETS}


def compare(demo: Demo, lines: Lines, how: Sampling, seed: int, text: str) -> None:
    """All settings that are not in the file yet."""
    key = {"model": demo.digest, "sampler": how.sampler, "cfg": how.cfg, "steps": how.steps, "prompt": seed}
    missing = {name: made for name, made in settings().items() if lines.find({**key, "setting": name}) is None}
    full = demo.picture(demo.sample(text, seed, how)) if missing else None
    for name, made in missing.items():
        lines.add({**key, "setting": name, **judged(demo, schedule(demo.model, made), how, seed, text, full)})


def judged(demo: Demo, model: ModelPatcher, how: Sampling, seed: int, text: str, full: Tensor) -> Row:
    latent = demo.sample(text, seed, how, model=model)
    picture = demo.picture(latent)
    return {
        "psnr_db": round(min(HIGHEST_DB, psnr(full, picture).mean().item()), 2),
        "ssim": round(ssim(full, picture).mean().item(), 4),
        **known(report_of(model, latent)),
    }


def known(report: RunReport) -> Row:
    """What the run measured of itself."""
    return {
        "left": report.left,
        "picture_error": report.picture_error and round(report.picture_error, 5),
        "share": round(report.computed_token_fraction, 3),
        "largest_forecast_error": report.largest_forecast_error and round(report.largest_forecast_error, 4),
    }
