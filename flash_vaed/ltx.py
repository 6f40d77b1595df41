"""The small decoder for the latents of LTX-Video 0.9.0 (not of later ones): it sees later frames, so takes whole clips.

Names and order of the layers are those of the released files: https://github.com/Aoko955/Flash-VAED (ltx), which follow
diffusers. Latents are (B, 128, T, H, W), normalised by channel; T of them become 8 * T - 7 frames of 32 times the
height and width, in about -1 to 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import depthwise, framewise, repeat_ends
from .parts import SQUARE, Part, Separable, Taps
from .streaming import StreamedDecoder

PATCH = 4
"""Every position of the last layer is so many pixels high and wide."""
PICTURES_AT_ONCE = 8
"""All frames of a clip at once made the highest use of memory a sixth higher."""


@dataclass(frozen=True)
class LTXWidths:
    """Channels by stage; the defaults are the released decoder's. The model's own: 128, 512, 256, 128."""

    latent: int = 128
    deep: int = 512
    """At the latent's size and at twice that."""
    fine: int = 64
    """At four times."""
    finest: int = 32
    """At eight times."""
    colours: int = 3


class PlainConv(nn.Module):
    """A convolution over time and space; before the first and after the last frame these are repeated."""

    def __init__(self, n_in: int, n_out: int, kernel: int, operations: Any) -> None:
        super().__init__()
        around = kernel // 2
        self.taps = Taps(around, around, (kernel, kernel), repeated=True)
        self.conv = operations.Conv3d(n_in, n_out, kernel, padding=(0, around, around))

    @property
    def weight(self) -> Tensor:
        return self.conv.weight

    @property
    def bias(self) -> Tensor:
        return self.conv.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(repeat_ends(x, self.taps.before, self.taps.after))


class SeparableConv(Separable):
    """The convolution within each channel sees no later frame."""

    taps = Taps(2, 0, (3, 3), repeated=True)

    def __init__(self, width: int, operations: Any) -> None:
        super().__init__()
        self.depthwise = depthwise(operations)(width, width, 3, padding=(0, 1, 1), groups=width)
        self.pointwise = operations.Conv3d(width, width, 1)

    @property
    def two(self) -> tuple[nn.Module, nn.Module]:
        return self.depthwise, self.pointwise

    def spread(self, x: Tensor) -> Tensor:
        return self.depthwise(repeat_ends(x, self.taps.before, self.taps.after))

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.spread(x))


def unit_rms(x: Tensor) -> Tensor:
    """Scales every position's channels to a root mean square of 1."""
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32))
    return x * torch.rsqrt(length.square() / x.shape[1] + 1e-8).to(x.dtype)


