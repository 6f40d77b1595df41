"""Whether the cost of a step follows its arithmetic: row 3 of the promises in the design.

A partial step may cost 1.05 x (computed tokens / all tokens, text included) of a full one, a step that stores keys and
values 1.03 x, the node with nothing frozen 1.01 x.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import comfy.sample
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..jano.adapters.by_level import flux
from ..jano.adapters.by_level.attention import OVERRIDE, AttentionTap
from ..jano.adapters.by_level.taps import tapped
from ..jano.adapters.by_level.tokens import TokenRows
from ..jano.adapters.patch import schedule
from ..jano.adapters.settings import NO_JANO_NODE, report_of
from ..jano.by_level.engine import Call
from ..jano.by_level.kv_cache import KVCache
from ..jano.by_level.selection import Selection, select
from ..jano.config import SchedulerConfig
from ..jano.levels.grid import TokenGrid
from ..jano.levels.map import Level, LevelMap
from . import random_flux
from .host import describe
from .random_flux import FLUX1, SMALL, FluxSize, Inputs
from .records import save
from .stats import median
from .timing import against, interleaved, timer_name

SHARES = (0.25, 0.5, 0.75)
TARGETS = {"partial": 1.05, "store": 1.03, "nothing_frozen": 1.01}
CHUNK = ("bench",)
NEVER = {"static_interval": 99, "moderate_interval": 99}


@dataclass
class Bench:
    """A model with random weights and one latent size, `cells` latent cells a side."""

    model: ModelPatcher
    size: FluxSize
    cells: int
    device: str

    @property
    def network(self) -> torch.nn.Module:
        return self.model.model.diffusion_model

    @property
    def grid(self) -> TokenGrid:
        return random_flux.grid(self.cells)

    def arithmetic(self, active: float) -> float:
        """Computed tokens over all tokens, text included."""
        text = self.size.num_text
        return (active * self.grid.num_tokens + text) / (self.grid.num_tokens + text)


def measure(args: argparse.Namespace) -> None:
    size, sides = (FLUX1, (128, 256)) if args.device == "cuda" else (SMALL, (96,))
    with torch.inference_mode():
        model = random_flux.load(size, args.device)
        to_device(model, args.device)
        cases = [measure_size(Bench(model, size, cells, args.device), args.rounds) for cells in sides]
    about = {**describe(args.device), "clock": timer_name(args.device), "model": random_flux.described(size)}
    save(args.out / f"speed_{args.device}.json", {**about, "rounds": args.rounds, "targets": TARGETS, "cases": cases})


def to_device(model: ModelPatcher, device: str) -> None:
    """Weights to where they are measured, as the host does before sampling."""
    import comfy.model_management

    comfy.model_management.load_models_gpu([model])
    if device == "cuda":
        torch.cuda.synchronize()


def measure_size(bench: Bench, rounds: int) -> dict[str, object]:
    case = {"pixels": bench.cells * 8, "tokens": bench.grid.num_tokens, "text_tokens": bench.size.num_text}
    case["call"] = measure_call(bench, rounds)
    case["sampling"] = measure_sampling(bench, rounds)
    if bench.device == "cuda":
        case["end_to_end"] = [end_to_end(bench, steps) for steps in (28, 50)]
    return case


# --- one call of the transformer


def measure_call(bench: Bench, rounds: int) -> dict[str, object]:
    """Full, store and partial calls in turn, and how far the active rows of the partial ones are from the full ones."""
    given, cache = random_flux.inputs(bench.size, bench.cells, bench.device), KVCache()
    sides: dict[str, Callable[[], Tensor]] = {
        "full": lambda: call_plain(bench, given),
        "store": lambda: call_tapped(bench, given, Call(CHUNK, stores=True), cache),
    }
    calls = {share: Call(CHUNK, selection(bench, share), stores=True) for share in SHARES}
    for share, call in calls.items():
        sides[f"partial_{share}"] = lambda call=call: call_tapped(bench, given, call, cache)
    errors = exactness(sides, calls)
    seconds = interleaved(sides, rounds, bench.device)
    result: dict[str, object] = {"seconds": {name: median(values) for name, values in seconds.items()}}
    result["store"] = against(seconds, "store", "full")
    for share in SHARES:
        arithmetic = bench.arithmetic(share)
        ratio = against(seconds, f"partial_{share}", "full", arithmetic)
        result[f"partial_{share}"] = {"arithmetic": arithmetic, **ratio, "error": errors[share]}
    return result


def call_plain(bench: Bench, given: Inputs) -> Tensor:
    return bench.network(given.x, given.timestep, given.context, given.y, given.guidance, transformer_options={})


def call_tapped(bench: Bench, given: Inputs, call: Call, cache: KVCache) -> Tensor:
    """The same call with Jano's taps, as jano/adapters/by_level/calls.py makes it."""
    options = {OVERRIDE: AttentionTap(None)}
    with tapped(flux.taps(bench.network), TokenRows(call, bench.grid.num_tokens, cache)):
        return bench.network(
            given.x, given.timestep, given.context, given.y, given.guidance, transformer_options=options
        )


