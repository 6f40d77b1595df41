"""The layers that the small decoders are made of.

Video tensors are (B, C, T, H, W), pictures (B, C, H, W). `operations` is the namespace of Conv2d, Conv3d and LayerNorm:
torch.nn, or one of the host's that casts and offloads weights. A `Cache` holds what causal layers need of the frames
before: one for each clip (and tile), made by whoever decodes it, never kept on a module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .parts import Separable

Cache = dict[nn.Module, Tensor]


class RMSNorm(nn.Module):
    """Scales each position's channels to a root mean square of 1, then by gamma; `axes` 3 for video, 2 for pictures."""

    def __init__(self, width: int, axes: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width, *(1,) * axes))

    def forward(self, x: Tensor) -> Tensor:
        return of_unit_length(x) * (self.gamma.to(x) * x.shape[1] ** 0.5)


def of_unit_length(x: Tensor) -> Tensor:
    """x over its length across channels. In float32 on a CPU the plain sum takes a tenth to a fiftieth of F.normalize's
    time (measured at 4 to 32 channels); halves need its wider sum."""
    if x.dtype != torch.float32:
        return F.normalize(x, dim=1)
    return x * x.square().sum(1, keepdim=True).clamp_min(1e-24).rsqrt()


def causal_conv(
    n_in: int, n_out: int, kernel: int | tuple[int, int, int], operations: Any, groups: int = 1
) -> nn.Module:
    """A convolution over time and space that sees no later frame: `conv(x, cache)`.

    Before the first frame there are zeros. With one cache a clip may come in chunks of any length; without, at once.
    """
    time, height, width = (kernel,) * 3 if isinstance(kernel, int) else kernel

    class CausalConv(operations.Conv3d if groups == 1 else depthwise(operations)):
        def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
            return super().forward(with_past(x, cache, self, time - 1))

        def _conv_forward(self, x: Tensor, weight: Tensor, *others: Any, **more: Any) -> Tensor:
            # A lone first frame meets only the last slice of the kernel; all others would meet zeros.
            return super()._conv_forward(x, weight[:, :, -x.shape[2] :], *others, **more)

    return CausalConv(n_in, n_out, (time, height, width), padding=(0, height // 2, width // 2), groups=groups)


def depthwise(operations: Any) -> type[nn.Conv3d]:
    """The class of convolutions within each channel: computed by torch itself, which has kernels for them.

    With some versions of cuDNN the host goes around a fault of dense kernels in half precision, and past these too.
    """

    class DepthwiseConv(operations.Conv3d):
        def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None, *_: Any, **__: Any) -> Tensor:
            return nn.Conv3d._conv_forward(self, x, weight, bias)

    return DepthwiseConv


def with_past(x: Tensor, cache: Cache | None, layer: nn.Module, frames: int) -> Tensor:
    """x behind the `frames` that `layer` was given before it; the cache then holds the last ones of these.

    No cache: x is the whole clip. A lone first frame is given back as it is.
    """
    past = None if cache is None else cache.pop(layer, None)
    alone = past is None and x.shape[2] == 1
    if frames == 0 or (alone and cache is None):
        return x
    if past is None:
        past = x.new_zeros(*x.shape[:2], frames, *x.shape[3:])
    joined = torch.cat([past, x], dim=2)
    if cache is not None:
        cache[layer] = x if x.shape[2] == frames else joined[:, :, -frames:].clone()
    return x if alone else joined


class SeparableCausalConv(Separable):
    """The convolution within each channel is causal."""

    def __init__(self, n_in: int, n_out: int, kernel: int, operations: Any) -> None:
        super().__init__()
        self.depthwise_conv = causal_conv(n_in, n_in, kernel, operations, groups=n_in)
        self.pointwise_conv = operations.Conv3d(n_in, n_out, 1)

    @property
    def two(self) -> tuple[nn.Module, nn.Module]:
        return self.depthwise_conv, self.pointwise_conv

    def spread(self, x: Tensor) -> Tensor:
        return self.depthwise_conv(x)

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        return self.pointwise_conv(self.depthwise_conv(x, cache))


def upsample_conv(n_in: int, n_out: int, operations: Any, naive: bool = False) -> nn.Module:
    """Doubles height and width of pictures (nearest neighbour), then convolves 3 x 3.

    The same result comes from four 2 x 2 convolutions of the small picture, one for each position within the doubled
    pixels: 16 multiplications instead of 36, and no large picture of `n_in` channels. `naive` does it in two steps.
    """
    convolve = conv_of_doubled if naive else conv_in_four_phases

    class UpsampleConv(operations.Conv2d):
        def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            return convolve(x, weight, bias)

    return UpsampleConv(n_in, n_out, 3)


def conv_of_doubled(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(F.interpolate(x, scale_factor=2.0, mode="nearest-exact"), weight, bias, padding=1)


def conv_in_four_phases(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`conv_of_doubled` without the doubled picture."""
    height, width = x.shape[-2:]
    phases = F.conv2d(x, phase_kernels(weight), None if bias is None else bias.repeat(4), padding=1)
    upper, lower = phases.unflatten(1, (2, 2, -1)).unbind(1)
    rows = [
        torch.stack([half[:, 0, :, y : y + height, :width], half[:, 1, :, y : y + height, 1 : width + 1]], dim=-1)
        for y, half in ((0, upper), (1, lower))
    ]
    return torch.stack([row.flatten(-2) for row in rows], dim=-2).flatten(-3, -2)


def phase_kernels(weight: Tensor) -> Tensor:
    """A kernel (O, I, 3, 3) as four (4 * O, I, 2, 2): upper left, upper right, lower left and lower right pixel."""
    upper, lower = folded(weight, dim=2)
    return torch.cat([kernel for half in (upper, lower) for kernel in folded(half, dim=3)])


def folded(weight: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Three taps meet two doubled pixels: 1 and 2 + 3 around the first of the twins, 1 + 2 and 3 around the second."""
    one, two, three = weight.split(1, dim)
    return torch.cat([one, two + three], dim), torch.cat([one + two, three], dim)


class FrameAttention(nn.Module):
    """Every position attends to all positions of its own frame, one head; added to x."""

    def __init__(self, width: int, operations: Any) -> None:
        super().__init__()
        self.norm = RMSNorm(width, axes=2)
        self.to_qkv = operations.Conv2d(width, 3 * width, 1)
        self.proj = operations.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + framewise(x, self.attend)

    def attend(self, frames: Tensor) -> Tensor:
        """frames (N, C, H, W)."""
        qkv = self.to_qkv(self.norm(frames)).flatten(2).transpose(1, 2).unsqueeze(1)
        attended = F.scaled_dot_product_attention(*qkv.chunk(3, dim=-1))
        return self.proj(attended.squeeze(1).transpose(1, 2).reshape(frames.shape))


def repeat_ends(x: Tensor, before: int, after: int) -> Tensor:
    """x with its first and last frame repeated."""
    return torch.cat([*[x[:, :, :1]] * before, x, *[x[:, :, -1:]] * after], dim=2) if before or after else x


def framewise(x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Applies a change of pictures to every frame of x."""
    frames = change(x.transpose(1, 2).flatten(0, 1))
    return frames.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)
