"""Which channels can stand for all the others: greedy selection by explained variance, on second moments alone.

Flash-VAED (arXiv 2602.19161) keeps the channels from which the rest can be rebuilt linearly. Per layer only a mean and
a C x C matrix are collected, so that no feature map is ever stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

RIDGE = 1e-6
"""Of the mean variance, added where a covariance is inverted: channels may repeat each other exactly."""


@dataclass
class Moments:
    """Running first and second moments of a layer's channels: total (C,), products (C, C), in float64."""

    total: Tensor
    products: Tensor
    count: int = 0

    @classmethod
    def of_width(cls, width: int) -> Moments:
        return cls(torch.zeros(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64))

    def add(self, samples: Tensor) -> None:
        """Counts samples (N, C) in."""
        samples = samples.to("cpu", torch.float64)
        self.total += samples.sum(0)
        self.products += samples.T @ samples
        self.count += len(samples)

    def mean(self) -> Tensor:
        return self.total / self.count

    def covariance(self) -> Tensor:
        """(C, C), symmetric."""
        mean = self.mean()
        return self.products / self.count - mean.outer(mean)


@dataclass(frozen=True)
class Ranking:
    """Channels in the order in which greedy selection takes them, and the R^2 of all channels after each: (C,), nested.

    Fewer entries than channels where the rest is explained exactly.
    """

    order: tuple[int, ...]
    explained: tuple[float, ...]

    def width_for(self, target: float) -> int:
        """The fewest channels that explain this share of the variance; all of them where it is never reached."""
        return next((count + 1 for count, share in enumerate(self.explained) if share >= target), len(self.order))


def rank_channels(covariance: Tensor) -> Ranking:
    """Greedy forward selection: the channel that explains most of what is left, then the rest without what it explains.

    Equal to regressing all channels on every candidate set anew, at C^2 instead of C^4 operations a channel taken.
    """
    rest, total = covariance.clone(), float(covariance.trace())
    floor = RIDGE * max(total, torch.finfo(torch.float64).tiny) / len(covariance)
    order, explained = [], []
    for _ in range(len(covariance)):
        own = rest.diagonal().clone()
        gains = torch.where(own > floor, rest.square().sum(0) / own.clamp_min(floor), -1.0)
        gains[order] = -1.0
        best = int(gains.argmax())
        if gains[best] <= 0:
            break
        rest -= rest[:, best].outer(rest[best]) / rest[best, best]
        order.append(best)
        explained.append(1.0 - float(rest.trace()) / total)
    return Ranking(tuple(order), tuple(explained))


def explained_share(covariance: Tensor, kept: list[int]) -> float:
    """R^2 of regressing all channels on the kept ones."""
    weight = reconstruction(covariance, kept)
    rest = covariance.trace() - (weight * covariance[:, kept]).sum()
    return 1.0 - float(rest / covariance.trace())


def reconstruction(covariance: Tensor, kept: list[int]) -> Tensor:
    """Least squares weights (C, K) that rebuild all centred channels from the kept ones."""
    among = covariance[kept][:, kept]
    ridge = RIDGE * among.diagonal().mean() * torch.eye(len(kept), dtype=among.dtype)
    return torch.linalg.solve(among + ridge, covariance[kept]).T


def filled(order: tuple[int, ...], width: int, channels: int) -> list[int]:
    """The first `width` channels of an order, ascending; where the order is shorter, others in their own order."""
    rest = [channel for channel in range(channels) if channel not in order]
    return sorted([*order, *rest][:width])


def rank_by_norm(weight: Tensor) -> tuple[int, ...]:
    """Output channels of a kernel (C, ...), the largest L2 norm first: the usual criterion, for comparison."""
    return tuple(weight.flatten(1).norm(dim=1).argsort(descending=True).tolist())


def rank_at_random(channels: int, seed: int) -> tuple[int, ...]:
    """A permutation, for comparison."""
    return tuple(torch.randperm(channels, generator=torch.Generator().manual_seed(seed)).tolist())


def pixels(features: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Up to `most` random places of features (B, C, ..., H, W) as samples (N, C)."""
    flat = features.transpose(0, 1).flatten(1)
    if flat.shape[1] > most:
        flat = flat[:, torch.randint(flat.shape[1], (most,), generator=generator).to(flat.device)]
    return flat.T
