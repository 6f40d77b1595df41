"""How much memory the references' keys and values take, and where they are kept because of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter

from comfy.model_patcher import ModelPatcher
from torch import nn

from ...storage import kept_bytes
from ..active import active_of
from ..memory import AHEAD, larger_shape
from .arguments import arguments_of, kept, latents_in, num_blocks
from .families import family_of

OF_A_CONDITIONING = ("reference_latents", "context_latents")
"""Where references of models are that Jano does not know."""


def references_of(network: nn.Module, conds: dict, cells: Sequence[int]) -> Iterator[Mapping[str, object]]:
    """What every conditioning of a guider that has references tells of them, by a call's names; `cells` is the latent's
    shape."""
    known = family_of(network) is not None
    for cond in (cond for side in conds.values() for cond in side or ()):
        arguments = (
            arguments_of(network, cond, cells) if known else {name: cond.get(name) for name in OF_A_CONDITIONING}
        )
        if latents_in(network, arguments) if known else any(arguments.values()):
            yield arguments


def cache_bytes(model: ModelPatcher, conds: dict, cells: Sequence[int], values: int, storage: str) -> int:
    """Keys and values: 2 * blocks * width * tokens * bytes a number, for all references of all conditionings, for
    latents of this shape and this many kept `values` of each."""
    network, itemsize = model.model.diffusion_model, model.model.get_dtype_inference().itemsize
    channels = 2 * attrgetter(family_of(network).width)(network) * cells[0] * values
    each = (each for arguments in references_of(network, conds, cells) for each in kept(network, arguments))
    return sum(kept_bytes(tokens, blocks * channels, itemsize, storage) for blocks, tokens in each)


def bytes_on_the_device(model: ModelPatcher, conds: dict, cells: Sequence[int], values: int, storage: str) -> int:
    """The part of them for which the device needs room at a time."""
    needed = cache_bytes(model, conds, cells, values, storage)
    return needed if storage != "cpu" else min(needed, needed * AHEAD // num_blocks(model.model.diffusion_model))


def prepare_sampling(executor: Callable, model: ModelPatcher, noise_shape: tuple, conds: dict, *args, **kw):
    """PREPARE_SAMPLING wrapper: the host makes room for the references' cache too."""
    active = active_of(kw.get("model_options"))
    references = active and active.run.references
    if references:
        cache = references.cache
        extra = bytes_on_the_device(model, conds, noise_shape, cache.values, cache.storage)
        noise_shape = larger_shape(noise_shape, extra, model.model.memory_required)
    return executor(model, noise_shape, conds, *args, **kw)
