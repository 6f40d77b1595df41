"""Telling the host how much memory the cache will take, so that it loads less of the model where that is tight."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from torch import nn

from ..memory import larger_shape
from .families import family_of


def cache_bytes(network: nn.Module, num_tokens: int, rows: int, itemsize: int) -> int:
    """Keys and values of `num_tokens` tokens in every tapped block; `rows` counts pictures over all conditionings."""
    family = family_of(network)
    return 2 * len(family.taps(network)) * num_tokens * family.width(network) * rows * itemsize


def with_cache(model: ModelPatcher, noise_shape: tuple[int, ...], conds: dict, num_tokens: int) -> tuple[int, ...]:
    """`noise_shape`, enlarged for the host's estimate by the cache of a run with these conditionings."""
    rows = noise_shape[0] * sum(len(side) for side in conds.values() if side is not None)
    extra = cache_bytes(model.model.diffusion_model, num_tokens, rows, model.model.get_dtype_inference().itemsize)
    return larger_shape(noise_shape, extra, model.model.memory_required)
