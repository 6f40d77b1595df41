"""Keys and values of reference tokens: the last two that were computed, and what they are expected to be by now."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..prefetch import Prefetch
from ..storage import Packed, packed

DAMPING = 0.8
"""Share of their line along the log odds of sigma that cached keys and values are carried on by. A line in full runs
away, holding them ages them."""

FIRST_TIME = 4.0
"""Log odds above which nothing changes: pure noise is pure noise. The first step's own, 6.9, would make lines from it
three times too flat (tiny edit model, 8 steps)."""


@dataclass(frozen=True)
class Kept:
    """Keys and values of one block's references, batch first, the log odds at which they were computed, and how many
    tokens the block attended to then."""

    keys: Packed
    values: Packed
    time: float
    length: int = 0

    @property
    def num_bytes(self) -> int:
        return self.keys.num_bytes + self.values.num_bytes

    def to(self, device: torch.device) -> Kept:
        return replace(self, keys=self.keys.to(device), values=self.values.to(device))

    def narrow(self, dim: int, rows: int) -> Kept:
        return Kept(self.keys.narrow(dim, rows), self.values.narrow(dim, rows), self.time, self.length)


@dataclass(frozen=True)
class Line:
    """The last value of one block, and the one before it where it is known."""

    last: Kept
    previous: Kept | None = None

    @property
    def num_bytes(self) -> int:
        return self.last.num_bytes + (self.previous.num_bytes if self.previous else 0)

    def narrow(self, dim: int, rows: int) -> Line:
        """The line of the first `rows` tokens along `dim`."""
        return Line(self.last.narrow(dim, rows), self.previous and self.previous.narrow(dim, rows))

    def to(self, device: torch.device) -> Line:
        """The same on `device`."""
        return Line(self.last.to(device), self.previous and self.previous.to(device))

    def tensors(self) -> Iterator[Tensor]:
        """All that it is made of, but for scales."""
        for kept in filter(None, (self.last, self.previous)):
            yield from (kept.keys.data, kept.values.data)

    def weight(self, time: float) -> float:
        """Of the last value at `time`; the one before has the rest."""
        if self.previous is None or self.last.time >= FIRST_TIME:
            return 1.0
        since, ahead = min(self.previous.time, FIRST_TIME) - self.last.time, self.last.time - time
        return 1.0 + DAMPING * ahead / since

    def write(self, time: float, keys: Tensor, values: Tensor) -> None:
        """What they are expected to be at `time`, into tensors of their shapes."""
        weight = self.weight(time)
        for name, out in (("keys", keys), ("values", values)):
            last = getattr(self.last, name).unpacked()
            if weight == 1.0:
                out.copy_(last)
            else:
                torch.lerp(getattr(self.previous, name).unpacked(), last, weight, out=out)

    def at(self, time: float) -> tuple[Tensor, Tensor]:
        """The same, as new tensors."""
        keys, values = torch.empty_like(self.last.keys.unpacked()), torch.empty_like(self.last.values.unpacked())
        self.write(time, keys, values)
        return keys, values


class ReferenceCache:
    """Lines of one run, by conditioning chunk and block, in one `storage`."""

    def __init__(self, extrapolates: bool, storage: str = "device") -> None:
        self._extrapolates, self.storage = extrapolates, storage
        self._lines: dict[Hashable, dict[Hashable, Line]] = {}
        self._positions: dict[Hashable, Tensor] = {}

    @property
    def values(self) -> int:
        """How many values of each block are kept at most."""
        return 2 if self._extrapolates else 1

    @property
    def num_bytes(self) -> int:
        return sum(line.num_bytes for blocks in self._lines.values() for line in blocks.values())

    def layers(self, chunk: Hashable) -> Collection[Hashable]:
        """The blocks of which something is kept, in the order in which they were stored."""
        return self._lines.get(chunk, {}).keys()

    def line(self, chunk: Hashable, layer: Hashable) -> Line:
        """KeyError where nothing is kept."""
        return self._lines[chunk][layer]

    def store(
        self, chunk: Hashable, layer: Hashable, keys: Tensor, values: Tensor, time: float, dim: int, length: int = 0
    ) -> None:
        """Keep copies of keys and values, whose tokens lie along `dim`, of a block that attended to `length` tokens."""
        kept = Kept(packed(keys, self.storage, dim), packed(values, self.storage, dim), time, length)
        blocks = self._lines.setdefault(chunk, {})
        before = blocks[layer].last if self._extrapolates and layer in blocks else None
        fits = before is not None and before.keys.shape == kept.keys.shape and before.time > time
        blocks[layer] = Line(kept, before if fits else None)

    def keep_positions(self, chunks: Collection[Hashable], positions: Tensor) -> None:
        """Where the tokens beside the references are (1, tokens, axes), in models that count them on from those."""
        self._positions |= dict.fromkeys(chunks, positions)

    def ahead(self, chunks: Sequence[Hashable], device: torch.device) -> Prefetch[dict[Hashable, Line]]:
        """The lines of one call on its device, block by block: by chunk, without those of which nothing is kept."""

        def fetch(layer: Hashable) -> dict[Hashable, Line]:
            known = (chunk for chunk in chunks if layer in self.layers(chunk))
            return {chunk: self.line(chunk, layer).to(device) for chunk in known}

        def tensors(lines: dict[Hashable, Line]) -> Iterator[Tensor]:
            return (tensor for line in lines.values() for tensor in line.tensors())

        return Prefetch(list(self.layers(chunks[0])), fetch, tensors, device, self.storage == "cpu")

    def positions(self, chunks: Sequence[Hashable]) -> Tensor | None:
        """Of a call for all these; None where they are not known, or not the same."""
        first, *others = (self._positions.get(chunk) for chunk in chunks)
        same = first is not None and all(other is first or _equal(other, first) for other in others)
        return first if same else None

    def forget(self, chunks: Collection[Hashable]) -> None:
        for chunk in chunks:
            self._lines.pop(chunk, None)
            self._positions.pop(chunk, None)

    def drop(self) -> None:
        self._lines.clear()
        self._positions.clear()


def _equal(one: Tensor | None, other: Tensor) -> bool:
    return one is not None and one.shape == other.shape and torch.equal(one, other)