def selection(bench: Bench, active: float) -> Selection:
    level_map = random_flux.level_map(bench.cells, active).to(bench.device)
    return select(level_map, frozenset({Level.ACTIVE}), is_clip=False)


def exactness(sides: dict[str, Callable[[], Tensor]], calls: dict[float, Call]) -> dict[float, float]:
    """Largest difference of active cells to the full call, over the full call's largest value."""
    full = sides["full"]()
    sides["store"]()
    errors = {}
    for share, call in calls.items():
        difference = (sides[f"partial_{share}"]() - full)[..., call.selection.cells]
        errors[share] = (difference.abs().max() / full.abs().max()).item()
    return errors


# --- whole sampling runs


def run(bench: Bench, model: ModelPatcher, steps: int, cond: list) -> Tensor:
    """Euler with a guidance of 1 from pure noise."""
    empty = torch.zeros(1, random_flux.CHANNELS, bench.cells, bench.cells)
    noise = comfy.sample.prepare_noise(empty, 0)
    options = {"disable_pbar": True, "seed": 0}
    return comfy.sample.sample(model, noise, steps, 1.0, "euler", "simple", cond, cond, empty, **options)


def replay(bench: Bench, level_map: LevelMap, custom: dict) -> ModelPatcher:
    """The model behind Jano Scheduler with a level map given, so that the warm-up is a single step."""
    return schedule(bench.model, SchedulerConfig(**custom), level_map=level_map)


def measure_sampling(bench: Bench, rounds: int, steps: int = 4) -> dict[str, object]:
    """The sampler's whole path: no node, the node with nothing frozen, half of the tokens frozen between the ends."""
    cond = random_flux.conditioning(bench.size)
    models = {
        "no_node": bench.model,
        "nothing_frozen": replay(bench, random_flux.level_map(bench.cells, 1.0), NEVER),
        "half_active": replay(bench, random_flux.level_map(bench.cells, 0.5), NEVER),
    }
    sides = {name: lambda model=model: run(bench, model, steps, cond) for name, model in models.items()}
    reference, untouched, partial = (side() for side in sides.values())
    report = report_of(models["half_active"], partial)
    arithmetic = sum(bench.arithmetic(record.computed_share) for record in report.steps) / steps
    seconds = interleaved(sides, rounds, bench.device)
    return {
        "steps": steps,
        "seconds_per_step": {name: median(values) / steps for name, values in seconds.items()},
        "nothing_frozen": {
            **against(seconds, "nothing_frozen", "no_node"),
            "error": (untouched - reference).abs().max().item(),
        },
        "half_active": {"arithmetic": arithmetic, **against(seconds, "half_active", "no_node", arithmetic)},
    }


def end_to_end(bench: Bench, steps: int) -> dict[str, object]:
    """Seconds and peak memory of whole runs on CUDA: without the node, and at two active shares."""
    cond = random_flux.conditioning(bench.size)
    balanced = {name: getattr(SchedulerConfig(), name) for name in ("static_interval", "moderate_interval")}
    models = {"full": bench.model}
    for active in (0.25, 0.5):
        level_map = random_flux.level_map(bench.cells, active, (1 - active) / 2)
        models[f"active_{active}"] = replay(bench, level_map, balanced)
    return {"steps": steps, **{name: _timed_run(bench, model, steps, cond) for name, model in models.items()}}


def _timed_run(bench: Bench, model: ModelPatcher, steps: int, cond: list) -> dict[str, object]:
    run(bench, model, 4, cond)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    samples = run(bench, model, steps, cond)
    torch.cuda.synchronize()
    report = report_of(model, samples)
    fraction = sum(bench.arithmetic(record.computed_share) for record in report.steps) / steps if report.steps else 1.0
    return {
        "seconds": time.perf_counter() - started,
        "arithmetic": fraction,
        "peak_bytes": torch.cuda.max_memory_allocated(),
        "cache_bytes": report.cache_bytes_peak,
        "native_because": [reason for reason in report.fallbacks if reason != NO_JANO_NODE],
    }
