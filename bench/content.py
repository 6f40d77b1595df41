"""Does the speed-up follow the content (paper, Fig. 9)? Still, busy still and moving clips of the tiny Wan.

Nothing is decoded: closeness is that of the latents. Seconds are processor time, which other work on the machine does
not change.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..jano.adapters.patch import schedule
from ..jano.adapters.settings import report_of
from ..jano.levels.map import Level
from ..jano.presets import schedule_of
from . import demo_models
from .arms import configured
from .demo_models import Demo, Sampling
from .host import describe
from .published import as_published
from .quality import latent_psnr
from .records import Row, save
from .truth import moving_tokens

# The moving scenes are the busy ones with other words for how their things move.
PROMPTS = {
    "still": (
        "white plain ball still, day sky, snow, still camera",
        "red plain tent still, night sky, snow, still camera",
    ),
    "busy still": (
        "red checked house still, yellow dotted tent still, brick wall, checkered floor, still camera",
        "blue striped tower still, orange wavy tree still, dotted wall, sea, still camera",
    ),
    "moving": (
        "red checked house moving left, yellow dotted tent bouncing, brick wall, checkered floor, still camera",
        "blue striped tower moving right, orange wavy tree growing, dotted wall, sea, still camera",
    ),
}
# What the paper's Fig. 9 reports for its three scenes.
PAPER = {"still": 2.5, "busy still": 2.1, "moving": 1.8}
PUBLISHED_POINT = "1.3B 2.25x"
ARMS = {
    "balanced": lambda model: schedule(model, schedule_of("balanced", {}), preset=True),
    "as published": configured(*as_published("wan", PUBLISHED_POINT)),
}


@dataclass(frozen=True)
class Reference:
    """The full run of a prompt: its latent, its processor seconds, and which tokens (num_tokens,) move in it."""

    latent: Tensor
    seconds: float
    moving: Tensor


def measure(args: argparse.Namespace) -> None:
    count, steps = args.prompts or 2, (args.steps or [demo_models.KINDS["wan"].steps])[0]
    with torch.inference_mode():
        demo = demo_models.load("wan", args.checkpoint)
        how = Sampling(steps, args.sampler or demo.kind.sampler, args.cfg or demo.kind.cfg)
        rows = [row for kind in PROMPTS for row in of_kind(demo, how, kind, count)]
    about = {**describe(args.device), "model": demo.digest, "steps": steps, "sampler": how.sampler, "cfg": how.cfg}
    save(args.out / "wan_content.json", {**about, "published_point": PUBLISHED_POINT, "paper": PAPER, "rows": rows})


def of_kind(demo: Demo, how: Sampling, kind: str, count: int) -> list[Row]:
    rows = []
    for seed, text in enumerate(PROMPTS[kind][:count]):
        reference = full_run(demo, how, text, seed)
        for arm, prepare in ARMS.items():
            found = account(demo, how, text, seed, prepare(demo.model), reference)
            print(f"{kind} {seed + 1}, {arm}: {found['computed']:.1%} computed", file=sys.stderr, flush=True)
            rows.append({"kind": kind, "prompt": text, "arm": arm, **found})
    return rows


def timed(demo: Demo, how: Sampling, text: str, seed: int, model: ModelPatcher | None = None) -> tuple[Tensor, float]:
    """Stored latent and processor seconds."""
    started = time.process_time()
    return demo.sample(text, seed, how, model=model), time.process_time() - started


def full_run(demo: Demo, how: Sampling, text: str, seed: int) -> Reference:
    latent, seconds = timed(demo, how, text, seed)
    return Reference(latent, seconds, moving_tokens(demo.model.model.process_latent_in(latent)[0], demo.grid))


def account(demo: Demo, how: Sampling, text: str, seed: int, model: ModelPatcher, full: Reference) -> Row:
    """One prompt under one arm; `computed_of_moving` is the share of the moving tokens' steps, `active_of_moving` the
    share of active ones among them."""
    latent, seconds = timed(demo, how, text, seed, model)
    report = report_of(model, latent)
    active = report.level_map.mask(frozenset({Level.ACTIVE}))
    everything = torch.ones_like(full.moving)
    masks = [everything if step.computed is None else step.computed.flatten() for step in report.steps]
    computed = torch.stack(masks).float().mean(0)
    return {
        "computed": round(report.computed_token_fraction, 4),
        "seconds": round(seconds, 1),
        "speedup": round(full.seconds / seconds, 3),
        "spread": round(report.spread, 2),
        "latent_psnr_db": round(latent_psnr(full.latent, latent), 2),
        "moving": round(float(full.moving.float().mean()), 3),
        "computed_of_moving": share_in(computed, full.moving),
        "computed_of_resting": share_in(computed, ~full.moving),
        "active_of_moving": share_in(active, full.moving),
        "active_of_resting": share_in(active, ~full.moving),
        "level_share": report.level_share,
    }


def share_in(chosen: Tensor, where: Tensor) -> float | None:
    """Share of `where` that is chosen; None where there is none."""
    return round(float(chosen[where].float().mean()), 3) if where.any() else None
