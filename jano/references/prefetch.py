"""What is kept in main memory comes to its device one block ahead of its use."""

from __future__ import annotations

from collections.abc import Hashable

import torch

from .kv_cache import Line, ReferenceCache

Lines = dict[Hashable, Line]


class Prefetch:
    """The lines of one call, block by block. While a block computes, those of the block after it are copied, on CUDA
    by a stream of their own; what lies on the device is handed out as it is. Two blocks' are there at a time."""

    def __init__(self, cache: ReferenceCache, chunks: tuple[Hashable, ...], device: torch.device) -> None:
        self._cache, self._chunks, self._device = cache, chunks, device
        order = list(cache.layers(chunks[0]))
        self._following = dict(zip(order, order[1:], strict=False))
        self._ahead: dict[Hashable, Lines] = {}
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" and cache.storage == "cpu" else None

    def lines(self, layer: Hashable) -> Lines:
        """By chunk, ready for use; without those of which nothing is kept in this block."""
        lines = self._ahead.pop(layer, None) or self._fetched(layer)
        self._wait_for(lines)
        following = self._following.get(layer)
        self._ahead = {} if following is None else {following: self._fetched(following)}
        return lines

    def _fetched(self, layer: Hashable) -> Lines:
        """Copies on their way. What was stored last is in main memory before they begin."""
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):  # of None: nothing
            known = (chunk for chunk in self._chunks if layer in self._cache.layers(chunk))
            return {chunk: self._cache.line(chunk, layer).to(self._device) for chunk in known}

    def _wait_for(self, lines: Lines) -> None:
        """The computing stream goes on once they are there, and they stay until it has used them."""
        if self._stream is None:
            return
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._stream)
        for line in lines.values():
            for tensor in line.tensors():
                tensor.record_stream(computing)
