"""Are the beds as hard as real models? Their trajectories, measured as published ones were (real_trajectories.json)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import comfy.sample
import comfy.samplers
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from . import demo_models
from .demo_models import Demo, Sampling
from .host import describe
from .patches import bed
from .records import load, save
from .stats import mean

SIGMAS = (0.99, 0.97, 0.95, 0.9, 0.8, 0.7, 0.5, 0.3, 0.1)
PROMPTS, STEPS = 4, 50
# (rows, tokens, width): hidden state before the first block, after the last.
States = tuple[Tensor, Tensor]
# What is measured: the model, its CFG and its grain where they are not its own.
BEDS = (
    ("flux", None, None),
    ("wan", None, None),
    ("patches", None, None),
    ("patches", 1.0, None),
    ("patches", None, 0.0),
    ("patches", 1.0, 0.0),
)
# Small enough for a loaded core: sides in pixels.
SIDES = {"flux": 256, "wan": 128}


def measure(args: argparse.Namespace) -> None:
    """One entry for every bed; those that the file has of the same checkpoint are kept."""
    path = args.out / "calibration.json"
    known = load(path) or {"beds": []}
    found = []
    for name, cfg, grain in BEDS:
        demo = loaded(name, grain)
        cfg = demo.kind.cfg if cfg is None else cfg
        about = {"kind": name, "model": demo.digest, "cfg": cfg, "side": demo.side, "prompts": args.prompts or PROMPTS}
        kept = [entry for entry in known["beds"] if about.items() <= entry.items()]
        values = kept[0] if kept else measured(demo, cfg, args.prompts or PROMPTS)
        found.append({**values, **about, "grain": demo.kind.grain})
        save(path, {**describe(args.device), "steps": STEPS, "beds": found})


def loaded(name: str, grain: float | None) -> Demo:
    return bed.load(name, grain=grain) if name == "patches" else demo_models.load(name, side=SIDES[name])


def measured(demo: Demo, cfg: float, prompts: int) -> dict[str, object]:
    """Means over the prompts, and the spread of the change per step."""
    errors, asked, variances, changes, ratios = [], [], [], [], []
    with torch.inference_mode():
        for seed, text in enumerate(demo.prompts(prompts)):
            print(
                f"\r{demo.kind.name}, CFG {cfg:g}: prompt {seed + 1} of {prompts}", end="", file=sys.stderr, flush=True
            )
            with watching(demo) as seen:
                end = demo.sample(text, seed, Sampling(STEPS, demo.kind.sampler, cfg))
            change, ratio = changes_of(seen, len(seen) // STEPS)
            changes.append(change)
            ratios.append(ratio)
            variances.append(end.var().item())
            errors.append([x0_error(demo, text, seed, cfg, end, sigma) for sigma in SIGMAS])
            asked.append([x0_error(demo, text, seed, 1.0, end, sigma) for sigma in SIGMAS])
    print(file=sys.stderr)
    return {
        "sigmas": SIGMAS,
        "x0_error": over_prompts(errors, mean(variances)),
        "x0_error_unguided": over_prompts(asked, mean(variances)),
        "change_per_step": over_prompts(changes),
        "change_sd": [round(torch.tensor(column).std().item(), 4) for column in zip(*changes, strict=True)],
        "residual_ratio": over_prompts(ratios),
    }


def over_prompts(rows: list[list[float]], unit: float = 1.0) -> list[float]:
    return [round(mean(column) / unit, 5) for column in zip(*rows, strict=True)]


def x0_error(demo: Demo, text: str, seed: int, cfg: float, end: Tensor, sigma: float) -> float:
    """Mean square error of the x0 that the model sees in the noised finished latent."""
    noise = comfy.sample.prepare_noise(end, 1000 + seed)
    sides = demo.kind.conditioning(text), demo.kind.conditioning("")
    sigmas = torch.tensor([sigma, 0.0])
    euler = comfy.samplers.sampler_object("euler")
    seen = comfy.sample.sample_custom(demo.model, noise, cfg, euler, sigmas, *sides, end, disable_pbar=True, seed=seed)
    return (seen - end).square().mean().item()


@contextmanager
def watching(demo: Demo) -> Iterator[list[States]]:
    """Collects the states of every call while open; the closed form has no blocks, and its output counts instead."""
    network, seen = demo.model.model.diffusion_model, []
    hooks = answers(network, seen) if demo.kind.name == "patches" else ends(network, demo.kind.name, seen)
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def ends(network: nn.Module, name: str, seen: list[States]) -> list[RemovableHandle]:
    """Of a transformer: what enters its first block, and what leaves the last."""
    first: list[Tensor] = []
    begin, end = ("img_in", "final_layer") if name == "flux" else ("patch_embedding", "head")

    def entered(module: nn.Module, args: tuple, output: Tensor) -> None:
        first[:] = [as_tokens(output)]

    def left(module: nn.Module, args: tuple) -> None:
        seen.append((first[0], as_tokens(args[0])))

    return [
        getattr(network, begin).register_forward_hook(entered),
        getattr(network, end).register_forward_pre_hook(left),
    ]


def answers(network: nn.Module, seen: list[States]) -> list[RemovableHandle]:
    """Of the closed form: nothing, and its output in tokens of 2 x 2 pixels."""

    def answered(module: nn.Module, args: tuple, output: Tensor) -> None:
        tokens = as_tokens(nn.functional.pixel_unshuffle(output, 2))
        seen.append((torch.zeros_like(tokens), tokens))

    return [network.register_forward_hook(answered)]


def as_tokens(hidden: Tensor) -> Tensor:
    """(rows, tokens, width), also of what still is (rows, width, frames, height, width)."""
    return (hidden if hidden.ndim == 3 else hidden.flatten(2).mT).float().clone()


def changes_of(seen: list[tuple[Tensor, Tensor]], calls: int) -> tuple[list[float], list[float]]:
    """Relative L1 change of the last hidden state from step to step (the worse of the conditionings), and the mean over
    tokens of the residual norm's ratio to the step before."""
    steps = [
        [torch.cat(parts) for parts in zip(*seen[at : at + calls], strict=True)] for at in range(0, len(seen), calls)
    ]
    changes, ratios = [], []
    for (before_first, before_last), (first, last) in zip(steps, steps[1:], strict=False):
        apart = (last - before_last).abs().mean((1, 2)) / before_last.abs().mean((1, 2))
        changes.append(apart.max().item())
        ratio = (last - first).norm(dim=-1) / (before_last - before_first).norm(dim=-1)
        ratios.append(ratio.mean().item())
    return changes, ratios
