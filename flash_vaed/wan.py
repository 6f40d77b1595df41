"""The small decoder for the latents of Wan 2.1: causal, so that a clip of any length is decoded frame by frame.

Names and order of the layers are those of the released files: https://github.com/Aoko955/Flash-VAED (wan). Latents are
(B, 16, T, H, W), not normalised; T of them become 4 * T - 3 frames of 8 times the height and width, in about -1 to 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Cache, FrameAttention, RMSNorm, SeparableCausalConv, causal_conv, framewise, upsample_conv
from .parts import SQUARE, Part, Taps
from .streaming import StreamedDecoder

CAUSAL = Taps(2, 0, (3, 3))
LATENTS_AT_ONCE = 1
"""On one CPU thread, at 128 pixels, 2 were 4 % faster and 4 were 20 %, in 1.4 and 2.1 times the memory."""


@dataclass(frozen=True)
class WanWidths:
    """Channels by stage; the defaults are the released decoder's. The host's VAE at width d: 4 d, 2 d, 4 d, 2 d, d."""

    latent: int = 16
    deep: int = 384
    """At the latent's size: the first convolution, the middle, the first three blocks."""
    entry: int = 192
    """Between the first doubling and the blocks after it."""
    middle: int = 384
    """At twice the latent's size."""
    fine: int = 24
    """At four times."""
    finest: int = 12
    """At eight times."""
    colours: int = 3


class Block(Part, nn.Module):
    """Two normed convolutions around a shortcut."""

    residual: nn.ModuleList | nn.Sequential
    shortcut: nn.Module | None

    @property
    def convs(self) -> tuple[nn.Module, nn.Module]:
        return self.residual[2], self.residual[6]

    @property
    def norms(self) -> tuple[nn.Module, nn.Module]:
        return self.residual[0], self.residual[3]

    @property
    def mix(self) -> nn.Module | None:
        return self.shortcut

    def seen(self, place: int, x: Tensor) -> Tensor:
        return F.silu(self.norms[place](x))


class CausalBlock(Block):
    """The convolutions are separable."""

    taps = CAUSAL

    def __init__(self, n_in: int, n_out: int, operations: Any) -> None:
        super().__init__()
        first = [RMSNorm(n_in, axes=3), nn.SiLU(), SeparableCausalConv(n_in, n_out, 3, operations)]
        second = [RMSNorm(n_out, axes=3), nn.SiLU(), nn.Identity(), SeparableCausalConv(n_out, n_out, 3, operations)]
        self.residual = nn.ModuleList(first + second)
        self.shortcut = SeparableCausalConv(n_in, n_out, 1, operations) if n_in != n_out else None

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        kept = x if self.shortcut is None else self.shortcut(x, cache)
        for layer in self.residual:
            x = layer(x, cache) if isinstance(layer, SeparableCausalConv) else layer(x)
        return x + kept


class PictureBlock(Block):
    """The convolutions are of every frame by itself, and the shortcut always mixes the channels."""

    taps = SQUARE

    def __init__(self, width: int, operations: Any) -> None:
        super().__init__()
        first = [RMSNorm(width, axes=2), nn.SiLU(), operations.Conv2d(width, width, 3, padding=1)]
        second = [RMSNorm(width, axes=2), nn.SiLU(), nn.Identity(), operations.Conv2d(width, width, 3, padding=1)]
        self.residual = nn.Sequential(*first, *second)
        self.shortcut = operations.Conv2d(width, width, 1)

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        return framewise(x, lambda frames: self.residual(frames) + self.shortcut(frames))

    def seen(self, place: int, x: Tensor) -> Tensor:
        return framewise(x, lambda frames: super(PictureBlock, self).seen(place, frames))


