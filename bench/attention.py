"""How frozen keys and values get in front of attention: one buffer written in place, or joined anew (paper, Fig. 6).

In place is what jano/by_level/kv_cache.py does. Joining puts the cached keys and values of frozen tokens behind the
computed ones at every layer of every partial step.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ..jano.by_level.kv_cache import KVCache
from .host import describe
from .records import save
from .stats import median
from .timing import against, interleaved, timer_name

SHARES = (0.25, 0.5, 0.75)
CHUNK, LAYER = ("bench",), 0


@dataclass(frozen=True)
class Shape:
    """One attention layer; `dim` is the token dimension: 2 for (B, H, N, D) as Flux has it, 1 for (B, N, H * D)."""

    name: str
    num_tokens: int
    heads: int
    dim: int
    head_dim: int = 128

    @property
    def sizes(self) -> tuple[int, ...]:
        wide = self.heads * self.head_dim
        return (1, self.num_tokens, wide) if self.dim == 1 else (1, self.heads, self.num_tokens, self.head_dim)

    def by_head(self, x: Tensor) -> Tensor:
        return x if self.dim == 2 else x.unflatten(2, (self.heads, self.head_dim)).transpose(1, 2)


# Flux.1 at 1024 x 1024 with 512 text tokens; Wan 1.3B at 832 x 480, 81 frames. One core gets a part of the heads.
SHAPES = {
    "cpu": (Shape("Flux-like", 4608, 4, 2), Shape("Wan-like", 8190, 2, 1)),
    "cuda": (Shape("Flux.1, 1024 px", 4608, 24, 2), Shape("Wan 1.3B, 480p", 32760, 12, 1)),
}


def measure(args: argparse.Namespace) -> None:
    dtype = torch.bfloat16 if args.device == "cuda" else torch.float32
    with torch.inference_mode():
        rows = [measure_shape(shape, active, args, dtype) for shape in SHAPES[args.device] for active in SHARES]
    about = {**describe(args.device), "clock": timer_name(args.device), "dtype": str(dtype).removeprefix("torch.")}
    save(args.out / f"attention_{args.device}.json", {**about, "rounds": args.rounds, "rows": rows})


def measure_shape(shape: Shape, active: float, args: argparse.Namespace, dtype: torch.dtype) -> dict[str, object]:
    """Seconds of getting keys and values together, and of that with attention, on both ways in turn."""
    ways = both_ways(shape, active, args.device, dtype)
    placed, joined, *_ = (way() for way in ways.values())
    if not torch.allclose(joined, placed, atol=1e-2 if dtype is torch.bfloat16 else 1e-4):
        raise RuntimeError(f"the two ways differ on {shape.name}: {(joined - placed).abs().max()}")
    seconds = interleaved(ways, args.rounds, args.device)
    return {
        "shape": asdict(shape),
        "active": active,
        "seconds": {name: median(values) for name, values in seconds.items()},
        "joined_over_in_place": against(seconds, "joined", "in_place"),
        "joined_over_in_place_kv_only": against(seconds, "joined_kv", "in_place_kv"),
        "bytes_moved": bytes_moved(shape, active, dtype.itemsize),
        "extra_peak_bytes": {"in_place": 0, "joined": 2 * _bytes(shape, 1.0, dtype.itemsize)},
    }


def both_ways(shape: Shape, active: float, device: str, dtype: torch.dtype) -> dict[str, Callable[[], Tensor]]:
    computed = round(active * shape.num_tokens)
    order = torch.randperm(shape.num_tokens, device=device, generator=torch.Generator(device).manual_seed(0))
    index, frozen = order[:computed].sort().values, order[computed:].sort().values
    keys, values = (torch.randn(shape.sizes, device=device, dtype=dtype) for _ in range(2))
    q, k, v = (source.index_select(shape.dim, index) for source in (keys, keys, values))
    frozen_k, frozen_v = (source.index_select(shape.dim, frozen) for source in (keys, values))
    cache = KVCache()
    cache.store(CHUNK, LAYER, keys, values)

    def in_place() -> tuple[Tensor, Tensor]:
        return cache.update(CHUNK, LAYER, index, shape.dim, k, v)

    def joined() -> tuple[Tensor, Tensor]:
        return torch.cat((k, frozen_k), shape.dim), torch.cat((v, frozen_v), shape.dim)

    def attend(both: tuple[Tensor, Tensor]) -> Tensor:
        return scaled_dot_product_attention(*(shape.by_head(x) for x in (q, *both)))

    return {
        "in_place": lambda: attend(in_place()),
        "joined": lambda: attend(joined()),
        "in_place_kv": in_place,
        "joined_kv": joined,
    }


def _bytes(shape: Shape, share: float, itemsize: int) -> int:
    return round(share * shape.num_tokens) * shape.heads * shape.head_dim * itemsize


def bytes_moved(shape: Shape, active: float, itemsize: int) -> dict[str, int]:
    """Read and written to get keys and values together, attention itself left out (counted, not measured)."""
    return {"in_place": 4 * _bytes(shape, active, itemsize), "joined": 4 * _bytes(shape, 1.0, itemsize)}
