"""What is kept in main memory comes to its device one block ahead of its use."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

Kept = TypeVar("Kept")


class Prefetch(Generic[Kept]):
    """What is kept of the blocks of one call, in their `order`. While a block computes, that of the block after it is
    copied, by a stream of its own where it comes from another memory (`apart`, on CUDA); what lies on the device is
    handed out as it is. Two blocks' are there at a time. `fetch` starts the copies of one; `tensors` are those in it.
    """

    def __init__(
        self,
        order: Sequence[Hashable],
        fetch: Callable[[Hashable], Kept],
        tensors: Callable[[Kept], Iterable[Tensor]],
        device: torch.device,
        apart: bool,
    ) -> None:
        self._fetch, self._tensors, self._device = fetch, tensors, device
        self._following = dict(zip(order, order[1:], strict=False))
        self._ahead: dict[Hashable, Kept] = {}
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" and apart else None

    def of(self, layer: Hashable) -> Kept:
        """Ready for use."""
        known = layer in self._ahead
        kept = self._ahead.pop(layer) if known else self._fetched(layer)
        self._wait_for(kept)
        following = self._following.get(layer)
        self._ahead = {} if following is None else {following: self._fetched(following)}
        return kept

    def _fetched(self, layer: Hashable) -> Kept:
        """Copies on their way. What was stored last is in main memory before they begin."""
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):  # of None: nothing
            return self._fetch(layer)

    def _wait_for(self, kept: Kept) -> None:
        """The computing stream goes on once they are there, and they stay until it has used them."""
        if self._stream is None:
            return
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._stream)
        for tensor in self._tensors(kept):
            tensor.record_stream(computing)
