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
    """A tensor as it is stored; `scale`, if any, is what each of its channels was divided by."""

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


def packed(x: Tensor, storage: str, dim: int) -> Packed:
    """A copy of x, whose tokens lie along `dim`: what the host passes may be a view into a far larger projection."""
    if storage == "device":
        return Packed(x.clone(memory_format=torch.contiguous_format), x.dtype, x.device)
    if storage == "cpu":
        return Packed(_in_main_memory(x), x.dtype, x.device)
    scale = (x.abs().amax(dim, keepdim=True).float() / LARGEST).clamp_min(torch.finfo(torch.float32).tiny)
    return Packed((x / scale).to(FP8), x.dtype, x.device, scale.to(x.dtype))


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
