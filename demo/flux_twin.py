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
SPELT_OUT = 300
"""Tokens up to which attention spelt out trains faster on a CPU than torch's fused one: with 136 tokens a step of 32
pictures takes 0.34 s in place of 0.51."""

Table = tuple[Tensor, Tensor]
"""Cosines and sines of the rotary embedding."""
Mods = tuple[Tensor, ...]
"""Shift, scale and gate, once or twice, each (B, N or 1, D)."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a twin: hidden a multiple of 128, latent channels before 2 x 2 patching, block counts, text widths.

    Without vec_dim there is no pooled text, without `guided` no guidance; `shared` is one modulation for all blocks.
    """

    hidden: int = 128
    depth: int = 1
    depth_single: int = 7
    channels: int = 16
    context_dim: int = 64
    vec_dim: int | None = 64
    guided: bool = True
    shared: bool = False


def wave_embedding(t: Tensor) -> Tensor:
    """Times (B,) in 0..1 -> (B, 256) cosines then sines."""
    half = TIME_DIM // 2
    rates = torch.exp(-torch.log(torch.tensor(10000.0)) * torch.arange(half, device=t.device) / half)
    angles = 1000.0 * t[:, None].float() * rates[None]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def rope_table(ids: Tensor) -> Table:
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


def patches(x: Tensor) -> Tensor:
    """(B, C, H, W) -> tokens of 2 x 2 cells (B, N, 4C)."""
    return F.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2)


