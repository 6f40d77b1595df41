"""How much memory the references' keys and values take, and where they are kept because of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

import comfy.model_management
from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

from ...config import ReferenceConfig
from ...references.storage import fitting, kept_bytes
from ..active import active_of
from ..memory import larger_shape
from .families import family_of, num_tokens

OF_A_CONDITIONING = ("reference_latents", "context_latents")
AHEAD = 2
"""Blocks of which a device has keys and values that are kept in main memory."""


def references_of(conds: dict) -> Iterator[Sequence[Tensor]]:
    """The references of every conditioning of a guider that has some."""
    for side in conds.values():
        for cond in side or ():
            yield from (cond[name] for name in OF_A_CONDITIONING if cond.get(name) is not None)


def cache_bytes(model: ModelPatcher, conds: dict, batch: int, values: int, storage: str) -> int:
    """Keys and values: 2 * blocks * width * tokens * bytes a number, for all references of all conditionings, for a
    batch of pictures and this many kept `values` of each."""
    network, itemsize = model.model.diffusion_model, model.model.get_dtype_inference().itemsize
    channels = 2 * num_blocks(network) * attrgetter(family_of(network).width)(network) * batch * values
    tokens = (num_tokens(network, latents) for latents in references_of(conds))
    return sum(kept_bytes(count, channels, itemsize, storage) for count in tokens)


def num_blocks(network: nn.Module) -> int:
    return sum(len(getattr(network, name)) for name in family_of(network).blocks)


def bytes_on_the_device(model: ModelPatcher, conds: dict, batch: int, values: int, storage: str) -> int:
    """The part of them for which the device needs room at a time."""
    needed = cache_bytes(model, conds, batch, values, storage)
    return needed if storage != "cpu" else min(needed, needed * AHEAD // num_blocks(model.model.diffusion_model))


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


def prepare_sampling(executor: Callable, model: ModelPatcher, noise_shape: tuple, conds: dict, *args, **kw):
    """PREPARE_SAMPLING wrapper: the host makes room for the references' cache too."""
    active = active_of(kw.get("model_options"))
    references = active and active.run.references
    if references:
        cache = references.cache
        extra = bytes_on_the_device(model, conds, noise_shape[0], cache.values, cache.storage)
        noise_shape = larger_shape(noise_shape, extra, model.model.memory_required)
    return executor(model, noise_shape, conds, *args, **kw)
