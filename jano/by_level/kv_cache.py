"""Keys and values of every token, so that frozen tokens stay visible to attention (paper section 5.2, Fig. 6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..prefetch import Prefetch
from ..storage import Packed, joined, packed

Chunks = tuple[Hashable, ...]


@dataclass(frozen=True)
class _Slot:
    """Rows of one conditioning chunk inside a buffer pair that several chunks may share."""

    keys: Packed
    values: Packed
    start: int
    rows: int

    def view(self) -> tuple[Packed, Packed]:
        return self.keys.pictures(self.start, self.rows), self.values.pictures(self.start, self.rows)


class KVCache:
    """One buffer pair per layer that holds every token's latest key and value, in token order, in one `storage`.

    Computed tokens are written in place and the whole buffer is attended to, which moves less memory than the
    concatenation of the paper and keeps the columns of attention masks (measured in bench/attention). Elsewhere than
    on the device, all of a layer's come there one layer ahead (the paper's offload), and are written back.
    Chunks of one batch share a buffer, so that attending to them together costs no copy.
    """

    def __init__(self, storage: str = "device") -> None:
        self.storage = storage
        self._slots: dict[tuple[Hashable, Hashable], _Slot] = {}

    @property
    def num_bytes(self) -> int:
        buffers = {id(slot.keys): slot for slot in self._slots.values()}
        return sum(slot.keys.num_bytes + slot.values.num_bytes for slot in buffers.values())

    def store(self, chunks: Chunks, layer: Hashable, k: Tensor, v: Tensor) -> None:
        """Keep copies of all keys and values; rows of k and v (batch first) are split evenly over `chunks`."""
        kept = self._joint(chunks, layer)
        if kept is None or kept[0].scale is not None or (kept[0].shape, kept[0].dtype) != (k.shape, k.dtype):
            self._home(chunks, layer, *(packed(x, self.storage, -1) for x in (k, v)))
            return
        for buffer, x in zip(kept, (k, v), strict=True):
            buffer.refill(x)

    def fits(self, chunks: Chunks, layer: Hashable, index: Tensor, dim: int, k: Tensor) -> bool:
        """Whether keys of the tokens at `index` along `dim`, chunks behind one another, fit into what is kept."""
        slots = [self._slots.get((chunk, layer)) for chunk in chunks]
        if None in slots:
            return False
        kept = slots[0].keys
        shape = (sum(slot.rows for slot in slots), *kept.shape[1:dim], index.numel(), *kept.shape[dim + 1 :])
        return tuple(k.shape) == shape

    def ahead(self, chunks: Chunks, device: torch.device) -> Prefetch[tuple[Packed, ...]]:
        """Keys and values of one call on its device, layer by layer; nothing of a layer that some chunk has not."""
        order = [layer for chunk, layer in self._slots if chunk == chunks[0]]

        def fetch(layer: Hashable) -> tuple[Packed, ...]:
            known = all((chunk, layer) in self._slots for chunk in chunks)
            return tuple(kept.to(device) for kept in self._together(chunks, layer)) if known else ()

        def tensors(fetched: tuple[Packed, ...]) -> tuple[Tensor, ...]:
            return tuple(kept.data for kept in fetched)

        return Prefetch(order, fetch, tensors, device, self.storage == "cpu")

    def update(
        self,
        chunks: Chunks,
        layer: Hashable,
        index: Tensor,
        dim: int,
        k: Tensor,
        v: Tensor,
        fetched: tuple[Packed, ...] = (),
    ) -> tuple[Tensor, ...]:
        """Write the computed tokens at `index` along `dim` and return the keys and values of all tokens, made of what
        was `fetched` of them where they are not on the device."""
        kept = self._together(chunks, layer)
        parts = zip(kept, fetched or kept, (k, v), strict=True)
        return tuple(buffer.write(there.unpacked(), index, dim, x) for buffer, there, x in parts)

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

    def _together(self, chunks: Chunks, layer: Hashable) -> tuple[Packed, Packed]:
        """The buffers of `chunks` as one batch, put together where they are apart. KeyError where one is missing."""
        kept = self._joint(chunks, layer)
        if kept is None:
            views = [self._slots[chunk, layer].view() for chunk in chunks]
            kept = tuple(joined(parts) for parts in zip(*views, strict=True))
            self._home(chunks, layer, *kept)
        return kept

    def _joint(self, chunks: Chunks, layer: Hashable) -> tuple[Packed, Packed] | None:
        """The buffers of `chunks` as one batch, when they lie in this order behind one another."""
        slots = [self._slots.get((chunk, layer)) for chunk in chunks]
        if None in slots:
            return None
        start = end = slots[0].start
        for slot in slots:
            if slot.keys is not slots[0].keys or slot.start != end:
                return None
            end += slot.rows
        return slots[0].keys.pictures(start, end - start), slots[0].values.pictures(start, end - start)

    def _home(self, chunks: Chunks, layer: Hashable, keys: Packed, values: Packed) -> None:
        rows = keys.shape[0] // len(chunks)
        for number, chunk in enumerate(chunks):
            self._slots[chunk, layer] = _Slot(keys, values, number * rows, rows)
