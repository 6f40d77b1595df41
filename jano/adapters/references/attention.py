"""The one place where a call is told of its references: their K and V are kept, or put beside the computed ones."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial

import comfy.model_management
import torch
import torch.nn.functional as F
from torch import Tensor

from ...prefetch import Prefetch
from ...references.drift import drift_of, metered
from ...references.engine import Call
from ...references.kv_cache import Line, ReferenceCache
from ...refusal import Unaccelerated
from ...sentences import say
from ..live import Live
from .layout import Counted, Numbered, Places, Spans, computed, of_references, references, spans

OVERRIDE = "optimized_attention_override"


@dataclass
class ReferencePass(Live):
    """One call of the transformer: what attention inside its blocks must know, and what it saw."""

    call: Call
    cache: ReferenceCache
    time: float
    attentions: Numbered | Counted
    drifts: list[float] = field(default_factory=list)
    ran_out: bool = False
    ahead: Prefetch | None = None

    def require(self) -> None:
        """Unaccelerated unless every block attended as it should; else some attention was not seen, or in parts."""
        if not self.ran_out and not self.attentions.were(self.cache.layers(self.call.chunks[0])):
            raise Unaccelerated(say("odd_blocks"))

    def store(self, layer: Hashable, places: Places, k: Tensor, v: Tensor, dim: int) -> None:
        """Keep the references' rows of k and v (all chunks, batch first; tokens along `dim`), and see how far they
        drifted. Running out of memory ends the keeping, not the run."""
        if self.ran_out:
            return
        rows = of_references(k, places, dim), of_references(v, places, dim)
        try:
            kept = {chunk: pair for chunk, *pair in self._by_chunk(*rows)}
            for chunk, (keys, values) in kept.items():  # both sides of the guidance may have one key
                self._keep(chunk, layer, keys, values, dim, k.shape[dim])
        except Exception as error:
            if self.cache.storage != "fp8":  # which some devices do not have at all
                comfy.model_management.raise_non_oom(error)
            self.ran_out = True

    def _by_chunk(self, *tensors: Tensor) -> zip:
        return zip(self.call.chunks, *(tensor.chunk(len(self.call.chunks)) for tensor in tensors), strict=True)

    def _keep(self, chunk: Hashable, layer: Hashable, keys: Tensor, values: Tensor, dim: int, length: int) -> None:
        known = self.cache.layers(chunk)
        if layer in known and layer in metered(known):
            self.drifts.append(drift_of(self.cache.line(chunk, layer), keys, values, self.time, dim))
        self.cache.store(chunk, layer, keys, values, self.time, dim, length)

    def completed(self, layer: Hashable, number: int, k: Tensor, v: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        """k and v of the computed tokens, with those that so many references are expected to have now behind them."""
        length, wide = k.shape[dim], list(k.shape)
        wide[dim] += number
        keys, values = k.new_empty(wide), v.new_empty(wide)
        keys.narrow(dim, 0, length).copy_(k)
        values.narrow(dim, 0, length).copy_(v)
        behind = (tensor.narrow(dim, length, number) for tensor in (keys, values))
        self.ahead = self.ahead or self.cache.ahead(self.call.chunks, k.device)
        lines = self.ahead.of(layer)
        for chunk, chunk_keys, chunk_values in self._by_chunk(*behind):
            self._write(lines.get(chunk), chunk_keys, chunk_values, wide[dim])
        return keys, values

    def _write(self, line: Line | None, keys: Tensor, values: Tensor, length: int) -> None:
        if line is None or (line.last.keys.shape, line.last.length) != (keys.shape, length):
            raise Unaccelerated(say("odd_cache"))
        line.write(self.time, keys, values)


class ReferenceTap(Live):
    """Stands in for the host's `optimized_attention_override`, and calls one that was there before."""

    def __init__(self, previous: Callable | None, passing: ReferencePass) -> None:
        self._previous, self._passing = previous, passing

    @torch.compiler.disable
    def __call__(self, func: Callable, q: Tensor, k: Tensor, v: Tensor, heads: int, *args, **kwargs) -> Tensor:
        attend = func if self._previous is None else partial(self._previous, func)
        passing, dim = self._passing, 2 if kwargs.get("skip_reshape") else 1
        following = passing.attentions.following(kwargs.get("transformer_options") or {})
        if following is None:
            return attend(q, k, v, heads, *args, **kwargs)
        layer, places = following
        if passing.call.stores:
            passing.store(layer, places, k, v, dim)
            if passing.call.isolated:
                return _apart(attend, spans(places, k.shape[dim]), q, k, v, heads, dim, *args, **kwargs)
            return attend(q, k, v, heads, *args, **kwargs)
        k, v = passing.completed(layer, references(places), k, v, dim)
        args, kwargs = _with_columns_of_references(places, q.shape[dim], args, kwargs)
        return attend(q, k, v, heads, *args, **kwargs)


def _apart(
    attend: Callable, rows: Spans, q: Tensor, k: Tensor, v: Tensor, heads: int, dim: int, *args, **kwargs
) -> Tensor:
    """References see themselves alone, all others everything (the attention that KV checkpoints were trained with)."""
    ((start, length),) = rows
    alone = (tensor.narrow(dim, start, length) for tensor in (q, k, v))
    everything = attend(q, k, v, heads, *args, **kwargs)
    along = 2 if kwargs.get("skip_output_reshape") else 1
    unmasked = {name: value for name, value in kwargs.items() if name != "mask"}
    everything.narrow(along, start, length).copy_(attend(*alone, heads, **unmasked))
    return everything


def _with_columns_of_references(places: Places, length: int, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """A mask of the computed tokens lets them see the references too; one of all tokens keeps the computed ones' rows,
    and has the references' columns last, as their keys are."""
    mask = args[0] if args else kwargs.get("mask")
    if mask is None:
        return args, kwargs
    whole = length + references(places)
    if mask.shape[-1] == length:
        mask = F.pad(mask, (0, whole - length), value=mask.dtype is torch.bool)
    elif mask.shape[-1] != whole:
        raise Unaccelerated(say("odd_mask", columns=mask.shape[-1], tokens=whole))
    else:
        mask = torch.cat([of(mask, places, mask.ndim - 1) for of in (computed, of_references)], dim=-1)
    if mask.ndim > 1 and mask.shape[-2] == whole:
        mask = computed(mask, places, mask.ndim - 2)
    return ((mask, *args[1:]), kwargs) if args else (args, {**kwargs, "mask": mask})
