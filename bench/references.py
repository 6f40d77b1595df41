"""Edits: how close do pictures stay whose references are seen through cached keys and values?

PSNR of the pictures against the same model in full, over held-out edits of the tiny edit models; FLOPs counted while
sampling. Beside them: fewer steps at no more FLOPs, EasyCache, and the host's own cache of references (FluxKVCache),
which knows models with one modulation only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import comfy.sample
import torch
from comfy.model_patcher import ModelPatcher
from comfy_extras.nodes_easycache import EasyCacheNode
from comfy_extras.nodes_flux import FluxKVCache
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ..jano.adapters.patch import schedule
from ..jano.config import ReferenceConfig, SchedulerConfig
from ..jano.presets import schedule_of
from ..jano.show.quality import psnr
from . import demo_models, edit_models
from .edit_models import Pair
from .host import describe
from .records import Lines, Row, save
from .stats import mean, worst_decile

PAIRS = 64
STEPS, CFGS, REFERENCES = (4, 8, 20), (1.0, 3.0), (1, 3)
EASY = 0.1
FEWER = "fewer steps"
MOST = 120.0
"""dB of pictures that are equal."""
KEY = ("kind", "references", "steps", "cfg", "arm", "pair")

Arm = Callable[[ModelPatcher], ModelPatcher]


@dataclass(frozen=True)
class Case:
    kind: str
    references: int
    steps: int
    cfg: float


def cases() -> list[Case]:
    """What is asked for most first: short runs, few references, and models as most are."""
    every = (Case(*case) for case in product(edit_models.KINDS, REFERENCES, STEPS, CFGS))
    return sorted(every, key=lambda case: (case.kind == "isolated", case.steps > 8, case.references, case.steps))


def arms(case: Case) -> dict[str, Arm]:
    """What is compared with the model in full."""
    if case.kind == "isolated":
        return {"isolated": alone("isolated"), "the host as it is": lambda model: model}
    ours = {
        "auto": partial(schedule, scheduler=schedule_of("balanced", {}), preset=True),
        "auto, fast": partial(schedule, scheduler=schedule_of("fast", {}), preset=True),
        "steps alone": partial(
            schedule, scheduler=schedule_of("balanced", {}), preset=True, references=ReferenceConfig("every step")
        ),
        "once": alone("once"),
        "EasyCache": lambda model: EasyCacheNode.execute(model, EASY, 0.15, 0.95, False).result[0],
    }
    host = {"FluxKVCache": lambda model: FluxKVCache.execute(model).result[0]}
    return ours if case.kind == "step" else {**ours, **host}


def alone(choice: str) -> Arm:
    """References left out, and no step."""
    return partial(schedule, scheduler=SchedulerConfig(target_speedup=1.0), references=ReferenceConfig(choice))


def measure(args: argparse.Namespace) -> None:
    lines, picture = Lines(args.out / "references.jsonl", KEY), demo_models.load("flux", side=128).picture
    count = args.prompts or PAIRS
    for case in cases():
        model = edit_models.load(case.kind)
        for pair in edit_models.pairs(count, case.kind, case.references):
            compare(model, case, pair, picture, lines)
    rows = [row for case in cases() for row in summaries(case, list(lines), count)]
    save(args.out / "references.json", {**describe(args.device), "pairs": count, "rows": rows})


def compare(model: ModelPatcher, case: Case, pair: Pair, picture: Callable, lines: Lines) -> None:
    """One edit in full and by every arm; by fewer steps, as many as cost no more than "auto". What is known is kept."""
    row = {**vars(case), "pair": pair.number}
    made = arms(case)
    missing = [arm for arm in (*made, *([FEWER] if "auto" in made else ())) if not lines.find({**row, "arm": arm})]
    if not missing:
        return
    truth = edit_models.isolating(model) if case.kind == "isolated" else model
    full, flops = sampled(truth, case, pair, case.steps)
    for arm in missing:
        steps = fewer_steps(case, lines.find({**row, "arm": "auto"})["flops"]) if arm == FEWER else case.steps
        found, cost = sampled(model if arm == FEWER else made[arm](model), case, pair, steps)
        lines.add({**row, "arm": arm, "psnr": closeness(picture(found), picture(full)), "flops": cost / flops})


def fewer_steps(case: Case, share: float) -> int:
    """As many as take no more than this share of all FLOPs."""
    return max(1, int(share * case.steps + 0.02))


def closeness(picture: Tensor, wanted: Tensor) -> float:
    return min(MOST, psnr(wanted, picture).item())


def sampled(model: ModelPatcher, case: Case, pair: Pair, steps: int) -> tuple[Tensor, int]:
    empty = torch.zeros_like(pair.target)
    noise = comfy.sample.prepare_noise(empty, pair.number)
    settings = (steps, case.cfg, "euler", "simple", pair.positive, pair.negative, empty)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        latent = comfy.sample.sample(model, noise, *settings, disable_pbar=True, seed=pair.number)
    return latent, counter.get_total_flops()


def summaries(case: Case, lines: list[Row], count: int) -> Iterator[Row]:
    """Per arm: the mean, the worst tenth and the share of the FLOPs."""
    of_case = [row for row in lines if all(row[name] == value for name, value in vars(case).items())]
    for arm in dict.fromkeys(row["arm"] for row in of_case):
        rows = [row for row in of_case if row["arm"] == arm and row["pair"] < count]
        closest = [row["psnr"] for row in rows]
        yield {
            **vars(case),
            "arm": arm,
            "psnr": round(mean(closest), 2),
            "worst": round(worst_decile(closest), 2),
            "flops": round(mean([row["flops"] for row in rows]), 3),
            "pairs": len(rows),
        }
