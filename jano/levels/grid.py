"""How a latent falls into tokens, and tokens into regions (the paper's 3D blocks)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from torch import Tensor

THW = tuple[int, int, int]


def ceil_div(size: int, part: int) -> int:
    return -(-size // part)


@dataclass(frozen=True)
class TokenGrid:
    """Geometry of one latent: sizes are (frames, height, width), ragged ends are kept as smaller tokens and regions.

    `latent` counts latent cells, `patch` is cells per token, `region` is tokens per region.
    """

    latent: THW
    patch: THW
    region: THW

    @classmethod
    def with_region_cells(cls, latent: THW, patch: THW, region_cells: THW) -> TokenGrid:
        """Regions given in latent cells, rounded to whole tokens: at least one token, at most the latent."""
        tokens = (ceil_div(size, part) for size, part in zip(latent, patch, strict=True))
        wanted = (max(1, round(cells / size)) for cells, size in zip(region_cells, patch, strict=True))
        return cls(latent, patch, tuple(min(most, part) for most, part in zip(tokens, wanted, strict=True)))

    def covers_as(self, other: TokenGrid) -> bool:
        """Whether both lay the same tokens over the same cells, whatever their regions."""
        return (self.latent, self.patch) == (other.latent, other.patch)

    @cached_property
    def tokens(self) -> THW:
        return tuple(ceil_div(size, part) for size, part in zip(self.latent, self.patch, strict=True))

    @cached_property
    def regions(self) -> THW:
        return tuple(ceil_div(size, part) for size, part in zip(self.tokens, self.region, strict=True))

    @property
    def num_tokens(self) -> int:
        return prod(self.tokens)

    @property
    def num_regions(self) -> int:
        return prod(self.regions)

    @property
    def region_cells(self) -> THW:
        """Latent cells per region (regions at the far ends may hold fewer)."""
        return tuple(patch * region for patch, region in zip(self.patch, self.region, strict=True))

    def region_of_token(self, device: torch.device | None = None) -> Tensor:
        """(num_tokens,) region index of every token, both row-major."""
        return _part_index(self.tokens, self.region, self.regions, device)

    def region_of_cell(self, device: torch.device | None = None) -> Tensor:
        """(frames * height * width,) region index of every latent cell, row-major."""
        return _part_index(self.latent, self.region_cells, self.regions, device)

    def cells(self, per_token: Tensor) -> Tensor:
        """(..., num_tokens) values spread over the latent: (..., frames, height, width)."""
        values = per_token.reshape(*per_token.shape[:-1], *self.tokens)
        for dim, (size, part) in enumerate(zip(self.latent, self.patch, strict=True), start=values.ndim - 3):
            if part > 1:
                values = values.repeat_interleave(part, dim)
            values = values.narrow(dim, 0, size)
        return values

    def mean_per_region(self, per_cell: Tensor, valid: Tensor | None = None) -> Tensor:
        """(..., frames, height, width) averaged over each region: (..., num_regions).

        `valid` (frames, height, width) weighs the cells, so ragged ends need no padding.
        """
        values = per_cell.flatten(-3)
        weight = torch.ones_like(values[(0,) * (values.ndim - 1)]) if valid is None else valid.flatten().to(values)
        index = self.region_of_cell(values.device)
        total = values.new_zeros(*values.shape[:-1], self.num_regions).index_add_(-1, index, values * weight)
        count = values.new_zeros(self.num_regions).index_add_(0, index, weight)
        return total / count.clamp(min=1.0)


def _part_index(sizes: THW, parts: THW, counts: THW, device: torch.device | None) -> Tensor:
    t, h, w = (torch.arange(size, device=device) // part for size, part in zip(sizes, parts, strict=True))
    return ((t[:, None, None] * counts[1] + h[:, None]) * counts[2] + w).flatten()
