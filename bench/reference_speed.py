"""What a step costs that computes its references and keeps them, and one that sees them through what was kept.

At 2304 tokens of the picture and as many of a reference, against the same step without Jano, in turn in one process.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..jano.adapters.patch import schedule
from ..jano.config import ReferenceConfig
from ..jano.presets import schedule_of
from . import random_flux
from .host import describe
from .records import save
from .stats import median
from .timing import timer

CELLS = 96
SIGMAS = (0.8, 0.6, 0.4, 0.2, 0.0)


def measure(args: argparse.Namespace) -> None:
    size = random_flux.FLUX1 if args.device == "cuda" else random_flux.SMALL
    model = random_flux.load(size, args.device)
    seconds: dict[str, list[float]] = {"native": [], "stored": [], "frozen": []}
    with torch.inference_mode():
        sampled(model, size, partial(rounds, args.rounds, timer(args.device), seconds))
    usual = median(seconds["native"])
    tokens = (CELLS // 2) ** 2
    about = {**describe(args.device), **random_flux.described(size), "tokens": tokens, "reference_tokens": tokens}
    arithmetic = (size.num_text + tokens) / (size.num_text + 2 * tokens)
    ratios = {name: round(median(values) / usual, 3) for name, values in seconds.items()}
    save(args.out / f"reference_speed_{args.device}.json", {**about, **ratios, "arithmetic": round(arithmetic, 3)})


def sampled(model: ModelPatcher, size: random_flux.FluxSize, sampler: Callable) -> None:
    """A run of the host whose sampler only times steps."""
    scheduled = schedule(model, schedule_of("balanced", {}), preset=True, references=ReferenceConfig("once"))
    latent = torch.zeros(1, random_flux.CHANNELS, CELLS, CELLS)
    cond = random_flux.conditioning(size)
    cond[0][1]["reference_latents"] = [torch.randn_like(latent)]
    guider = comfy.samplers.CFGGuider(scheduled)
    guider.set_conds(cond, cond)
    guider.set_cfg(1.0)
    ksampler = comfy.samplers.KSAMPLER(sampler)
    guider.sample(torch.randn_like(latent), latent, ksampler, torch.tensor(SIGMAS), disable_pbar=True, seed=1)


def rounds(
    count: int, timed: Callable, seconds: dict, guided: object, x: Tensor, sigmas: Tensor, extra_args: dict, **_: object
) -> Tensor:
    """Each round: without Jano, storing, frozen, all of one x."""
    options, guider = extra_args["model_options"], guided.inner_model
    inside = options["transformer_options"]
    run, plain = (
        inside["jano"].run,
        {**options, "transformer_options": {k: v for k, v in inside.items() if k != "jano"}},
    )

    def call(chosen: dict) -> list[Tensor]:
        conds = [guider.conds["positive"]]
        return comfy.samplers.calc_cond_batch(guider.inner_model, conds, x, sigmas[:1].to(x.device), chosen)

    for _ in range(count):
        seconds["native"].append(timed(partial(call, plain)))
        run.references.go_back()
        for name, sigma in (("stored", 0.8), ("frozen", 0.6)):
            run.begin(sigma)
            seconds[name].append(timed(partial(call, options)))
    return x
