"""How much memory the references' keys and values take, and where they are kept because of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

import comfy.model_management
from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

from ...config import ReferenceConfig
from ...references.storage import fitting
from ..active import active_of
from ..memory import larger_shape
from .families import family_of, num_tokens

OF_A_CONDITIONING = ("reference_latents", "context_latents")
SHARE_ON_THE_DEVICE = {"device": 1.0, "fp8": 0.5, "cpu": 0.0}


def references_of(conds: dict) -> Iterator[Sequence[Tensor]]:
    """The references of every conditioning of a guider that has some."""
    for side in conds.values():
        for cond in side or ():
            yield from (cond[name] for name in OF_A_CONDITIONING if cond.get(name) is not None)


def bytes_a_token(network: nn.Module, itemsize: int) -> int:
    """Keys and values of one token in every block."""
    family = family_of(network)
    blocks = sum(len(getattr(network, name)) for name in family.blocks)
    return 2 * blocks * attrgetter(family.width)(network) * itemsize


def cache_bytes(model: ModelPatcher, conds: dict, batch: int, values: int) -> int:
    """All references of all conditionings, for a batch of pictures and this many kept `values` of each."""
    network = model.model.diffusion_model
    tokens = sum(num_tokens(network, latents) for latents in references_of(conds))
    return batch * values * tokens * bytes_a_token(network, model.model.get_dtype_inference().itemsize)


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
        needed = cache_bytes(model, conds, noise_shape[0], references.cache.values)
        extra = int(needed * SHARE_ON_THE_DEVICE[references.cache.storage])
        noise_shape = larger_shape(noise_shape, extra, model.model.memory_required)
    return executor(model, noise_shape, conds, *args, **kw)
