"""Which score foretells best: rank correlation over regions of every score with every truth, over many prompts."""

from __future__ import annotations

import argparse
import sys
from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor

from ..jano.levels.grid import TokenGrid
from . import demo_models
from .candidates import CANDIDATES, EXISTING
from .demo_models import Demo
from .host import describe
from .records import save
from .stats import mean, quantile, spearman, worst_decile
from .trajectory import Trajectory, recorded
from .truth import TRUTHS

WARMUPS = (3, 4, 6)
PROMPTS = 24
STEPS = 28


def measure(args: argparse.Namespace) -> None:
    count, steps = args.prompts or PROMPTS, (args.steps or [STEPS])[0]
    with torch.inference_mode():
        demo = demo_models.load("flux", args.checkpoint)
        grid = demo.grid
        tables = [
            correlations(run, grid)
            for run in runs(demo, args.out / "trajectories", count, steps, args.cfg or demo.kind.cfg)
        ]
    merged = {key: [table[key] for table in tables] for key in tables[0]}
    rows = [dict(zip(("score", "warmup", "truth"), key, strict=True), **summary(merged[key])) for key in merged]
    about = {
        **describe(args.device),
        "model": demo.digest,
        "prompts": count,
        "steps": steps,
        "cfg": args.cfg or demo.kind.cfg,
    }
    save(args.out / "scores.json", {**about, "regions": list(grid.regions), "rows": rows})


def runs(demo: Demo, folder: Path, count: int, steps: int, cfg: float) -> list[Trajectory]:
    """Full runs of the first prompts; the line number is the seed."""
    found = []
    for seed, text in enumerate(demo.prompts(count)):
        print(f"\rfull run {seed + 1} of {count}", end="", file=sys.stderr, flush=True)
        found.append(recorded(demo, folder, text, seed, steps, cfg))
    print(file=sys.stderr)
    return found


def correlations(run: Trajectory, grid: TokenGrid) -> dict[tuple[str, int, str], float]:
    """Per (score, warm-up, truth); truths against each other stand under warm-up 0, and so does their spread."""
    truths = {name: truth(run, grid) for name, truth in TRUTHS.items()}
    table = {(first, 0, second): spearman(truths[first], truths[second]) for first, second in combinations(truths, 2)}
    table |= {("spread 90:10", 0, name): spread(truths[name]) for name in truths}
    for warmup in WARMUPS:
        for name, score in (EXISTING | CANDIDATES).items():
            values = score(run, grid, warmup)
            table |= {(name, warmup, truth): spearman(values, truths[truth]) for truth in truths}
    return table


def spread(values: Tensor) -> float:
    """90th over 10th percentile of the regions: how uneven a picture is."""
    return quantile(values.tolist(), 0.9) / max(quantile(values.tolist(), 0.1), 1e-9)


def summary(values: list[float]) -> dict[str, float]:
    deviation = torch.tensor(values).std(correction=0).item()
    return {"mean": mean(values), "sd": deviation, "worst_decile": worst_decile(values)}
