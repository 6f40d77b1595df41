"""The few statistics that the reports use, over plain lists or one-dimensional tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def quantile(values: Sequence[float], share: float) -> float:
    """Linear between neighbours."""
    return float(torch.quantile(torch.tensor(values, dtype=torch.float64), share))


def median(values: Sequence[float]) -> float:
    return quantile(values, 0.5)


def worst_decile(values: Sequence[float]) -> float:
    """Mean of the lowest tenth, of one value at least."""
    ascending = sorted(values)
    return mean(ascending[: max(1, len(ascending) // 10)])


FLIP_DB = 18.0
"""Below this a picture usually is another one: of real models half of the steps keeps 15.6 to 17.8 dB on average, and
methods that keep the picture 21 and more (bench/real_trajectories.json)."""


def flips(psnrs: Sequence[float]) -> float:
    """Share of the pictures that are no longer the same, by their PSNR in dB."""
    return mean([float(psnr < FLIP_DB) for psnr in psnrs])


def interval(values: Sequence[float], share: float = 0.9, draws: int = 1000) -> tuple[float, float]:
    """Where this share of the means lies if as many values are drawn again with repetition (percentile bootstrap)."""
    sample = torch.tensor(values, dtype=torch.float64)
    chosen = torch.randint(len(values), (draws, len(values)), generator=torch.Generator().manual_seed(0))
    means = sample[chosen].mean(1).tolist()
    return quantile(means, (1 - share) / 2), quantile(means, (1 + share) / 2)


def ranks(values: Tensor) -> Tensor:
    """Ranks from 0, equal values share their mean rank."""
    _, inverse, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    return (last - (counts.double() + 1.0) / 2.0)[inverse]


def spearman(a: Tensor, b: Tensor) -> float:
    """Rank correlation; 0 where one side is constant."""
    a, b = (ranks(side.flatten()) for side in (a, b))
    a, b = a - a.mean(), b - b.mean()
    scale = (a.norm() * b.norm()).item()
    return (a @ b).item() / scale if scale else 0.0


def auc(values: Tensor, positive: Tensor) -> float:
    """Chance that a positive's value lies above a negative's: the area under the ROC curve (Mann and Whitney)."""
    found, others = int(positive.sum()), int((~positive).sum())
    return ((ranks(values)[positive].mean() - (found - 1) / 2) / others).item()
