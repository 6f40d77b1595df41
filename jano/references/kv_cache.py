"""Keys and values of reference tokens: the last two that were computed, and what they are expected to be by now."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

DAMPING = 0.8
"""Share of their line along the log odds of sigma that cached keys and values are carried on by. A line in full runs
away, holding them ages them."""


@dataclass(frozen=True)
class Kept:
    """Keys and values of one block's references, batch first, and the log odds at which they were computed."""

    keys: Tensor
    values: Tensor
    time: float

    @property
    def num_bytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes

    def narrow(self, dim: int, rows: int) -> Kept:
        return Kept(self.keys.narrow(dim, 0, rows), self.values.narrow(dim, 0, rows), self.time)


@dataclass(frozen=True)
class Line:
    """The last value of one block, and the one before it where it is known."""

    last: Kept
    previous: Kept | None = None

    @property
    def num_bytes(self) -> int:
        return self.last.num_bytes + (self.previous.num_bytes if self.previous else 0)

    def weight(self, time: float) -> float:
        """Of the last value at `time`, the one before has the rest."""
        if self.previous is None:
            return 1.0
        return 1.0 + DAMPING * (self.last.time - time) / (self.previous.time - self.last.time)

    def at(self, time: float, dim: int, rows: int) -> tuple[Tensor, Tensor]:
        """What the first `rows` tokens along `dim` are expected to be at `time`."""
        keys, values = (torch.empty_like(kept.narrow(dim, 0, rows)) for kept in (self.last.keys, self.last.values))
        self.narrow(dim, rows).write(time, keys, values)
        return keys, values

    def narrow(self, dim: int, rows: int) -> Line:
        """The line of the first `rows` tokens along `dim`."""
        return Line(self.last.narrow(dim, rows), self.previous and self.previous.narrow(dim, rows))

    def write(self, time: float, keys: Tensor, values: Tensor) -> None:
        """What they are expected to be at `time`, into tensors of their shapes."""
        weight = self.weight(time)
        if weight == 1.0:
            keys.copy_(self.last.keys)
            values.copy_(self.last.values)
            return
        torch.lerp(self.previous.keys, self.last.keys, weight, out=keys)
        torch.lerp(self.previous.values, self.last.values, weight, out=values)


class ReferenceCache:
    """Lines of one run, by conditioning chunk and block. Chunks that share their references may share their lines."""

    def __init__(self, extrapolates: bool) -> None:
        self._extrapolates = extrapolates
        self._lines: dict[Hashable, dict[Hashable, Line]] = {}

    @property
    def num_bytes(self) -> int:
        lines = {id(line): line for blocks in self._lines.values() for line in blocks.values()}
        return sum(line.num_bytes for line in lines.values())

    def layers(self, chunk: Hashable) -> Collection[Hashable]:
        """The blocks of which something is kept, in the order in which they were stored."""
        return self._lines.get(chunk, {}).keys()

    def line(self, chunk: Hashable, layer: Hashable) -> Line:
        """KeyError where nothing is kept."""
        return self._lines[chunk][layer]

    def store(self, chunk: Hashable, layer: Hashable, keys: Tensor, values: Tensor, time: float) -> None:
        """Keep copies; what the host passes may be a view into a far larger projection."""
        kept = Kept(_owned(keys), _owned(values), time)
        blocks = self._lines.setdefault(chunk, {})
        before = blocks[layer].last if self._extrapolates and layer in blocks else None
        fits = before is not None and before.keys.shape == kept.keys.shape and before.time > time
        blocks[layer] = Line(kept, before if fits else None)

    def share(self, chunk: Hashable, other: Hashable) -> None:
        """`chunk` has the references of `other`, and sees what that one keeps."""
        self._lines[chunk] = self._lines[other]

    def forget(self, chunks: Collection[Hashable]) -> None:
        for chunk in chunks:
            self._lines.pop(chunk, None)

    def drop(self) -> None:
        self._lines.clear()


def _owned(source: Tensor) -> Tensor:
    return source.clone(memory_format=torch.contiguous_format)
