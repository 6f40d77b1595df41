"""Where the references' tokens lie in what a call computes, and which of its attentions see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable

import torch
from torch import Tensor

from ...refusal import Unaccelerated
from ...sentences import say

Places = tuple[int | None, ...]
"""A sequence: how many of its tokens are computed, are references', are computed, and so on. None: all others."""
Spans = tuple[tuple[int, int], ...]
Stage = tuple[int, Places | None]
"""So many attentions one after the other, over such a sequence; None where no reference is computed or seen."""


def spans(places: Places, length: int) -> Spans:
    """Start and number of the references' tokens in a sequence of this length."""
    others = length - sum(filter(None, places))
    if others < 0 or (others and None not in places):
        raise Unaccelerated(say("odd_length_of_references", got=length, expected=references(places)))
    found, start = [], 0
    for number, tokens in enumerate(others if tokens is None else tokens for tokens in places):
        if number % 2 and tokens:
            found.append((start, tokens))
        start += tokens
    return tuple(found)


def references(places: Places) -> int:
    """How many of its tokens are references'."""
    return sum(places[1::2])


def of_references(x: Tensor, places: Places, dim: int) -> Tensor:
    """The references' rows of x, whose tokens lie along `dim`."""
    return _joined(x, spans(places, x.shape[dim]), dim)


def computed(x: Tensor, places: Places, dim: int) -> Tensor:
    """All other rows of x."""
    ends = [0, *(bound for start, tokens in spans(places, x.shape[dim]) for bound in (start, start + tokens))]
    between = zip(ends[::2], [*ends[1::2], x.shape[dim]], strict=True)
    return _joined(x, [(start, end - start) for start, end in between if end > start], dim)


def _joined(x: Tensor, found: Iterable[tuple[int, int]], dim: int) -> Tensor:
    rows = [x.narrow(dim, *span) for span in found]
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim)


class Numbered:
    """Attentions of blocks that the host numbers: the first of a block's is over all its tokens, which lie in these
    `places`; it calls the host's attention so many times."""

    def __init__(self, places: Places, attentions: int = 1) -> None:
        self._places, self._attentions = places, attentions
        self._seen: Counter[Hashable] = Counter()

    def following(self, options: dict) -> tuple[Hashable, Places] | None:
        """The block whose attention runs now, and its places; None for an attention that sees no reference."""
        if "block_index" not in options:
            return None
        layer = options.get("block_type"), options["block_index"]
        self._seen[layer] += 1
        return (layer, self._places) if self._seen[layer] == 1 else None

    def were(self, layers: Collection[Hashable]) -> bool:
        """Whether these are the blocks that attended, each as it should."""
        usual = all(count == self._attentions for count in self._seen.values())
        return usual and bool(self._seen) and self._seen.keys() == set(layers)


class Counted:
    """Attentions of a network that does not number its blocks (all of them): known by their order in a call."""

    def __init__(self, stages: Iterable[Stage]) -> None:
        self._stages = [
            places if places and references(places) else None
            for attentions, places in stages
            for _ in range(attentions)
        ]
        self._seen = self._seeing = 0

    def following(self, options: dict) -> tuple[Hashable, Places] | None:
        """As above; the order is the same in calls with references and without, whatever else attends between."""
        if self._seen >= len(self._stages):
            raise Unaccelerated(say("odd_blocks"))
        places = self._stages[self._seen]
        self._seen += 1
        if places is None:
            return None
        self._seeing += 1
        return self._seeing, places

    def were(self, layers: Collection[Hashable]) -> bool:
        return self._seen == len(self._stages) and self._seeing == len(layers)
