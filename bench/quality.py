"""How much of the full run's picture every way of saving keeps: PSNR over the share of FLOPs, same seeds."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import torch
from torch import Tensor

from ..jano.adapters.settings import NO_JANO_NODE, report_of
from ..jano.config import AnalyzerConfig, SchedulerConfig
from ..jano.levels.complexity import normalised_scores
from ..jano.levels.drawing import warmup_steps
from ..jano.levels.map import Level, LevelMap, classify
from ..jano.show.quality import psnr, ssim
from . import demo_models
from .arms import WITHOUT_TOKENS, Full, Setting, beside_rivals, paced, ranked, settings
from .demo_models import Demo, Outcome, Sampling
from .patches import bed
from .records import Lines, Row
from .trajectory import Trajectory, as_clip, sigmas_of, watched

PROMPTS = 4
KEY = ("model", "side", "steps", "sampler", "cfg", "prompt", "arm", "setting")
# Where pictures are equal.
HIGHEST_DB = 100.0


@dataclass(frozen=True)
class Reference:
    """A full run: its cost, its picture, what it went through, and the level map that its first steps give; the picture
    at the end of the exact path, where it was solved."""

    outcome: Outcome
    picture: Tensor
    full: Full
    levels: LevelMap
    exact: Tensor | None = None


def measure(args: argparse.Namespace) -> None:
    lines = Lines(args.out / file_of(args.model), KEY)
    with torch.inference_mode():
        demo = loaded(args)
        kind = demo.kind
        every = beside_rivals() if args.rivals else settings(kind.name, args.sweep)
        chosen = [s for s in every if not args.arms or s.arm in args.arms]
        for steps in args.steps or (kind.steps,):
            how = Sampling(steps, args.sampler or kind.sampler, args.cfg or kind.cfg)
            for seed, text in enumerate(demo.prompts(args.prompts or PROMPTS)):
                measure_prompt(demo, lines, how, chosen, seed, text)


def file_of(model: str) -> str:
    """Where a model's rows are; the beds of patches have their own file."""
    return "patches.jsonl" if model in WITHOUT_TOKENS else "quality.jsonl"


def loaded(args: argparse.Namespace) -> Demo:
    """The model that --model names."""
    if args.model in WITHOUT_TOKENS:
        return bed.load(args.model, args.side, args.shift, args.grain)
    return demo_models.load(args.model, args.checkpoint, args.side)


def measure_prompt(demo: Demo, lines: Lines, how: Sampling, chosen: list[Setting], seed: int, text: str) -> None:
    """All settings that are not in the file yet."""
    keys = [key_of(demo, how, setting, seed) for setting in chosen]
    missing = [(key, setting) for key, setting in zip(keys, chosen, strict=True) if lines.find(key) is None]
    if not missing:
        return
    reference = full_run(demo, how, seed, text)
    for number, (key, setting) in enumerate(missing, start=1):
        print(f"\r{how.steps} steps, prompt {seed + 1}: {number} of {len(missing)} settings", end="", file=sys.stderr)
        about = {"kind": demo.kind.name, "shift": demo.kind.shift, "grain": demo.kind.grain, "text": text}
        lines.add({**key, **about, **compare(demo, how, setting, seed, text, reference)})
    print(file=sys.stderr)


def key_of(demo: Demo, how: Sampling, setting: Setting, seed: int) -> Row:
    values = (demo.digest, demo.side, how.steps, how.sampler, how.cfg, seed, setting.arm, setting.name)
    return dict(zip(KEY, values, strict=True))


def full_run(demo: Demo, how: Sampling, seed: int, text: str) -> Reference:
    states: list[Tensor] = []
    outcome = demo_models.metered(demo, text, seed, how, watched(states))
    run = Trajectory(as_clip(torch.stack(states)), sigmas_of(demo, how.steps))
    full, picture = Full(run, demo.grid, seed), demo.picture(outcome.latent)
    return Reference(outcome, picture, full, levels_of(run, demo), exact(demo, how, seed, text))


def exact(demo: Demo, how: Sampling, seed: int, text: str) -> Tensor | None:
    """Where the path from this noise ends if its steps are made very short (Heun's, twice as many evaluations)."""
    if demo.kind.exact_steps is None:
        return None
    return demo.picture(demo.sample(text, seed, Sampling(demo.kind.exact_steps, "heun", how.cfg)))


def levels_of(run: Trajectory, demo: Demo) -> LevelMap:
    """The map that Jano's defaults draw in this run."""
    config = AnalyzerConfig()
    seen = run.warmup(warmup_steps(config.warmup, run.num_steps, config.score))
    return classify(normalised_scores([seen], demo.grid, config), demo.grid, SchedulerConfig())


def compare(demo: Demo, how: Sampling, setting: Setting, seed: int, text: str, reference: Reference) -> Row:
    steps = max(1, round(how.steps * setting.steps_share))
    spent = Sampling(steps, setting.sampler or how.sampler, how.cfg)
    model = setting.prepare(demo.model)
    with ranked(setting.ranking, reference.full), paced(setting.every):
        outcome = demo_models.metered(demo, text, seed, spent, model=model)
    report = report_of(model, outcome.latent)
    picture = demo.picture(outcome.latent)
    frames = psnr(reference.picture, picture)
    return {
        "flops_fraction": round(outcome.flops / reference.outcome.flops, 4),
        "psnr_db": close(reference.picture, picture),
        "worst_frame_db": round(min(HIGHEST_DB, frames.min().item()), 3),
        "exact_db": None if reference.exact is None else close(reference.exact, picture),
        "ssim": round(ssim(reference.picture, picture).mean().item(), 4),
        "motion_db": motion_psnr(reference.picture, picture),
        "latent_psnr_db": round(latent_psnr(reference.outcome.latent, outcome.latent), 3),
        "level_error": level_errors(reference, outcome.latent),
        "computed_token_fraction": round(report.computed_token_fraction, 4),
        "level_share": report.level_share,
        "native_because": [reason for reason in report.fallbacks if reason != NO_JANO_NODE],
        "seconds": round(outcome.seconds, 3),
    }


def close(reference: Tensor, picture: Tensor) -> float:
    """Mean PSNR over the frames in dB."""
    return round(min(HIGHEST_DB, psnr(reference, picture).mean().item()), 3)


def motion_psnr(reference: Tensor, picture: Tensor) -> float | None:
    """PSNR of the change from frame to frame in dB, None for pictures."""
    if picture.shape[0] == 1:
        return None
    return close(reference.diff(dim=0), picture.diff(dim=0))


def level_errors(reference: Reference, latent: Tensor) -> dict[str, float]:
    """Root mean square error of the latent over the cells of each convergence level."""
    square = (reference.outcome.latent - latent).float().square().mean((0, 1)).reshape(reference.levels.grid.latent)
    found = {}
    for level in Level:
        cells = reference.levels.grid.cells(reference.levels.mask(frozenset({level})))
        if bool(cells.any()):
            found[level.name.lower()] = round(square[cells].mean().sqrt().item(), 5)
    return found


def latent_psnr(reference: Tensor, latent: Tensor) -> float:
    """In dB, with the reference's range as its peak."""
    error = (reference - latent).double().square().mean().sqrt()
    peak = (reference.max() - reference.min()).double()
    return min(HIGHEST_DB, (20 * torch.log10(peak / error)).item()) if error > 0 else HIGHEST_DB
