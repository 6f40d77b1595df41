"""Where kept keys and values lie: on the device as they are, in eight bits, or in the main memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

STORAGES = ("device", "fp8", "cpu")
"""From the fastest to the one that takes least of the device's memory."""
FP8 = torch.float8_e4m3fn
LARGEST = torch.finfo(FP8).max


@dataclass(frozen=True)
class Packed:
    """A tensor as it is stored; `scale`, if any, is what its channels, or its tokens, were divided by."""

    data: Tensor
    dtype: torch.dtype
    device: torch.device
    scale: Tensor | None = None

    @property
    def num_bytes(self) -> int:
        return self.data.nbytes + (0 if self.scale is None else self.scale.nbytes)

    @property
    def shape(self) -> torch.Size:
        return self.data.shape

    def unpacked(self) -> Tensor:
        """As it was, on its device; in eight bits within 1/16 of each value."""
        data = self.data.to(self.device, non_blocking=True)
        return data if self.scale is None else data.to(self.dtype) * self.scale

    def to(self, device: torch.device) -> Packed:
        """The same with its data on `device`; from pinned memory that may be under way still."""
        return replace(self, data=self.data.to(device, non_blocking=True))

    def narrow(self, dim: int, rows: int) -> Packed:
        """Its first `rows` along the tokens' dimension `dim`."""
        return replace(self, data=self.data.narrow(dim, 0, rows))

    def pictures(self, start: int, rows: int) -> Packed:
        """Some of its pictures, which are one another's batch."""
        scale = None if self.scale is None else self.scale.narrow(0, start, rows)
        return replace(self, data=self.data.narrow(0, start, rows), scale=scale)

    def refill(self, x: Tensor) -> None:
        """The same with other values, where nothing has to be scaled."""
        self.data.copy_(x, non_blocking=True)

    def write(self, whole: Tensor, index: Tensor, dim: int, x: Tensor) -> Tensor:
        """Rows of x take the place of those at `index` along `dim`, here and in `whole`, which is all of this on its
        device; returns that. In eight bits every token has scales of its own, so that the others stay as they are."""
        whole.index_copy_(dim, index, x)
        if self.scale is not None:
            rows = packed(x, "fp8", -1)
            self.data.view(torch.uint8).index_copy_(dim, index, rows.data.view(torch.uint8))
            self.scale.index_copy_(dim, index, rows.scale)
        elif whole.data_ptr() != self.data.data_ptr():
            self.refill(whole)
        return whole


def packed(x: Tensor, storage: str, dim: int) -> Packed:
    """A copy of x: what the host passes may be a view into a far larger projection. In eight bits the largest along
    `dim` scales what lies along it: the tokens, of which each channel has a scale then, or a token's channels."""
    if storage == "device":
        return Packed(x.clone(memory_format=torch.contiguous_format), x.dtype, x.device)
    if storage == "cpu":
        return Packed(_in_main_memory(x), x.dtype, x.device)
    scale = (x.abs().amax(dim, keepdim=True).float() / LARGEST).clamp_min(torch.finfo(torch.float32).tiny)
    return Packed((x / scale).to(FP8), x.dtype, x.device, scale.to(x.dtype))


def joined(parts: Sequence[Packed]) -> Packed:
    """All their pictures as one batch, in a copy."""
    first, pinned = parts[0], parts[0].data.is_pinned()
    if pinned:
        torch.cuda.synchronize(first.device)  # what is under way to the main memory is not there yet
    data = torch.cat([part.data.view(torch.uint8) if part.scale is not None else part.data for part in parts])
    if first.scale is not None:
        return replace(first, data=data.view(FP8), scale=torch.cat([part.scale for part in parts]))
    return replace(first, data=data.pin_memory() if pinned else data)


def _in_main_memory(x: Tensor) -> Tensor:
    """Pinned where there is a device to copy to and from, which then need not wait for the copy."""
    pinned = x.device.type == "cuda"
    return torch.empty(x.shape, dtype=x.dtype, pin_memory=pinned).copy_(x, non_blocking=pinned)


def kept_bytes(tokens: int, channels: int, itemsize: int, storage: str) -> int:
    """What `channels` of so many tokens take: in eight bits each channel has a scale beside them."""
    return channels * (tokens + itemsize if storage == "fp8" else tokens * itemsize)


def fitting(needed: int, room: float) -> str:
    """The first storage in which `needed` bytes of keys and values leave a device with `room` bytes enough."""
    return "device" if needed <= room else "fp8" if needed / 2 <= room else "cpu"


def after(storage: str) -> str:
    """The next one to try where memory ran out; empty where there is none."""
    following: Sequence[str] = (*STORAGES[STORAGES.index(storage) + 1 :], "")
    return following[0]