def picture(tokens: Tensor, height: int, width: int) -> Tensor:
    """The inverse of patches."""
    return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (height // 2, width // 2)), 2)


def rotate(x: Tensor, table: Table) -> Tensor:
    """Turns feature pairs of x (B, heads, N, 128) by the table's angles."""
    cos, sin = table
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2).to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor, table: Table, mask: Tensor | None = None) -> Tensor:
    """Attention over (B, heads, N, 128) -> (B, N, D); mask (N, N) is true where a row sees a column."""
    if q.shape[2] > SPELT_OUT:
        out = F.scaled_dot_product_attention(rotate(q, table), rotate(k, table), v, mask)
    else:
        scores = rotate(q, table) @ rotate(k, table).transpose(2, 3) * HEAD_DIM**-0.5
        out = (scores if mask is None else scores.masked_fill(~mask, float("-inf"))).softmax(dim=-1).to(v.dtype) @ v
    return out.transpose(1, 2).flatten(-2)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Layer norm without parameters, then scale and shift (B, N or 1, D)."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


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
    """Shift, scale and gate vectors from conditioning vectors (B, times, D), each like them."""

    def __init__(self, hidden: int, count: int, bias: bool = True) -> None:
        super().__init__()
        self.count = count
        self.lin = nn.Linear(hidden, count * hidden, bias=bias)

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

    def __init__(self, hidden: int, modulated: bool = True) -> None:
        super().__init__()
        self.img_mod = Modulation(hidden, 6) if modulated else None
        self.img_attn = SelfAttention(hidden)
        self.img_mlp = mlp(hidden)
        self.txt_mod = Modulation(hidden, 6) if modulated else None
        self.txt_attn = SelfAttention(hidden)
        self.txt_mlp = mlp(hidden)

    def forward(
        self, img: Tensor, txt: Tensor, img_mod: Mods, txt_mod: Mods, table: Table, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        img_qkv = self.img_attn.norm(self.img_attn.qkv(modulate(img, *img_mod[:2])))
        txt_qkv = self.txt_attn.norm(self.txt_attn.qkv(modulate(txt, *txt_mod[:2])))
        q, k, v = (torch.cat(pair, dim=2) for pair in zip(txt_qkv, img_qkv, strict=True))
        out = attend(q, k, v, table, mask)
        img = img + self.img_attn.proj(out[:, txt.shape[1] :]) * img_mod[2]
        img = img + self.img_mlp(modulate(img, *img_mod[3:5])) * img_mod[5]
        txt = txt + self.txt_attn.proj(out[:, : txt.shape[1]]) * txt_mod[2]
        txt = txt + self.txt_mlp(modulate(txt, *txt_mod[3:5])) * txt_mod[5]
        return img, txt


class SingleBlock(nn.Module):
    """Attention and feed-forward in parallel over the joint stream."""

    def __init__(self, hidden: int, modulated: bool = True) -> None:
        super().__init__()
        self.hidden = hidden
        self.linear1 = nn.Linear(hidden, 7 * hidden)
        self.linear2 = nn.Linear(5 * hidden, hidden)
        self.norm = Norm()
        self.modulation = Modulation(hidden, 3) if modulated else None

    def forward(self, x: Tensor, mod: Mods, table: Table, mask: Tensor | None = None) -> Tensor:
        shift, scale, gate = mod
        qkv, wide = self.linear1(modulate(x, shift, scale)).split([3 * self.hidden, 4 * self.hidden], dim=-1)
        out = attend(*self.norm(qkv), table, mask)
        return x + self.linear2(torch.cat([out, F.gelu(wide, approximate="tanh")], dim=-1)) * gate


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
        hidden, patch_dim, own = shape.hidden, 4 * shape.channels, not shape.shared
        self.shape = shape
        self.img_in = nn.Linear(patch_dim, hidden)
        self.time_in = Embedder(TIME_DIM, hidden)
        self.vector_in = Embedder(shape.vec_dim, hidden) if shape.vec_dim else None
        self.guidance_in = Embedder(TIME_DIM, hidden) if shape.guided else None
        self.txt_in = nn.Linear(shape.context_dim, hidden)
        self.double_blocks = nn.ModuleList(DoubleBlock(hidden, own) for _ in range(shape.depth))
        self.single_blocks = nn.ModuleList(SingleBlock(hidden, own) for _ in range(shape.depth_single))
        self.final_layer = LastLayer(hidden, patch_dim)
        if shape.shared:
            self.double_stream_modulation_img = Modulation(hidden, 6, bias=False)
            self.double_stream_modulation_txt = Modulation(hidden, 6, bias=False)
            self.single_stream_modulation = Modulation(hidden, 3, bias=False)
        self.still_start()

    def still_start(self) -> None:
        """Zeroes what gates the blocks and the output, so that training starts from a quiet network."""
        quiet = [m.lin for m in self.modules() if isinstance(m, Modulation)]
        for linear in [*quiet, self.final_layer.linear, self.final_layer.adaLN_modulation[1]]:
            nn.init.zeros_(linear.weight)
            if linear.bias is not None:
                nn.init.zeros_(linear.bias)

    def vector(self, t: Tensor, pooled: Tensor) -> Tensor:
        """t (B,) in 0..1 and pooled (B, vec) -> the conditioning vector (B, D)."""
        vec = self.time_in(wave_embedding(t))
        if self.guidance_in is not None:
            vec = vec + self.guidance_in(wave_embedding(torch.full_like(t, GUIDANCE)))
        return vec if self.vector_in is None else vec + self.vector_in(pooled)

    def double_mods(self, block: DoubleBlock, vec: Tensor) -> tuple[Mods, Mods]:
        """Of one block for its image and its text tokens, from vec (B, times, D); text is modulated at the first."""
        img, txt = block.img_mod, block.txt_mod
        if self.shape.shared:
            img, txt = self.double_stream_modulation_img, self.double_stream_modulation_txt
        return img(vec), txt(vec[:, :1])

    def single_mods(self, block: SingleBlock, vec: Tensor) -> Mods:
        """Of one block of the joint stream."""
        return (self.single_stream_modulation if self.shape.shared else block.modulation)(vec)

    def forward(self, x: Tensor, t: Tensor, context: Tensor, pooled: Tensor, table: Table) -> Tensor:
        """x (B, C, H, W), t (B,) in 0..1, context (B, T, ctx), pooled (B, vec), table of T + N places -> like x."""
        vec, txt, img = self.vector(t, pooled)[:, None], self.txt_in(context), self.img_in(patches(x))
        for block in self.double_blocks:
            img, txt = block(img, txt, *self.double_mods(block, vec), table)
        both = torch.cat([txt, img], dim=1)
        for block in self.single_blocks:
            both = block(both, self.single_mods(block, vec), table)
        return picture(self.final_layer(both[:, txt.shape[1] :], vec), *x.shape[-2:])