class Upsample(Part, nn.Module):
    """Doubles height and width, and where `timed` every frame but the clip's first."""

    taps = SQUARE

    def __init__(self, n_in: int, n_out: int, operations: Any, timed: bool, naive: bool) -> None:
        super().__init__()
        self.resample = nn.Sequential(nn.Identity(), upsample_conv(n_in, n_out, operations, naive))
        self.time_conv = causal_conv(n_in, 2 * n_in, (3, 1, 1), operations) if timed else None

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        if self.time_conv is not None:
            x = self.in_time(x, cache)
        return framewise(x, self.resample)

    @property
    def convs(self) -> tuple[nn.Module]:
        return (self.resample[1],)

    def seen(self, place: int, x: Tensor) -> Tensor:
        timed = x if self.time_conv is None else self.in_time(x, None)
        return F.interpolate(timed, scale_factor=(1.0, 2.0, 2.0), mode="nearest-exact")

    def in_time(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        """The first frame stays one frame and is no part of the others' past."""
        if cache is not None:
            if self in cache:
                return self.doubled(x, cache)
            cache[self] = x.new_empty(0)
        first, rest = x[:, :, :1], x[:, :, 1:]
        return first if rest.shape[2] == 0 else torch.cat([first, self.doubled(rest, cache)], dim=2)

    def doubled(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        pairs = self.time_conv(x, cache).unflatten(1, (2, -1))
        return pairs.transpose(1, 2).transpose(2, 3).flatten(2, 3)


class Head(Part, nn.ModuleList):
    """From the last stage's channels to colours."""

    taps = CAUSAL

    def __init__(self, width: int, colours: int, operations: Any) -> None:
        super().__init__([RMSNorm(width, axes=3), nn.SiLU(), causal_conv(width, colours, 3, operations)])

    @property
    def convs(self) -> tuple[nn.Module]:
        return (self[2],)

    @property
    def norms(self) -> tuple[nn.Module]:
        return (self[0],)

    def seen(self, place: int, x: Tensor) -> Tensor:
        return F.silu(self[0](x))

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        return self[2](self.seen(0, x), cache)


class WanDecoder(nn.Module):
    """From a chunk of latents, behind `conv2`, to its frames."""

    def __init__(self, widths: WanWidths, operations: Any, naive: bool) -> None:
        super().__init__()
        w = widths
        self.conv1 = causal_conv(w.latent, w.deep, 3, operations)
        around = [CausalBlock(w.deep, w.deep, operations) for _ in range(2)]
        self.middle = nn.ModuleList([around[0], FrameAttention(w.deep, operations), around[1]])
        deep = [CausalBlock(w.deep, w.deep, operations) for _ in range(3)]
        middle = [CausalBlock(n_in, w.middle, operations) for n_in in (w.entry, w.middle, w.middle)]
        fine = [PictureBlock(w.fine, operations) for _ in range(3)]
        finest = [PictureBlock(w.finest, operations) for _ in range(3)]
        self.upsamples = nn.ModuleList(
            [*deep, Upsample(w.deep, w.entry, operations, timed=True, naive=naive)]
            + [*middle, Upsample(w.middle, w.fine, operations, timed=True, naive=naive)]
            + [*fine, Upsample(w.fine, w.finest, operations, timed=False, naive=naive)]
            + finest
        )
        self.head = Head(w.finest, w.colours, operations)

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        x = self.conv1(x, cache)
        before, attention, after = self.middle
        x = after(attention(before(x, cache)), cache)
        for stage in self.upsamples:
            x = stage(x, cache)
        return self.head(x, cache)

    def stages(self) -> list[tuple[str, nn.Module]]:
        middle = [(f"middle.{place}", part) for place, part in enumerate(self.middle)]
        upsamples = [(f"upsamples.{place}", part) for place, part in enumerate(self.upsamples)]
        return [("conv1", self.conv1), *middle, *upsamples, ("head", self.head)]


class WanStudent(StreamedDecoder):
    """The released module. Its `conv1` belongs to an encoder that is not there; it is kept so that all names match."""

    cell = 4, 8, 8

    def __init__(self, widths: WanWidths = WanWidths(), operations: Any = nn, naive: bool = False) -> None:
        super().__init__()
        self.widths = widths
        self.colours = widths.colours
        self.conv1 = operations.Conv3d(2 * widths.latent, 2 * widths.latent, 1)
        self.conv2 = operations.Conv3d(widths.latent, widths.latent, 1)
        self.decoder = WanDecoder(widths, operations, naive)

    def forward(self, z: Tensor, cache: Cache | None = None) -> Tensor:
        """The frames of a chunk of latents; without a cache, of a clip."""
        return self.decoder(self.entered(z), cache)

    def entered(self, z: Tensor) -> Tensor:
        return self.conv2(z)

    def chunks(self, z: Tensor, latents: int = LATENTS_AT_ONCE) -> Iterator[Tensor]:
        """A clip's frames in order, those of `latents` latents at a time; the frames do not depend on how many."""
        cache: Cache | None = {} if z.shape[2] > latents else None
        for chunk in z.split(latents, dim=2):
            yield self(chunk, cache)

    def live_elements(self, shape: torch.Size) -> float:
        """Whatever the clip's length: the caches, and five tensors of the widest stage (counted: 4.3 to 5)."""
        w, clip = self.widths, shape[2] > LATENTS_AT_ONCE
        widest = 5 * max(2 * 4 * w.middle, 4 * 16 * w.fine, 4 * 64 * w.finest)
        cached = 11 * 2 * w.deep + 13 * 4 * w.middle + 2 * 64 * w.finest
        return shape[3] * shape[4] * (cached + widest if clip else widest / 2)
