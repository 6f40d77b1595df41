"""The one place where a call is told of its references: their K and V are kept, or put beside the computed ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial

import comfy.model_management
import torch
import torch.nn.functional as F
from torch import Tensor

from ...references.drift import drift_of, metered
from ...references.engine import Call
from ...references.kv_cache import Line, ReferenceCache
from ...references.prefetch import Prefetch
from ...refusal import Unaccelerated
from ...sentences import say
from ..live import Live

OVERRIDE = "optimized_attention_override"


@dataclass
class ReferencePass(Live):
    """One call of the transformer: what attention inside its blocks must know, and what it saw. `start` is the first
    reference's row in the joint sequence, None where they are its last; `attentions` how often a block attends."""

    call: Call
    cache: ReferenceCache
    time: float
    attentions: int = 1
    start: int | None = None
    drifts: list[float] = field(default_factory=list)
    ran_out: bool = False
    ahead: Prefetch | None = None
    seen: Counter[Hashable] = field(default_factory=Counter)

    def enter(self, options: dict) -> Hashable | None:
        """The block whose own attention runs now; None for any other attention."""
        if "block_index" not in options:
            return None
        layer = options.get("block_type"), options["block_index"]
        self.seen[layer] += 1
        return layer if self.seen[layer] == 1 else None

    def require(self) -> None:
        """Unaccelerated unless every block attended as it should; else some attention was not seen, or in parts."""
        chunk = self.call.chunks[0]
        odd = any(count != self.attentions for count in self.seen.values())
        if self.ran_out:
            return
        if odd or not self.seen or self.seen.keys() != set(self.cache.layers(chunk)):
            raise Unaccelerated(say("odd_blocks"))

    def store(self, layer: Hashable, k: Tensor, v: Tensor, dim: int) -> None:
        """Keep the references' rows of k and v (all chunks, batch first; tokens along `dim`), and see how far they
        drifted. Running out of memory ends the keeping, not the run."""
        if self.ran_out:
            return
        rows = self.references(k.shape[dim])
        try:
            kept = {chunk: pair for chunk, *pair in self._by_chunk(k.narrow(dim, *rows), v.narrow(dim, *rows))}
            for chunk, (keys, values) in kept.items():  # both sides of the guidance may have one key
                self._keep(chunk, layer, keys, values, dim, k.shape[dim])
        except Exception as error:
            if self.cache.storage != "fp8":  # which some devices do not have at all
                comfy.model_management.raise_non_oom(error)
            self.ran_out = True

    def references(self, length: int) -> tuple[int, int]:
        """Start and number of the references' rows in a joint sequence of this length."""
        start = length - self.call.num_tokens if self.start is None else self.start
        if start < 0 or start + self.call.num_tokens > length:
            raise Unaccelerated(say("odd_length_of_references", got=length, expected=self.call.num_tokens))
        return start, self.call.num_tokens

    def _by_chunk(self, *tensors: Tensor) -> zip:
        return zip(self.call.chunks, *(tensor.chunk(len(self.call.chunks)) for tensor in tensors), strict=True)

    def _keep(self, chunk: Hashable, layer: Hashable, keys: Tensor, values: Tensor, dim: int, length: int) -> None:
        known = self.cache.layers(chunk)
        if layer in known and layer in metered(known):
            self.drifts.append(drift_of(self.cache.line(chunk, layer), keys, values, self.time, dim))
        self.cache.store(chunk, layer, keys, values, self.time, dim, length)

    def completed(self, layer: Hashable, k: Tensor, v: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        """k and v of the computed tokens, with those that the references are expected to have now behind them."""
        length, wide = k.shape[dim], list(k.shape)
        wide[dim] += self.call.num_tokens
        keys, values = k.new_empty(wide), v.new_empty(wide)
        keys.narrow(dim, 0, length).copy_(k)
        values.narrow(dim, 0, length).copy_(v)
        behind = (tensor.narrow(dim, length, self.call.num_tokens) for tensor in (keys, values))
        self.ahead = self.ahead or Prefetch(self.cache, self.call.chunks, k.device)
        lines = self.ahead.lines(layer)
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
        layer = passing.enter(kwargs.get("transformer_options") or {})
        if layer is None:
            return attend(q, k, v, heads, *args, **kwargs)
        if passing.call.stores:
            passing.store(layer, k, v, dim)
            if passing.call.isolated:
                return _apart(attend, passing.references(k.shape[dim]), q, k, v, heads, dim, *args, **kwargs)
            return attend(q, k, v, heads, *args, **kwargs)
        k, v = passing.completed(layer, k, v, dim)
        args, kwargs = _with_columns_of_references(passing.call.num_tokens, q.shape[dim], args, kwargs)
        return attend(q, k, v, heads, *args, **kwargs)


def _apart(
    attend: Callable, rows: tuple[int, int], q: Tensor, k: Tensor, v: Tensor, heads: int, dim: int, *args, **kwargs
) -> Tensor:
    """References see themselves alone, all others everything (the attention that KV checkpoints were trained with)."""
    start, length = rows
    alone = (tensor.narrow(dim, start, length) for tensor in (q, k, v))
    everything = attend(q, k, v, heads, *args, **kwargs)
    along = 2 if kwargs.get("skip_output_reshape") else 1
    unmasked = {name: value for name, value in kwargs.items() if name != "mask"}
    everything.narrow(along, start, length).copy_(attend(*alone, heads, **unmasked))
    return everything


def _with_columns_of_references(num_tokens: int, length: int, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """A mask of the computed tokens lets them see the references too; one of all tokens keeps its first rows."""
    mask = args[0] if args else kwargs.get("mask")
    if mask is None:
        return args, kwargs
    if mask.shape[-1] == length:
        mask = F.pad(mask, (0, num_tokens), value=mask.dtype is torch.bool)
    elif mask.shape[-1] != length + num_tokens:
        raise Unaccelerated(say("odd_mask", columns=mask.shape[-1], tokens=length + num_tokens))
    if mask.ndim > 1 and mask.shape[-2] == length + num_tokens:
        mask = mask[..., :length, :]
    return ((mask, *args[1:]), kwargs) if args else (args, {**kwargs, "mask": mask})
