"""What the nodes call: settings onto a clone of the MODEL, and results back from it."""

from __future__ import annotations

import comfy.sd
import torch
from comfy.model_patcher import ModelPatcher

from ..config import AnalyzerConfig, ReferenceConfig, SchedulerConfig, shown
from ..levels.map import LevelMap
from .inputs import level_map_of, model_of
from .sampling import install, uninstall
from .settings import KEY, Loader, settings_of, with_settings

WEIGHT_DTYPES = {
    "default": {},
    "fp8_e4m3fn": {"dtype": torch.float8_e4m3fn},
    "fp8_e4m3fn_fast": {"dtype": torch.float8_e4m3fn, "fp8_optimizations": True},
    "fp8_e5m2": {"dtype": torch.float8_e5m2},
}


def load_model(path: str, weight_dtype: str) -> ModelPatcher:
    """The stock loading of a diffusion model file; `weight_dtype` as in the stock loader, ValueError for another."""
    if weight_dtype not in list(WEIGHT_DTYPES):
        known = ", ".join(WEIGHT_DTYPES)
        raise ValueError(f"Jano: weight_dtype {shown(weight_dtype)} is unknown; choose one of {known}.")
    return comfy.sd.load_diffusion_model(path, model_options=dict(WEIGHT_DTYPES[weight_dtype]))


def analyze(model: ModelPatcher, analyzer: AnalyzerConfig, node_id: str | None = None) -> ModelPatcher:
    """A clone of `model` whose runs record a level map; `node_id` shows them unless a Scheduler's node does."""
    clone = with_settings(model_of(model), analyzer=analyzer, node_id=settings_of(model).node_id or node_id)
    install(clone)
    return clone


def schedule(
    model: ModelPatcher,
    scheduler: SchedulerConfig,
    preset: bool = False,
    level_map: LevelMap | None = None,
    node_id: str | None = None,
    loader: Loader | None = None,
    references: ReferenceConfig | None = None,
) -> ModelPatcher:
    """A clone of `model` that computes less; `preset` tells that a quality was chosen, and not what makes it.

    A `level_map` of the run before spares this one drawing its own and measuring errors first. The node `node_id` shows
    the runs; `loader` describes it where the host may keep this MODEL for another one. `references` says when the
    pictures that an edit starts from are computed.
    """
    clone = with_settings(
        model_of(model),
        scheduler=scheduler,
        level_map=level_map_of(level_map),
        preset=preset,
        node_id=node_id,
        loader=loader,
        references=references or ReferenceConfig(),
    )
    install(clone)
    return clone


def without_jano(model: ModelPatcher) -> ModelPatcher:
    """A clone of `model` that samples as if no Jano node stood before it."""
    clone = model_of(model).clone()
    clone.model_options.get("transformer_options", {}).pop(KEY, None)
    clone.remove_attachments(KEY)
    uninstall(clone)
    return clone
