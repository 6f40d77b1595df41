"""How one side of a picture falls into overlapping tiles that fade into each other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tile:
    """One of a side's tiles: its latent cells, its pixels, and how much each pixel counts; over all tiles that is 1."""

    cells: slice
    pixels: slice
    weight: Tensor


def tiles(side: int, tile: int, overlap: int, scale: int) -> list[Tile]:
    """A side of latent cells, each `scale` pixels, as tiles of `tile` cells that overlap by `overlap` or more."""
    size = min(side, max(1, tile))
    starts = first_cells(side, size, min(max(0, overlap), size - 1))
    weights = torch.zeros(len(starts), side * scale)
    for weight, start in zip(weights, starts, strict=True):
        weight[start * scale : (start + size) * scale] = ramps(size * scale, overlap * scale)
    weights /= weights.sum(0)
    found = []
    for weight, start in zip(weights, starts, strict=True):
        pixels = slice(start * scale, (start + size) * scale)
        found.append(Tile(slice(start, start + size), pixels, weight[pixels]))
    return found


def first_cells(side: int, size: int, overlap: int) -> list[int]:
    """Where tiles begin, as evenly as they can."""
    count = 1 + -(-(side - size) // (size - overlap))
    return [round(index * (side - size) / max(1, count - 1)) for index in range(count)]


def ramps(length: int, width: int) -> Tensor:
    """Rises from either end over `width` to 1 in the middle; never 0, so that every pixel counts."""
    distance = torch.arange(length).add(0.5)
    nearest = torch.minimum(distance, length - distance)
    return (nearest / max(1, width)).clamp(max=1.0)
