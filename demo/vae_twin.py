"""The TAESD architecture (the host's names and layer order), for training: 8 x 8 pixels per latent, 64 channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH = 64


def conv(n_in: int, n_out: int, *, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    """A 3 x 3 convolution."""
    return nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=bias)


class Clamp(nn.Module):
    """Softly limits latents to +-3."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


class Block(nn.Module):
    """Three convolutions around a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(conv(WIDTH, WIDTH), nn.ReLU(), conv(WIDTH, WIDTH), nn.ReLU(), conv(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x) + x)


def blocks(count: int) -> list[nn.Module]:
    """Several blocks in a row."""
    return [Block() for _ in range(count)]


def new_decoder(channels: int) -> nn.Sequential:
    """Latent (B, channels, h, w) -> picture (B, 3, 8h, 8w), about 0..1."""
    layers: list[nn.Module] = [Clamp(), conv(channels, WIDTH), nn.ReLU()]
    for _ in range(3):
        layers += [*blocks(3), nn.Upsample(scale_factor=2), conv(WIDTH, WIDTH, bias=False)]
    return nn.Sequential(*layers, Block(), conv(WIDTH, 3))


def new_encoder(channels: int) -> nn.Sequential:
    """Picture (B, 3, H, W) in 0..1 -> latent (B, channels, H/8, W/8)."""
    layers: list[nn.Module] = [conv(3, WIDTH), Block()]
    for _ in range(3):
        layers += [conv(WIDTH, WIDTH, stride=2, bias=False), *blocks(3)]
    return nn.Sequential(*layers, conv(WIDTH, channels))
