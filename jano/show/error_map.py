"""How far forecasts moved the picture, region by region: a byte a region, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..levels.grid import TokenGrid

LOWEST, HIGHEST = 1e-3, 1.0
"""What codes 1 and 255 stand for: shares of the prediction's root mean square. One code is 2.8 % more than the last."""
LAST_CODE = 255


@dataclass(frozen=True)
class ErrorMap:
    """What forecasts of one latent did to the finished picture before any repair. `codes` (num_regions,) uint8 on the
    CPU, row-major; 0 is not measured, or less than LOWEST."""

    grid: TokenGrid
    codes: Tensor

    @classmethod
    def of(cls, grid: TokenGrid, shares: Tensor) -> ErrorMap:
        """From (num_regions,) root mean squares, as shares of that of the prediction; negative or NaN: not measured."""
        return cls(grid, codes_of(shares))

    @property
    def shares(self) -> Tensor:
        """(num_regions,) float, as they are read from the codes; 0 where nothing was measured."""
        return shares_of(self.codes)

    @classmethod
    def worst(cls, maps: Iterable[ErrorMap]) -> ErrorMap | None:
        """The largest error of every region; None of no map."""
        maps = list(maps)
        return cls(maps[0].grid, torch.stack([one.codes for one in maps]).amax(0)) if maps else None


def codes_of(shares: Tensor) -> Tensor:
    """Bytes of errors: 1 + 254 log(share / LOWEST) / log(HIGHEST / LOWEST), 0 below LOWEST."""
    place = (shares / LOWEST).log() / torch.log(torch.tensor(HIGHEST / LOWEST))
    codes = (1 + place * (LAST_CODE - 1)).round().clamp(1, LAST_CODE)
    return torch.where(shares >= LOWEST, codes, torch.zeros(())).to(torch.uint8)


def shares_of(codes: Tensor) -> Tensor:
    """Errors of their bytes; 0 for 0."""
    place = (codes.float() - 1) / (LAST_CODE - 1)
    return torch.where(codes > 0, LOWEST * (HIGHEST / LOWEST) ** place, torch.zeros(()))
