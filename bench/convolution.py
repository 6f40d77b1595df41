"""3D convolutions on the CPU: torch picks its slow kernel for small batches where oneDNN takes a tenth of the time."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class OneDnnConvolutions(TorchFunctionMode):
    """While open, conv3d on the CPU calls oneDNN. The decoded clip differs by rounding (below 1e-5 of its range)."""

    def __torch_function__(self, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None) -> object:
        if func is F.conv3d and not kwargs and args[0].device.type == "cpu" and not isinstance(args[4], str):
            return onednn_conv3d(*args)
        return func(*args, **(kwargs or {}))


def onednn_conv3d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple, padding: tuple, dilation: tuple, groups: int
) -> Tensor:
    """As torch.nn.functional.conv3d. x: (batch, channels, frames, height, width)."""
    return torch.mkldnn_convolution(x, weight, bias, padding, stride, dilation, groups)
