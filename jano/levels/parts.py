"""Latents of several parts (a clip with its sound), which are sampled packed into one tensor."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor


@dataclass(frozen=True)
class Parts:
    """The shape (batch, channels, ...) of each part, in their order in a packed latent (batch, 1, all of a picture's
    values); none for a latent that is one part. `shown` is the part that is looked at: the pictures, or the clip."""

    shapes: tuple[tuple[int, ...], ...] = ()
    shown: int = 0

    def __len__(self) -> int:
        return len(self.shapes) or 1

    def split(self, latent: Tensor) -> list[Tensor]:
        """The parts in their own shapes, as views where that can be."""
        if not self.shapes:
            return [latent]
        pieces = latent.split([prod(shape[1:]) for shape in self.shapes], dim=-1)
        return [piece.reshape(-1, *shape[1:]) for piece, shape in zip(pieces, self.shapes, strict=True)]

    def over(self, values: list[Tensor]) -> Tensor:
        """One value for each picture and part, (batch, 1, ...), as they broadcast over the latent."""
        if not self.shapes:
            return values[0]
        sizes = [prod(shape[1:]) for shape in self.shapes]
        return torch.cat([one.reshape(-1, 1, 1).expand(-1, 1, n) for one, n in zip(values, sizes, strict=True)], dim=-1)

    def seen(self, latent: Tensor) -> Tensor:
        """The part that is looked at."""
        return self.split(latent)[self.shown]


ONE_PART = Parts()
