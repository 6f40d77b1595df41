"""Full runs step by step, kept on disk so that new scores can be tried on them without sampling again."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from ..jano.levels.complexity import Features
from .demo_models import Demo, OnStep, Sampling


@dataclass(frozen=True)
class Trajectory:
    """One Euler run: `x` (steps + 1, C, T, H, W) before every step and at the end, `sigmas` (steps + 1,)."""

    x: Tensor
    sigmas: Tensor

    @property
    def num_steps(self) -> int:
        return self.sigmas.numel() - 1

    @cached_property
    def velocity(self) -> Tensor:
        """(steps, C, T, H, W): dx / d sigma of each step."""
        return self.x.diff(dim=0) / self.sigmas.diff().view(-1, 1, 1, 1, 1)

    @cached_property
    def denoised(self) -> Tensor:
        """(steps, C, T, H, W): x0 predicted at every step."""
        return self.x[:-1] - self.sigmas[:-1].view(-1, 1, 1, 1, 1) * self.velocity

    def warmup(self, num_steps: int) -> Features:
        """What Jano sees of the first steps."""
        return Features(self.velocity[:num_steps], self.denoised[:num_steps])


def sigmas_of(demo: Demo, steps: int) -> Tensor:
    import comfy.samplers

    return comfy.samplers.calculate_sigmas(demo.model.get_model_object("model_sampling"), "simple", steps).float()


def watched(states: list[Tensor]) -> OnStep:
    """A sampling callback that appends x before every step, and what Euler's last step ends on: its prediction."""

    def on_step(step: int, x0: Tensor, x: Tensor, total: int) -> None:
        states.append(x[0].float().cpu().clone())
        if step == total - 1:
            states.append(x0[0].float().cpu().clone())

    return on_step


def record(demo: Demo, text: str, seed: int, steps: int, cfg: float) -> Trajectory:
    states: list[Tensor] = []
    demo.sample(text, seed, Sampling(steps, "euler", cfg), watched(states))
    return Trajectory(as_clip(torch.stack(states)), sigmas_of(demo, steps))


def as_clip(states: Tensor) -> Tensor:
    """(steps + 1, C, [T,] H, W) with one frame where there is none."""
    return states.unsqueeze(2) if states.ndim == 4 else states


def recorded(demo: Demo, folder: Path, text: str, seed: int, steps: int, cfg: float) -> Trajectory:
    """From the folder, else sampled and kept there."""
    path = folder / f"{demo.digest}_{steps}_{cfg:g}_{seed}.pt"
    if path.exists():
        return Trajectory(**torch.load(path, weights_only=True))
    folder.mkdir(parents=True, exist_ok=True)
    result = record(demo, text, seed, steps, cfg)
    torch.save({field.name: getattr(result, field.name) for field in fields(result)}, path)
    return result