class ResBlock(Part, nn.Module):
    """Two normed convolutions around a shortcut: x itself, or normed by `norm3` and mixed by `conv_shortcut`."""

    def __init__(self, convs: tuple[nn.Module, nn.Module], shortcut: tuple[nn.Module, nn.Module] | None = None) -> None:
        super().__init__()
        self.conv1, self.conv2 = convs
        self.norm3, self.conv_shortcut = shortcut or (None, None)

    @property
    def convs(self) -> tuple[nn.Module, nn.Module]:
        return self.conv1, self.conv2

    @property
    def taps(self) -> Taps:
        return getattr(self.conv1, "taps", SQUARE)

    @property
    def mix(self) -> nn.Module | None:
        return self.conv_shortcut

    @property
    def mix_norm(self) -> nn.Module | None:
        return self.norm3

    def seen(self, place: int, x: Tensor) -> Tensor:
        return F.silu(unit_rms(x))

    def skipped(self, x: Tensor) -> Tensor:
        return x if self.norm3 is None else self.norm3(x.movedim(1, -1)).movedim(-1, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = x if self.mix is None else self.mix(self.skipped(x))
        x = self.conv1(self.seen(0, x))
        return kept + self.conv2(self.seen(1, x))


class PictureBlock(ResBlock):
    """Of pictures (N, C, H, W), or of every frame of a video by itself."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.ndim == 4 else framewise(x, super().forward)


def separable_block(width: int, operations: Any) -> ResBlock:
    return ResBlock((SeparableConv(width, operations), SeparableConv(width, operations)))


def plain_block(n_in: int, n_out: int, operations: Any) -> ResBlock:
    convs = PlainConv(n_in, n_out, 3, operations), PlainConv(n_out, n_out, 3, operations)
    return ResBlock(convs, (operations.LayerNorm(n_in, eps=1e-6), PlainConv(n_in, n_out, 1, operations)))


def picture_block(width: int, operations: Any) -> PictureBlock:
    convs = operations.Conv2d(width, width, 3, padding=1), operations.Conv2d(width, width, 3, padding=1)
    return PictureBlock(convs, (operations.LayerNorm(width, eps=1e-6), operations.Conv2d(width, width, 1)))


class Upsampler(Part, nn.Module):
    """Doubles time, height and width; the first frame of the doubled ones is dropped."""

    rows = 8

    def __init__(self, width: int, operations: Any) -> None:
        super().__init__()
        self.conv = PlainConv(width, self.rows * width, 3, operations)

    @property
    def convs(self) -> tuple[PlainConv]:
        return (self.conv,)

    @property
    def taps(self) -> Taps:
        return self.conv.taps

    def seen(self, place: int, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        parts = self.conv(x).unflatten(1, (-1, 2, 2, 2))
        return parts.permute(0, 1, 5, 2, 6, 3, 7, 4).flatten(6, 7).flatten(4, 5).flatten(2, 3)[:, :, 1:]


class Stage(nn.Module):
    """Blocks at one size: an entry where the width changes, an upsampler, then `resnets`, on `pictures` or on video."""

    def __init__(self, resnets: list[ResBlock], conv_in: ResBlock | None = None, pictures: bool = False) -> None:
        super().__init__()
        self.conv_in = conv_in
        self.upsamplers = None
        self.resnets = nn.ModuleList(resnets)
        self.pictures = pictures

    def forward(self, x: Tensor) -> Tensor:
        if self.conv_in is not None:
            x = self.conv_in(x)
        for upsampler in self.upsamplers or ():
            x = upsampler(x)
        if not self.pictures:
            return self.refined(x)
        parts = (framewise(part, self.refined) for part in x.split(PICTURES_AT_ONCE, dim=2))
        return torch.cat(list(parts), dim=2)

    def refined(self, x: Tensor) -> Tensor:
        for block in self.resnets:
            x = block(x)
        return x


class Head(Part, PlainConv):
    """From the last stage's channels to colours."""

    @property
    def convs(self) -> tuple[nn.Module]:
        return (self.conv,)

    def seen(self, place: int, x: Tensor) -> Tensor:
        return F.silu(unit_rms(x))

    def forward(self, x: Tensor) -> Tensor:
        return unpatched(super().forward(self.seen(0, x)))


class LTXDecoder(nn.Module):
    """From latents to frames."""

    def __init__(self, widths: LTXWidths, operations: Any) -> None:
        super().__init__()
        w = widths
        self.conv_in = PlainConv(w.latent, w.deep, 3, operations)
        self.mid_block = Stage([separable_block(w.deep, operations) for _ in range(4)])
        self.up_blocks = nn.ModuleList(
            [
                Stage([separable_block(w.deep, operations) for _ in range(3)]),
                Stage([separable_block(w.deep, operations) for _ in range(3)]),
                Stage(
                    [plain_block(w.fine, w.fine, operations) for _ in range(3)], plain_block(w.deep, w.fine, operations)
                ),
                Stage(
                    [picture_block(w.finest, operations) for _ in range(4)],
                    plain_block(w.fine, w.finest, operations),
                    True,
                ),
            ]
        )
        for stage, width in zip(self.up_blocks[1:], (w.deep, w.fine, w.finest), strict=True):
            stage.upsamplers = nn.ModuleList([Upsampler(width, operations)])
        self.conv_out = Head(w.finest, w.colours * PATCH**2, 3, operations)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mid_block(self.conv_in(x))
        for stage in self.up_blocks:
            x = stage(x)
        return self.conv_out(x)

    def stages(self) -> list[tuple[str, nn.Module]]:
        found = [("conv_in", self.conv_in)]
        stages = [
            ("mid_block", self.mid_block),
            *((f"up_blocks.{place}", up) for place, up in enumerate(self.up_blocks)),
        ]
        for name, stage in stages:
            found += [] if stage.conv_in is None else [(f"{name}.conv_in", stage.conv_in)]
            found += [(f"{name}.upsamplers.{place}", part) for place, part in enumerate(stage.upsamplers or ())]
            found += [(f"{name}.resnets.{place}", part) for place, part in enumerate(stage.resnets)]
        return [*found, ("head", self.conv_out)]


def unpatched(x: Tensor) -> Tensor:
    """(B, C * PATCH * PATCH, T, H, W), columns before rows, as (B, C, T, PATCH * H, PATCH * W)."""
    pixels = x.unflatten(1, (-1, PATCH, PATCH)).permute(0, 1, 4, 5, 3, 6, 2)
    return pixels.flatten(5, 6).flatten(3, 4)


class LTXStudent(StreamedDecoder):
    """The decoder with the latents' mean and deviation by channel."""

    cell = 8, 32, 32

    def __init__(self, widths: LTXWidths = LTXWidths(), operations: Any = nn) -> None:
        super().__init__()
        self.widths = widths
        self.colours = widths.colours
        self.decoder = LTXDecoder(widths, operations)
        self.register_buffer("latents_mean", torch.zeros(widths.latent))
        self.register_buffer("latents_std", torch.ones(widths.latent))

    def forward(self, z: Tensor) -> Tensor:
        return self.decoder(self.entered(z))

    def entered(self, z: Tensor) -> Tensor:
        return self.un_normalize(z)

    def chunks(self, z: Tensor) -> Iterator[Tensor]:
        """A clip's frames: all at once, because the first ones depend on latents up to the sixth after them."""
        yield self(z)

    def live_elements(self, shape: torch.Size) -> float:
        """As long as the clip: what the last convolution makes, and that again or the three tensors before it."""
        cells, made = shape[2] * shape[3] * shape[4], self.colours * PATCH**2
        return cells * 8**3 * (made + max(made, 3 * self.widths.finest))

    @property
    def per_channel_statistics(self) -> LTXStudent:
        """Where the host's nodes look for `normalize` and `un_normalize`."""
        return self

    def normalize(self, z: Tensor) -> Tensor:
        return (z - self.by_channel(self.latents_mean, z)) / self.by_channel(self.latents_std, z)

    def un_normalize(self, z: Tensor) -> Tensor:
        return z * self.by_channel(self.latents_std, z) + self.by_channel(self.latents_mean, z)

    @staticmethod
    def by_channel(values: Tensor, z: Tensor) -> Tensor:
        return values.to(z).view(1, -1, 1, 1, 1)
