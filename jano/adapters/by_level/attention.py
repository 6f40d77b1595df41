"""The one place where attention changes: frozen tokens' keys and values are kept, and put back for computed queries."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial

import comfy.model_management
import torch
from torch import Tensor

from ...refusal import Unaccelerated
from ...sentences import say
from ..live import Live
from .tokens import BlockPass, TokenRows

OVERRIDE = "optimized_attention_override"
BLOCK = "jano_block"


class AttentionTap(Live):
    """Stands in for the host's `optimized_attention_override`, and calls one that was there before.

    Attention outside tapped blocks, and any but the self-attention inside them, passes through.
    """

    def __init__(self, previous: Callable | None) -> None:
        self._previous = previous

    @torch.compiler.disable
    def __call__(self, func: Callable, q: Tensor, k: Tensor, v: Tensor, heads: int, *args, **kwargs) -> Tensor:
        attend = func if self._previous is None else partial(self._previous, func)
        block: BlockPass | None = (kwargs.get("transformer_options") or {}).get(BLOCK)
        if block is None or not block.next_is_joint():
            return attend(q, k, v, heads, *args, **kwargs)
        rows, dim = block.rows, 2 if kwargs.get("skip_reshape") else 1
        rows.layers.add(block.layer)
        if not rows.partial:
            _store(rows, block.layer, k, v)
            return attend(q, k, v, heads, *args, **kwargs)
        if not rows.cache.fits(rows.call.chunks, block.layer, rows.joint, dim, k):
            raise Unaccelerated(say("odd_cache"))
        fetched = rows.fetched(block.layer, k.device)
        k, v = rows.cache.update(rows.call.chunks, block.layer, rows.joint, dim, k, v, fetched)
        args, kwargs = _with_query_rows_of_mask(rows, args, kwargs)
        return attend(q, k, v, heads, *args, **kwargs)


def _store(rows: TokenRows, layer: Hashable, k: Tensor, v: Tensor) -> None:
    """Running out of memory ends the keeping, not the run."""
    if rows.ran_out:
        return
    try:
        rows.cache.store(rows.call.chunks, layer, k, v)
    except Exception as error:
        if rows.cache.storage != "fp8":  # which some devices do not have at all
            comfy.model_management.raise_non_oom(error)
        rows.ran_out = True


def _with_query_rows_of_mask(rows: TokenRows, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """Mask columns stay as they are, since all keys are there in their order; its rows follow the queries."""
    mask = args[0] if args else kwargs.get("mask")
    if mask is None or mask.ndim < 2 or mask.shape[-2] != rows.layout.length:
        return args, kwargs
    mask = rows.gather_joint(mask, mask.ndim - 2)
    return ((mask, *args[1:]), kwargs) if args else (args, {**kwargs, "mask": mask})
