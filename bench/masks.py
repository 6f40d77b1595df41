"""Painting into a finished picture: how close *balanced* comes inside of the mask, repaired there and not.

Hard masks of 6, 25 and 60 % of the picture, a soft one, and that under DifferentialDiffusion. PSNR over the latent's
painted cells, against the sampler's own run in full.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace

import comfy.sample
import torch
from comfy.model_patcher import ModelPatcher
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from torch import Tensor

from ..jano.adapters.patch import schedule
from ..jano.adapters.settings import report_of
from ..jano.presets import schedule_of
from . import demo_models
from .demo_models import Demo, Sampling
from .host import describe
from .records import Lines, Row, save
from .stats import mean

PROMPTS, STEPS, SIDE = 16, 28, 192
PAINTED_INTO = 24  # line of the prompt whose pictures, of other seeds, are painted into
HELD_OUT = 24  # lines from which on no prompt was seen when the tolerance under a mask was chosen
# Share of the picture, whether it fades out, strength of DifferentialDiffusion (0: without).
MASKS = (
    (0.06, False, 0.0),
    (0.25, False, 0.0),
    (0.6, False, 0.0),
    (0.25, True, 0.0),
    (0.25, True, 0.5),
    (0.25, True, 1.0),
)
PEAK = 5.0  # times the root mean square: about where latents end
KEY = ("model", "share_painted", "soft", "differential", "cfg", "repaired", "prompt")


def measure(args: argparse.Namespace) -> None:
    demo, lines = demo_models.load("flux", side=SIDE), Lines(args.out / "flux_masks.jsonl", KEY)
    count, into = args.prompts or PROMPTS, demo.prompts(PAINTED_INTO + 1)[-1]
    for number, text in enumerate(demo.prompts(count)):
        with torch.inference_mode():
            start = demo.sample(into, 1000 + number, Sampling(20, "euler", demo.kind.cfg))
            for kind in MASKS:
                for cfg in (1.0, 4.0):
                    compare(demo, kind, cfg, number, text, start, lines)
    about = {**describe(args.device), "model": demo.digest, "prompts": count, "steps": STEPS}
    rows = [row for row in lines if row["prompt"] < count]
    held_out = [row for row in rows if row["prompt"] >= HELD_OUT]
    save(args.out / "flux_masks.json", {**about, "rows": told(rows), "held_out": told(held_out)})


def mask_of(share: float, soft: bool) -> Tensor:
    """(1, 1, height, width) in pixels: a square in the middle, or a disc that fades out."""
    line = torch.linspace(-1.0, 1.0, SIDE)
    if soft:
        return (1.5 - 1.2 * (line[:, None] ** 2 + line[None] ** 2).sqrt() / math.sqrt(share) / 2).clamp(0.0, 1.0)[
            None, None
        ]
    inside = line.abs() <= math.sqrt(share)
    return (inside[:, None] & inside[None]).float()[None, None]


def compare(demo: Demo, kind: tuple, cfg: float, number: int, text: str, start: Tensor, lines: Lines) -> None:
    share, soft, strength = kind
    row = {"model": demo.digest, "share_painted": share, "soft": soft, "differential": strength, "cfg": cfg}
    if lines.find({**row, "repaired": True, "prompt": number}) is not None:
        return
    mask = mask_of(share, soft)
    model = DifferentialDiffusion.execute(demo.model, strength).args[0] if strength else demo.model
    full = painted(demo, model, mask, cfg, number, text, start)
    inside = (torch.nn.functional.interpolate(mask, full.shape[-2:], mode="bilinear") > 0).expand_as(full)
    for repaired in (True, False):
        quality = schedule_of("balanced", {})
        accelerated = schedule(model, quality if repaired else replace(quality, correct=False))
        found = painted(demo, accelerated, mask, cfg, number, text, start)
        cost = report_of(accelerated, found).computed_token_fraction
        near, kept = psnr(found, full, inside), (found - start)[~inside].abs().max().item() if (~inside).any() else 0.0
        lines.add({**row, "repaired": repaired, "prompt": number, "psnr": near, "share": cost, "outside": kept})


def painted(demo: Demo, model: ModelPatcher, mask: Tensor, cfg: float, seed: int, text: str, start: Tensor) -> Tensor:
    noise = comfy.sample.prepare_noise(start, seed)
    sides = demo.kind.conditioning(text), demo.kind.conditioning("")
    options = {"disable_pbar": True, "seed": seed, "noise_mask": mask}
    return comfy.sample.sample(model, noise, STEPS, cfg, "euler", "simple", *sides, start, **options)


def psnr(found: Tensor, full: Tensor, inside: Tensor) -> float:
    error, peak = (found - full)[inside].square().mean().item(), PEAK**2 * full[inside].square().mean().item()
    return 10 * math.log10(peak / max(error, 1e-12))


def told(lines: list[Row]) -> list[Row]:
    """Means over the prompts, and the worst one."""
    cases = dict.fromkeys(tuple(row[name] for name in KEY[1:-1]) for row in lines)
    rows = {case: [row for row in lines if tuple(row[name] for name in KEY[1:-1]) == case] for case in cases}
    return [
        {
            **dict(zip(KEY[1:-1], case, strict=True)),
            "share": round(mean([row["share"] for row in found]), 3),
            "psnr": round(mean([row["psnr"] for row in found]), 1),
            "worst": round(min(row["psnr"] for row in found), 1),
            "outside": max(row["outside"] for row in found),
            "prompts": len(found),
        }
        for case, found in sorted(rows.items())
    ]
