"""A run driven by hand: a latent of two cells, the left one static and the right one active, and no transformer."""

from __future__ import annotations

import torch
from comfyui_jano.jano.config import AnalyzerConfig, SchedulerConfig
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.map import Level, LevelMap
from comfyui_jano.jano.run import Run
from comfyui_jano.jano.sampler import PLAIN, SamplerTraits
from comfyui_jano.jano.show.report import RunReport

GRID = TokenGrid(latent=(1, 1, 2), patch=(1, 1, 1), region=(1, 1, 1))
SHAPE = (1, 1, 1, 2)
HOLD = {"forecast": "hold", "cooldown": 0.1, "static_interval": 4, "moderate_interval": 2}
OWN_MAP = AnalyzerConfig(score="curvature", normalisation="robust")


def level_map(left: Level = Level.STATIC, right: Level = Level.ACTIVE, grid: TokenGrid = GRID) -> LevelMap:
    return LevelMap(grid, torch.tensor([left, right], dtype=torch.uint8), torch.zeros(2))


def make(
    steps: int = 10,
    chosen: LevelMap | None = None,
    accelerate: bool = True,
    sampler: SamplerTraits = PLAIN,
    **config: object,
) -> Run:
    """A run with equal steps from 1 to 0; without `chosen` it draws its own map."""
    scheduler = SchedulerConfig(**{**HOLD, **config}) if accelerate else None
    sigmas = torch.linspace(1, 0, steps + 1).tolist()
    return Run(OWN_MAP, scheduler, GRID, SHAPE, sigmas, RunReport("toy", steps), chosen, sampler)
