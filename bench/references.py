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


def cases() -> Iterator[Case]:
    for kind in edit_models.KINDS:
        for count in REFERENCES:
            yield from (Case(kind, count, steps, cfg) for steps in STEPS for cfg in CFGS)


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
    """One edit in full and by every arm; by fewer steps, as many as cost no more than "auto"."""
    row = {**vars(case), "pair": pair.number}
    made = arms(case)
    if all(lines.find({**row, "arm": arm}) is not None for arm in made):
        return
    truth = edit_models.isolating(model) if case.kind == "isolated" else model
    full, flops = sampled(truth, case, pair)
    wanted = picture(full)
    for arm, make in made.items():
        found, cost = sampled(make(model), case, pair)
        lines.add({**row, "arm": arm, "psnr": closeness(picture(found), wanted), "flops": cost / flops})
    if "auto" in made:
        share = lines.find({**row, "arm": "auto"})["flops"]
        fewer = max(1, int(share * case.steps + 0.02))
        found, cost = sampled(model, case, pair, fewer)
        lines.add({**row, "arm": "fewer steps", "psnr": closeness(picture(found), wanted), "flops": cost / flops})


def closeness(picture: Tensor, wanted: Tensor) -> float:
    return min(MOST, psnr(wanted, picture).item())


def sampled(model: ModelPatcher, case: Case, pair: Pair, steps: int | None = None) -> tuple[Tensor, int]:
    empty = torch.zeros_like(pair.target)
    noise = comfy.sample.prepare_noise(empty, pair.number)
    settings = (steps or case.steps, case.cfg, "euler", "simple", pair.positive, pair.negative, empty)
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
