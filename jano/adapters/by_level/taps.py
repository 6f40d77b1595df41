"""Scoped hooks on transformer blocks: computed tokens in, all tokens out; the residual stream keeps its full size."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from .attention import BLOCK
from .tokens import BlockPass, TokenRows


@dataclass(frozen=True)
class Tap:
    """How one block is entered and left. `enter` narrows its arguments (by name, in place of the host's values) and
    puts the full residual stream aside; `leave` puts what the block returned back into it."""

    layer: Hashable
    block: nn.Module
    enter: Callable[[dict, BlockPass], None]
    leave: Callable[[BlockPass, object], object]


@contextmanager
def tapped(taps: list[Tap], rows: TokenRows) -> Iterator[None]:
    """Hooks on every block for the duration of one transformer call; nothing stays behind, whatever is raised."""
    handles = []
    try:
        for tap in taps:
            handles += _hook(tap, rows)
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(tap: Tap, rows: TokenRows) -> list:
    signature = inspect.signature(getattr(tap.block, "_orig_mod", tap.block).forward)
    passing: list[BlockPass] = []

    def enter(module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        arguments = signature.bind(*args, **kwargs).arguments
        block = BlockPass(tap.layer, rows)
        tap.enter(arguments, block)
        arguments["transformer_options"] = {**arguments.get("transformer_options", {}), BLOCK: block}
        passing.append(block)
        return (), arguments

    def leave(module: nn.Module, args: tuple, output: object) -> object:
        block = passing.pop()
        return tap.leave(block, output) if rows.partial else output

    return [
        tap.block.register_forward_pre_hook(enter, with_kwargs=True),
        tap.block.register_forward_hook(leave),
    ]


def scatter(residual: Tensor, rows: Tensor, computed: Tensor) -> Tensor:
    """Computed rows written into the residual stream, in place as the host's own blocks do."""
    return residual.index_copy_(1, rows, computed)
