"""The training twin of the host's Wan text-to-video class: the same parameter names and results.

Shapes: B clips, N video tokens of 1 x 2 x 2 latent cells, T text tokens, D = dim.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

THETA = 10000
TIME_DIM = 256
EPS = 1e-6


@dataclass(frozen=True)
class WanShape:
    """Sizes of a twin. The host reads heads and text width from the file's metadata, the rest from the weights."""

    dim: int = 128
    heads: int = 4
    layers: int = 8
    ffn_dim: int = 384
    channels: int = 16
    text_dim: int = 64


def wave_embedding(t: Tensor) -> Tensor:
    """Times (B,) in 0..1 -> (B, 256) cosines then sines."""
    half = TIME_DIM // 2
    rates = 10000.0 ** (-torch.arange(half, device=t.device) / half)
    angles = 1000.0 * t[:, None].float() * rates[None]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def video_places(times: Tensor, rows: int, columns: int, stride: float) -> Tensor:
    """Places (len(times) * rows * columns, 3) of video tokens, spread by stride over the full picture's area."""
    down, across = (torch.arange(n) * stride + (stride - 1) / 2 for n in (rows, columns))
    return torch.stack(torch.meshgrid(times.float(), down, across, indexing="ij"), dim=-1).reshape(-1, 3)


def video_rope(places: Tensor, head_dim: int) -> tuple[Tensor, Tensor]:
    """Places (N, 3) -> cosines and sines (N, head_dim / 2), one pair of features each; axes are divided as Wan does."""
    side = 2 * (head_dim // 6)
    angles = []
    for axis, dim in enumerate((head_dim - 2 * side, side, side)):
        rates = 1.0 / THETA ** torch.linspace(0, (dim - 2) / dim, dim // 2, dtype=torch.float64, device=places.device)
        angles.append(places[:, axis, None].double() * rates)
    angle = torch.cat(angles, dim=-1)
    return angle.cos().float(), angle.sin().float()


def rotate(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Turns feature pairs of x (B, heads, N, head_dim) by the table's angles."""
    cos, sin = table
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2).to(x.dtype)


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Layer norm without parameters, then shift and scale (B, 1, D)."""
    return F.layer_norm(x, x.shape[-1:], eps=EPS) * (1 + scale) + shift


class Attention(nn.Module):
    """Multi-head attention whose queries and keys are normed over all heads together."""

    def __init__(self, shape: WanShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q, self.k, self.v, self.o = (nn.Linear(shape.dim, shape.dim) for _ in range(4))
        self.norm_q, self.norm_k = nn.RMSNorm(shape.dim, eps=EPS), nn.RMSNorm(shape.dim, eps=EPS)

    def forward(self, x: Tensor, source: Tensor, table: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """x (B, N, D) attends to source (B, M, D); table turns both for self-attention."""
        made = self.norm_q(self.q(x)), self.norm_k(self.k(source)), self.v(source)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in made)
        if table is not None:
            q, k = rotate(q, table), rotate(k, table)
        # spelt out: the CPU's fused attention is slow backwards, more than half of a step at these sizes
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
        return self.o((weights @ v).transpose(1, 2).flatten(-2))


class Block(nn.Module):
    """Self-attention, cross-attention to the text, feed-forward; time steers the first and the last."""

    def __init__(self, shape: WanShape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.norm3 = nn.LayerNorm(shape.dim, eps=EPS)
        self.cross_attn = Attention(shape)
        wide = nn.Linear(shape.dim, shape.ffn_dim)
        self.ffn = nn.Sequential(wide, nn.GELU(approximate="tanh"), nn.Linear(shape.ffn_dim, shape.dim))
        self.modulation = nn.Parameter(torch.zeros(1, 6, shape.dim))

    def forward(self, x: Tensor, e: Tensor, context: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        e = (self.modulation + e).chunk(6, dim=1)
        y = modulated(x, e[0], e[1])
        x = x + self.self_attn(y, y, table) * e[2]
        x = x + self.cross_attn(self.norm3(x), context)
        return x + self.ffn(modulated(x, e[3], e[4])) * e[5]


class Head(nn.Module):
    """Modulated projection to patches."""

    def __init__(self, shape: WanShape) -> None:
        super().__init__()
        self.head = nn.Linear(shape.dim, 4 * shape.channels)
        self.modulation = nn.Parameter(torch.zeros(1, 2, shape.dim))

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        shift, scale = (self.modulation + e[:, None]).chunk(2, dim=1)
        return self.head(modulated(x, shift, scale))


class WanTwin(nn.Module):
    """Predicts noise - latent from a noised latent."""

    def __init__(self, shape: WanShape) -> None:
        super().__init__()
        dim = shape.dim
        self.shape = shape
        self.patch_embedding = nn.Conv3d(shape.channels, dim, (1, 2, 2), (1, 2, 2))
        self.text_embedding = nn.Sequential(
            nn.Linear(shape.text_dim, dim), nn.GELU(approximate="tanh"), nn.Linear(dim, dim)
        )
        self.time_embedding = nn.Sequential(nn.Linear(TIME_DIM, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.head = Head(shape)
        self.still_start()

    def still_start(self) -> None:
        """Zeroes what gates the blocks and the output, so that training starts from a quiet network."""
        crossing = [block.cross_attn.o for block in self.blocks]
        for linear in [self.time_projection[1], self.head.head, *crossing]:
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor, t: Tensor, context: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        """x (B, C, F, H, W), t (B,) in 0..1, context (B, T, text_dim), table of N places -> like x."""
        e = self.time_embedding(wave_embedding(t))
        spread = self.time_projection(e).unflatten(1, (6, -1))
        context = self.text_embedding(context)
        tokens = F.linear(patched(x), self.patch_embedding.weight.flatten(1), self.patch_embedding.bias)
        for block in self.blocks:
            tokens = block(tokens, spread, context, table)
        return unpatched(self.head(tokens, e), x.shape)


def patched(x: Tensor) -> Tensor:
    """(B, C, F, H, W) -> tokens (B, F * H/2 * W/2, 4C), channels outermost as in a convolution's weight."""
    return x.unflatten(4, (-1, 2)).unflatten(3, (-1, 2)).permute(0, 2, 3, 5, 1, 4, 6).flatten(4).flatten(1, 3)


def unpatched(tokens: Tensor, shape: torch.Size) -> Tensor:
    """Tokens (B, N, 4C), channels innermost as in Wan's head -> a clip of this shape (B, C, F, H, W)."""
    _, channels, frames, height, width = shape
    cells = tokens.unflatten(2, (2, 2, channels)).unflatten(1, (frames, height // 2, width // 2))
    return cells.permute(0, 6, 1, 2, 4, 3, 5).flatten(5).flatten(3, 4)
