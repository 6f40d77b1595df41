"""Telling the host how much memory the cache will take, so that it loads less of the model where that is tight."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from torch import nn

from ..memory import AHEAD, larger_shape
from .families import family_of

IN_EIGHT_BITS = 9 / 16
"""Share of sixteen bits that eight take with a scale for every token of a head, of 64 channels at least."""


def cache_bytes(model: ModelPatcher, noise_shape: tuple[int, ...], conds: dict, num_tokens: int) -> int:
    """Keys and values of `num_tokens` tokens in every tapped block, of all pictures and conditionings, as they are."""
    rows = noise_shape[0] * sum(len(side) for side in conds.values() if side is not None)
    network, itemsize = model.model.diffusion_model, model.model.get_dtype_inference().itemsize
    return 2 * num_blocks(network) * num_tokens * family_of(network).width(network) * rows * itemsize


def num_blocks(network: nn.Module) -> int:
    return len(family_of(network).taps(network))


def with_cache(model: ModelPatcher, noise_shape: tuple[int, ...], needed: int, storage: str) -> tuple[int, ...]:
    """`noise_shape`, enlarged for the host's estimate by what `needed` bytes of cache take of the device."""
    ahead = min(needed, needed * AHEAD // num_blocks(model.model.diffusion_model))
    kept = {"device": needed, "fp8": int(needed * IN_EIGHT_BITS) + ahead, "cpu": ahead}[storage]
    return larger_shape(noise_shape, kept, model.model.memory_required)
