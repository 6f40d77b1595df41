"""The training twin of the host's Wan 2.1 VAE at a small width: the same parameter names and results.

It leaves out the attention of the middle (exported as zeros, which the host adds), so that crops can train it. Shapes:
(B, C, T, H, W); with one frame every temporal kernel is reduced to its last slice, and all is two-dimensional.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 16
DOWN = (WIDTH, WIDTH, 2 * WIDTH, 4 * WIDTH, 4 * WIDTH)
UP = (4 * WIDTH, 4 * WIDTH, 4 * WIDTH, 2 * WIDTH, WIDTH)
"""Channels of the encoder's and of the decoder's levels."""


class CausalConv(nn.Module):
    """A convolution over time and space that sees no later frame; before the first frame there is nothing (zeros)."""

    def __init__(self, n_in: int, n_out: int, time: int, space: int) -> None:
        super().__init__()
        fresh = nn.Conv2d(n_in, n_out, space)
        weight = torch.zeros(n_out, n_in, time, space, space)
        weight[:, :, -1] = fresh.weight.detach()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(fresh.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        time, space = self.weight.shape[2] - 1, self.weight.shape[-1] // 2
        if x.shape[2] == 1 or time == 0:
            return framewise(x, lambda frames: F.conv2d(frames, self.weight[:, :, -1], self.bias, padding=space))
        return F.conv3d(F.pad(x, (0, 0, 0, 0, time, 0)), self.weight, self.bias, padding=(0, space, space))


def framewise(x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Applies a change of pictures (N, C, H, W) to every frame of x."""
    batch, _, frames = x.shape[:3]
    if frames == 1:
        return change(x.squeeze(2)).unsqueeze(2)
    return change(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (batch, frames)).transpose(1, 2)


class ChannelNorm(nn.Module):
    """Root-mean-square norm over channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=1) * x.shape[1] ** 0.5 * self.gamma


class ResidualBlock(nn.Module):
    """Two normed convolutions around a skip."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        first = [ChannelNorm(n_in), nn.SiLU(), CausalConv(n_in, n_out, 3, 3)]
        second = [ChannelNorm(n_out), nn.SiLU(), nn.Identity(), CausalConv(n_out, n_out, 3, 3)]
        self.residual = nn.Sequential(*first, *second)
        self.shortcut = CausalConv(n_in, n_out, 1, 1) if n_in != n_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)


class Resample(nn.Module):
    """Halves or doubles height and width, and where `timed` the frames after the first."""

    def __init__(self, width: int, *, up: bool, timed: bool) -> None:
        super().__init__()
        self.up, self.timed = up, timed
        if up:
            grow = nn.Upsample(scale_factor=2.0, mode="nearest-exact")
            self.resample = nn.Sequential(grow, nn.Conv2d(width, width // 2, 3, padding=1))
        else:
            shrink = nn.Conv2d(width, width, 3, stride=2)
            self.resample = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), shrink)
        if timed:
            self.time_conv = CausalConv(width, 2 * width if up else width, 3, 1)
            self.hold_time()

    @torch.no_grad()
    def hold_time(self) -> None:
        """Begins with time as it is: up repeats a frame, down keeps the newest."""
        width = self.time_conv.weight.shape[1]
        self.time_conv.weight.zero_()[:, :, -1, 0, 0] = torch.eye(width).repeat(2 if self.up else 1, 1)
        self.time_conv.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        if self.timed and self.up and x.shape[2] > 1:
            later = self.time_conv(x[:, :, 1:])
            pairs = later.unflatten(1, (2, -1)).permute(0, 2, 3, 1, 4, 5).flatten(2, 3)
            x = torch.cat([x[:, :, :1], pairs], dim=2)
        return framewise(x, self.resample)


def middle(width: int) -> nn.Sequential:
    """Two residual blocks; the place of the attention is kept."""
    return nn.Sequential(ResidualBlock(width, width), nn.Identity(), ResidualBlock(width, width))


def head(width: int, n_out: int) -> nn.Sequential:
    """The last convolution."""
    return nn.Sequential(ChannelNorm(width), nn.SiLU(), CausalConv(width, n_out, 3, 3))


class Decoder(nn.Module):
    """Latent (B, 16, T, h, w) -> frames (B, 3, 4T - 3, 8h, 8w), about -1..1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = CausalConv(channels, UP[0], 3, 3)
        self.middle = middle(UP[0])
        layers: list[nn.Module] = []
        for level, (n_in, n_out) in enumerate(zip(UP[:-1], UP[1:], strict=True)):
            begin = n_in if level == 0 else n_in // 2
            layers += [ResidualBlock(begin, n_out), ResidualBlock(n_out, n_out), ResidualBlock(n_out, n_out)]
            if level < 3:
                layers.append(Resample(n_out, up=True, timed=level < 2))
        self.upsamples = nn.Sequential(*layers)
        self.head = head(WIDTH, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.upsamples(self.middle(self.conv1(x))))


class Encoder(nn.Module):
    """Pictures (B, 3, 1, H, W) in -1..1 -> latents and their log variance (B, 32, 1, H/8, W/8).

    Trained on single frames alone: its temporal kernels stay zero, so that of a clip it encodes every fourth frame.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = CausalConv(3, DOWN[0], 3, 3)
        layers: list[nn.Module] = []
        for level, (n_in, n_out) in enumerate(zip(DOWN[:-1], DOWN[1:], strict=True)):
            layers += [ResidualBlock(n_in, n_out), ResidualBlock(n_out, n_out)]
            if level < 3:
                layers.append(Resample(n_out, up=False, timed=level > 0))
        self.downsamples = nn.Sequential(*layers)
        self.middle = middle(DOWN[-1])
        self.head = head(DOWN[-1], 2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.middle(self.downsamples(self.conv1(x))))
