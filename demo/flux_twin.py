"""The training twin of the host's Flux class: the same parameter names and results, without in-place writes.

Shapes: B pictures, N image tokens, T text tokens, D = hidden = 128 * heads.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

AXES = (16, 56, 56)
THETA = 10000
TIME_DIM = 256
HEAD_DIM = 128
GUIDANCE = 3.5


@dataclass(frozen=True)
class Shape:
    """Sizes of a twin: hidden a multiple of 128, latent channels before 2 x 2 patching, block counts, text widths."""

    hidden: int = 128
    depth: int = 1
    depth_single: int = 7
    channels: int = 16
    context_dim: int = 64
    vec_dim: int = 64


def wave_embedding(t: Tensor) -> Tensor:
    """Times (B,) in 0..1 -> (B, 256) cosines then sines."""
    half = TIME_DIM // 2
    rates = torch.exp(-torch.log(torch.tensor(10000.0)) * torch.arange(half, device=t.device) / half)
    angles = 1000.0 * t[:, None].float() * rates[None]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def rope_table(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Token places (N, 3) -> cosines and sines (N, 64), one pair of features each."""
    angles = []
    for axis, dim in enumerate(AXES):
        rates = 1.0 / THETA ** torch.linspace(0, (dim - 2) / dim, dim // 2, dtype=torch.float64, device=ids.device)
        angles.append(ids[:, axis, None].double() * rates)
    angle = torch.cat(angles, dim=-1)
    return angle.cos().float(), angle.sin().float()


def token_places(rows: int, columns: int, stride: float, num_text: int) -> Tensor:
    """Places (T + rows * columns, 3): text at the origin, image tokens spread by stride over the same area."""
    down, across = (torch.arange(n) * stride + (stride - 1) / 2 for n in (rows, columns))
    grid = torch.stack(torch.meshgrid(down, across, indexing="ij"), dim=-1).reshape(-1, 2)
    image = torch.cat([torch.zeros(grid.shape[0], 1), grid], dim=1)
    return torch.cat([torch.zeros(num_text, 3), image])


def rotate(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Turns feature pairs of x (B, heads, N, 128) by the table's angles."""
    cos, sin = table
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2).to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Attention over (B, heads, N, 128) -> (B, N, D)."""
    out = F.scaled_dot_product_attention(rotate(q, table), rotate(k, table), v)
    return out.transpose(1, 2).flatten(-2)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Layer norm without parameters, then scale and shift (B, D)."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale[:, None]) + shift[:, None]


class Embedder(nn.Module):
    """Two linear layers with a SiLU between."""

    def __init__(self, in_dim: int, hidden: int) -> None:
        super().__init__()
        self.in_layer = nn.Linear(in_dim, hidden)
        self.out_layer = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_layer(F.silu(self.in_layer(x)))


class Norm(nn.Module):
    """Root-mean-square norm of queries and keys."""

    def __init__(self) -> None:
        super().__init__()
        self.query_norm = nn.RMSNorm(HEAD_DIM)
        self.key_norm = nn.RMSNorm(HEAD_DIM)

    def forward(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, N, 3D) -> normed q, k and plain v, each (B, heads, N, 128)."""
        q, k, v = qkv.unflatten(-1, (3, -1, HEAD_DIM)).permute(2, 0, 3, 1, 4)
        return self.query_norm(q).to(v.dtype), self.key_norm(k).to(v.dtype), v


class Modulation(nn.Module):
    """Shift, scale and gate vectors from the conditioning vector."""

    def __init__(self, hidden: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.lin = nn.Linear(hidden, count * hidden)

    def forward(self, vec: Tensor) -> tuple[Tensor, ...]:
        return self.lin(F.silu(vec)).chunk(self.count, dim=-1)


class SelfAttention(nn.Module):
    """The projections of one stream."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.norm = Norm()
        self.proj = nn.Linear(hidden, hidden)


def mlp(hidden: int) -> nn.Sequential:
    """The four times wider feed-forward of a double block."""
    return nn.Sequential(nn.Linear(hidden, 4 * hidden), nn.GELU(approximate="tanh"), nn.Linear(4 * hidden, hidden))


class DoubleBlock(nn.Module):
    """Image and text streams with their own weights and one joint attention."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.img_mod = Modulation(hidden, 6)
        self.img_attn = SelfAttention(hidden)
        self.img_mlp = mlp(hidden)
        self.txt_mod = Modulation(hidden, 6)
        self.txt_attn = SelfAttention(hidden)
        self.txt_mlp = mlp(hidden)

    def forward(self, img: Tensor, txt: Tensor, vec: Tensor, table: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        img_mod, txt_mod = self.img_mod(vec), self.txt_mod(vec)
        img_qkv = self.img_attn.norm(self.img_attn.qkv(modulate(img, *img_mod[:2])))
        txt_qkv = self.txt_attn.norm(self.txt_attn.qkv(modulate(txt, *txt_mod[:2])))
        q, k, v = (torch.cat(pair, dim=2) for pair in zip(txt_qkv, img_qkv, strict=True))
        out = attend(q, k, v, table)
        img = img + self.img_attn.proj(out[:, txt.shape[1] :]) * img_mod[2][:, None]
        img = img + self.img_mlp(modulate(img, *img_mod[3:5])) * img_mod[5][:, None]
        txt = txt + self.txt_attn.proj(out[:, : txt.shape[1]]) * txt_mod[2][:, None]
        txt = txt + self.txt_mlp(modulate(txt, *txt_mod[3:5])) * txt_mod[5][:, None]
        return img, txt


class SingleBlock(nn.Module):
    """Attention and feed-forward in parallel over the joint stream."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.linear1 = nn.Linear(hidden, 7 * hidden)
        self.linear2 = nn.Linear(5 * hidden, hidden)
        self.norm = Norm()
        self.modulation = Modulation(hidden, 3)

    def forward(self, x: Tensor, vec: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        shift, scale, gate = self.modulation(vec)
        qkv, wide = self.linear1(modulate(x, shift, scale)).split([3 * self.hidden, 4 * self.hidden], dim=-1)
        out = attend(*self.norm(qkv), table)
        return x + self.linear2(torch.cat([out, F.gelu(wide, approximate="tanh")], dim=-1)) * gate[:, None]


class LastLayer(nn.Module):
    """Modulated projection to patches."""

    def __init__(self, hidden: int, out_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, out_dim)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(hidden, 2 * hidden))

    def forward(self, x: Tensor, vec: Tensor) -> Tensor:
        return self.linear(modulate(x, *self.adaLN_modulation(vec).chunk(2, dim=-1)))


class FluxTwin(nn.Module):
    """Predicts noise - latent from a noised latent."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        hidden, patch_dim = shape.hidden, 4 * shape.channels
        self.shape = shape
        self.img_in = nn.Linear(patch_dim, hidden)
        self.time_in = Embedder(TIME_DIM, hidden)
        self.vector_in = Embedder(shape.vec_dim, hidden)
        self.guidance_in = Embedder(TIME_DIM, hidden)
        self.txt_in = nn.Linear(shape.context_dim, hidden)
        self.double_blocks = nn.ModuleList(DoubleBlock(hidden) for _ in range(shape.depth))
        self.single_blocks = nn.ModuleList(SingleBlock(hidden) for _ in range(shape.depth_single))
        self.final_layer = LastLayer(hidden, patch_dim)
        self.still_start()

    def still_start(self) -> None:
        """Zeroes what gates the blocks and the output, so that training starts from a quiet network."""
        quiet = [m.lin for m in self.modules() if isinstance(m, Modulation)]
        for linear in [*quiet, self.final_layer.linear, self.final_layer.adaLN_modulation[1]]:
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor, t: Tensor, context: Tensor, pooled: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        """x (B, C, H, W), t (B,) in 0..1, context (B, T, ctx), pooled (B, vec), table of T + N places -> like x."""
        height, width = x.shape[-2:]
        vec = self.time_in(wave_embedding(t)) + self.guidance_in(wave_embedding(torch.full_like(t, GUIDANCE)))
        vec = vec + self.vector_in(pooled)
        txt = self.txt_in(context)
        img = self.img_in(F.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2))
        for block in self.double_blocks:
            img, txt = block(img, txt, vec, table)
        both = torch.cat([txt, img], dim=1)
        for block in self.single_blocks:
            both = block(both, vec, table)
        out = self.final_layer(both[:, txt.shape[1] :], vec)
        return F.pixel_shuffle(out.transpose(1, 2).unflatten(2, (height // 2, width // 2)), 2)
