"""Which score tells moving tokens from resting ones after the warm-up: area under the ROC curve, on the tiny Wan.

A token moves in a frame when the finished clip differs there from the frame before or after. Clips in which nothing or
everything moves are left out. Beside it stands the rank correlation over regions with the true error of holding.
"""

from __future__ import annotations

import argparse

import torch

from ..jano.config import SCORES, AnalyzerConfig
from ..jano.levels.complexity import normalised_scores
from ..jano.levels.grid import TokenGrid
from . import demo_models
from .host import describe
from .records import Row, save
from .scores import runs
from .stats import auc, mean, spearman
from .trajectory import Trajectory
from .truth import hold_error, moving_tokens

PROMPTS = 6
WARMUPS = (3, 4)
WAYS = {
    **{name: AnalyzerConfig(score=name) for name in SCORES},
    **{f"contrast, temporal weight {w:g}": AnalyzerConfig(temporal_weight=w) for w in (0.0, 0.3, 0.5, 0.9, 1.0)},
    "contrast, holes filled": AnalyzerConfig(fill_holes=True),
}
# Latent cells per region: ours, larger ones, longer ones, and the authors'.
REGIONS = ((1, 4, 4), (1, 8, 8), (3, 4, 4), (7, 6, 8))


def measure(args: argparse.Namespace) -> None:
    count, steps = args.prompts or PROMPTS, (args.steps or [demo_models.KINDS["wan"].steps])[0]
    with torch.inference_mode():
        demo = demo_models.load("wan", args.checkpoint)
        found = runs(demo, args.out / "trajectories", count, steps, args.cfg or demo.kind.cfg)
        clips = [run for run in found if 0 < moving_tokens(run.x[-1], demo.grid).sum() < demo.grid.num_tokens]
        rows = [row for region in REGIONS for row in with_regions(clips, with_region(demo.grid, region), region)]
    about = {**describe(args.device), "model": demo.digest, "clips": len(clips), "steps": steps}
    save(args.out / "wan_motion.json", {**about, "rows": rows})


def with_region(grid: TokenGrid, region: tuple[int, int, int]) -> TokenGrid:
    return TokenGrid.with_region_cells(grid.latent, grid.patch, region)


def with_regions(clips: list[Trajectory], grid: TokenGrid, region: tuple[int, int, int]) -> list[Row]:
    return [
        {"way": name, "region": region, "warmup": warmup, **told(clips, grid, warmup, way)}
        for warmup in WARMUPS
        for name, way in WAYS.items()
    ]


def told(clips: list[Trajectory], grid: TokenGrid, warmup: int, way: AnalyzerConfig) -> Row:
    """Means over the clips."""
    scores = [normalised_scores([run.warmup(warmup)], grid, way)[0] for run in clips]
    moving = [moving_tokens(run.x[-1], grid) for run in clips]
    aucs = [auc(score[grid.region_of_token()], where) for score, where in zip(scores, moving, strict=True)]
    holding = [spearman(score, hold_error(run, grid, warmup)) for score, run in zip(scores, clips, strict=True)]
    return {"auc": round(mean(aucs), 3), "lowest_auc": round(min(aucs), 3), "hold_error": round(mean(holding), 3)}
