"""Telling the host how much memory a run takes besides the model's own, so that it loads less where that is tight."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import comfy.model_management
from comfy.model_patcher import ModelPatcher

from ..config import ReferenceConfig
from ..storage import fitting

AHEAD = 2
"""Blocks of which a device has keys and values that are kept in another form or in main memory."""


def storage_of(config: ReferenceConfig, model: ModelPatcher, needed: int) -> str:
    """Where `needed` bytes are kept: as chosen, or where they leave the device enough."""
    if config.cache != "auto":
        return config.cache
    device = model.load_device
    if config.cache_budget_gb:
        return fitting(needed, config.cache_budget_gb * 2**30)
    if comfy.model_management.is_device_cpu(device):
        return "device"
    return fitting(needed, comfy.model_management.get_total_memory(device) / 2)


def larger_shape(noise_shape: tuple[int, ...], extra: int, required: Callable[[list[int]], float]) -> tuple[int, ...]:
    """A latent shape whose memory estimate is about `extra` bytes above that of `noise_shape`, by its height.

    The host estimates memory from the latent's shape alone; `required` is its estimate in bytes.
    """
    growth = 1.0 + extra / max(1.0, required(list(noise_shape)))
    return (*noise_shape[:-2], ceil(noise_shape[-2] * growth), noise_shape[-1])
