"""Keys and values of every token, so that frozen tokens stay visible to attention (paper section 5.2, Fig. 6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

Chunks = tuple[Hashable, ...]


@dataclass(frozen=True)
class _Slot:
    """Rows of one conditioning chunk inside a buffer pair that several chunks may share."""

    keys: Tensor
    values: Tensor
    start: int
    rows: int

    def view(self) -> tuple[Tensor, Tensor]:
        return self.keys.narrow(0, self.start, self.rows), self.values.narrow(0, self.start, self.rows)


class KVCache:
    """One buffer pair per layer that holds every token's latest key and value, in token order.

    Computed tokens are written in place and the whole buffer is attended to, which moves less memory than the
    concatenation of the paper and keeps the columns of attention masks (measured in bench/attention).
    Chunks of one batch share a buffer, so that attending to them together costs no copy.
    """

    def __init__(self) -> None:
        self._slots: dict[tuple[Hashable, Hashable], _Slot] = {}

    @property
    def num_bytes(self) -> int:
        buffers = {slot.keys.data_ptr(): slot for slot in self._slots.values()}
        return sum(slot.keys.nbytes + slot.values.nbytes for slot in buffers.values())

    def store(self, chunks: Chunks, layer: Hashable, k: Tensor, v: Tensor) -> None:
        """Keep copies of all keys and values; rows of k and v (batch first) are split evenly over `chunks`."""
        buffers = self._joint(chunks, layer)
        if buffers is not None and buffers[0].shape == k.shape and buffers[0].dtype == k.dtype:
            buffers[0].copy_(k)
            buffers[1].copy_(v)
        else:
            self._home(chunks, layer, _owned(k), _owned(v))

    def fits(self, chunks: Chunks, layer: Hashable, index: Tensor, dim: int, k: Tensor) -> bool:
        """Whether keys of the tokens at `index` along `dim`, chunks behind one another, fit into what is kept."""
        slots = [self._slots.get((chunk, layer)) for chunk in chunks]
        if None in slots:
            return False
        kept = slots[0].view()[0]
        shape = (sum(slot.rows for slot in slots), *kept.shape[1:dim], index.numel(), *kept.shape[dim + 1 :])
        return tuple(k.shape) == shape

    def update(
        self, chunks: Chunks, layer: Hashable, index: Tensor, dim: int, k: Tensor, v: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Write the computed tokens at `index` along `dim` and return the keys and values of all tokens."""
        buffers = self._joint(chunks, layer)
        if buffers is None:
            views = [self._slots[chunk, layer].view() for chunk in chunks]
            buffers = tuple(torch.cat(parts) for parts in zip(*views, strict=True))
            self._home(chunks, layer, *buffers)
        keys, values = buffers
        keys.index_copy_(dim, index, k)
        values.index_copy_(dim, index, v)
        return keys, values

    def retain(self, chunks: Chunks, layers: Collection[Hashable]) -> None:
        """Let go of what these chunks kept in other layers: those were left out, and what they kept is too old."""
        self._forget(lambda chunk, layer: chunk in chunks and layer not in layers)

    def forget(self, chunks: Collection[Hashable]) -> None:
        """Let go of all that these chunks kept."""
        self._forget(lambda chunk, layer: chunk in chunks)

    def _forget(self, is_old: Callable[[Hashable, Hashable], bool]) -> None:
        self._slots = {key: slot for key, slot in self._slots.items() if not is_old(*key)}

    def drop(self) -> None:
        self._slots.clear()

    def _joint(self, chunks: Chunks, layer: Hashable) -> tuple[Tensor, Tensor] | None:
        """The buffers of `chunks` as one batch, when they lie in this order behind one another."""
        slots = [self._slots.get((chunk, layer)) for chunk in chunks]
        if None in slots:
            return None
        start = end = slots[0].start
        for slot in slots:
            if slot.keys is not slots[0].keys or slot.start != end:
                return None
            end += slot.rows
        return slots[0].keys.narrow(0, start, end - start), slots[0].values.narrow(0, start, end - start)

    def _home(self, chunks: Chunks, layer: Hashable, keys: Tensor, values: Tensor) -> None:
        rows = keys.shape[0] // len(chunks)
        for number, chunk in enumerate(chunks):
            self._slots[chunk, layer] = _Slot(keys, values, number * rows, rows)


def _owned(source: Tensor) -> Tensor:
    """A contiguous copy: what the host passes may be a view into a far larger projection."""
    return source.clone(memory_format=torch.contiguous_format)
