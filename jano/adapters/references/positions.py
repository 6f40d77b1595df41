"""Positions of a call without its references, in models that count their picture's on from them: those of the call that
computed the references, but for theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ...refusal import Unaccelerated
from ...sentences import say
from .layout import Places, computed


@contextmanager
def noted(embedder: nn.Module) -> Iterator[list[Tensor]]:
    """What a network's embedder is told while it computes a call: positions (batch, tokens, axes), maybe in parts."""
    told: list[Tensor] = []

    def note(module: nn.Module, args: tuple) -> None:
        told.append(_positions_in(args))

    handle = embedder.register_forward_pre_hook(note)
    try:
        yield told
    finally:
        handle.remove()


def kept(told: list[Tensor], places: Places) -> Tensor:
    """Of one picture (they are the same for all), those of the tokens that are not references'; Unaccelerated where the
    embedder was not asked as it should be, or not at all: another pack may place tokens by itself."""
    if len({positions.shape[2] for positions in told}) != 1:
        raise Unaccelerated(say("odd_positions"))
    return computed(torch.cat([positions[:1] for positions in told], dim=1), places, 1)


@contextmanager
def told_again(embedder: nn.Module, positions: Tensor | None) -> Iterator[None]:
    """The embedder is told these, in their order, whatever the network counts; all of them, or it is no such call."""
    if positions is None:
        raise Unaccelerated(say("odd_positions"))
    passed: list[int] = []

    def tell(module: nn.Module, args: tuple) -> tuple:
        own, rest = _positions_in(args), args[1:]
        start = sum(passed)
        passed.append(own.shape[1])
        if sum(passed) > positions.shape[1] or own.shape[2] != positions.shape[2]:
            raise Unaccelerated(say("odd_positions"))
        return (positions[:, start : sum(passed)].to(own).expand_as(own), *rest)

    handle = embedder.register_forward_pre_hook(tell)
    try:
        yield
    finally:
        handle.remove()
    if sum(passed) != positions.shape[1]:
        raise Unaccelerated(say("odd_positions"))


def _positions_in(args: tuple) -> Tensor:
    if not args:
        raise Unaccelerated(say("odd_positions"))
    return args[0]
