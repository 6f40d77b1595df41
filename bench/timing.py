"""How long something takes, both sides of a comparison in turn in one run."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from .stats import median, quantile

Timer = Callable[[Callable[[], object]], float]


def timer(device: str) -> Timer:
    """Seconds of one call: CUDA events; on one CPU thread its processor time, so that other jobs do not count."""
    if device == "cuda":
        return _cuda_seconds
    return _processor_seconds if torch.get_num_threads() == 1 else _wall_seconds


def timer_name(device: str) -> str:
    names = {_cuda_seconds: "CUDA events", _processor_seconds: "processor time of one thread", _wall_seconds: "wall"}
    return names[timer(device)]


def _cuda_seconds(call: Callable[[], object]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000.0


def _processor_seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _wall_seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleaved(sides: dict[str, Callable[[], object]], rounds: int, device: str) -> dict[str, list[float]]:
    """Seconds per side and round; each round runs every side, forwards and backwards in turn. Sides have run before."""
    clock, seconds = timer(device), {name: [] for name in sides}
    for number in range(rounds):
        names = list(sides) if number % 2 == 0 else list(reversed(sides))
        for name in names:
            seconds[name].append(clock(sides[name]))
    return seconds


def against(seconds: dict[str, list[float]], side: str, base: str, scale: float = 1.0) -> dict[str, float]:
    """side / (scale * base): median over the rounds and its quartiles, and of the fastest rounds of both."""
    ratios = [a / (scale * b) for a, b in zip(seconds[side], seconds[base], strict=True)]
    best = min(seconds[side]) / (scale * min(seconds[base]))
    return {"ratio": median(ratios), "low": quantile(ratios, 0.25), "high": quantile(ratios, 0.75), "best": best}
