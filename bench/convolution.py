"""3D convolutions on the CPU: torch picks its slow kernel for small batches where oneDNN takes a tenth of the time."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class OneDnnConvolutions(TorchFunctionMode):
    """While open, conv3d on the CPU calls oneDNN where all its arguments are given, as modules do.

    A decoded clip differs by rounding (below 1e-5 of its range).
    """

    def __torch_function__(self, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None) -> object:
        written_out = func is F.conv3d and len(args) == 7 and all(isinstance(value, tuple) for value in args[3:6])
        if written_out and args[0].device.type == "cpu":
            return onednn_conv3d(*args)
        return func(*args, **(kwargs or {}))


def onednn_conv3d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple, padding: tuple, dilation: tuple, groups: int
) -> Tensor:
    """As torch.nn.functional.conv3d. x: (batch, channels, frames, height, width)."""
    return torch.mkldnn_convolution(x, weight, bias, padding, stride, dilation, groups)
