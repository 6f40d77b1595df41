"""Scoped hooks on transformer blocks: computed tokens in, all tokens out; the residual stream keeps its full size."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from ...refusal import Unaccelerated
from ...sentences import Sentence, say
from .attention import BLOCK
from .tokens import BlockPass, TokenRows


@dataclass(frozen=True)
class Tap:
    """How one block is entered and left. `enter` narrows its arguments (by name, in place of the host's values) and
    puts the full residual stream aside; `leave` puts what the block returned back into it. `attentions` is how many
    times the block calls the host's attention, the first time over its own tokens."""

    layer: Hashable
    block: nn.Module
    attentions: int
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
        block = BlockPass(tap.layer, rows)
        with _known_to(module, _odd_arguments):
            bound = signature.bind(*args, **kwargs)
            tap.enter(bound.arguments, block)
            options = signature.parameters["transformer_options"].name
            bound.arguments[options] = {**bound.arguments.get(options, {}), BLOCK: block}
        passing.append(block)
        return bound.args, bound.kwargs

    def leave(module: nn.Module, args: tuple, output: object) -> object:
        block = passing.pop()
        block.require(tap.attentions)
        with _known_to(module, _odd_output):
            return tap.leave(block, output) if rows.partial else output

    return [
        tap.block.register_forward_pre_hook(enter, with_kwargs=True),
        tap.block.register_forward_hook(leave),
    ]


@contextmanager
def _known_to(block: nn.Module, tell: Callable[[str, str], Sentence]) -> Iterator[None]:
    """Another pack's block may be called with other arguments: a missing or odd one is no error of the run."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError) as odd:
        raise Unaccelerated(tell(type(block).__name__, f"{type(odd).__name__}: {odd}")) from odd


def _odd_arguments(block: str, error: str) -> Sentence:
    return say("odd_arguments", block=block, error=error)


def _odd_output(block: str, error: str) -> Sentence:
    return say("odd_output", block=block, error=error)


def scatter(residual: Tensor, rows: Tensor, computed: Tensor) -> Tensor:
    """Computed rows written into the residual stream, in place as the host's own blocks do."""
    return residual.index_copy_(1, rows, computed)
