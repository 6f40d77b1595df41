"""How far cached keys and values had drifted from what is computed in their place."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

from torch import Tensor

from .kv_cache import Line

ROWS = 256
"""Reference tokens that are compared; more of them say the same."""


def metered(layers: Collection[Hashable]) -> frozenset[Hashable]:
    """The two blocks that are looked at: a third and two thirds of the way through."""
    ordered = list(layers)
    return frozenset(ordered[len(ordered) * third // 3] for third in (1, 2)) if ordered else frozenset()


def relative_rms(forecast: Tensor, computed: Tensor) -> float:
    """Root mean square of the difference, as a share of what was computed."""
    size = computed.float().square().mean().sqrt().clamp_min(1e-12)
    return float((forecast.float() - computed.float()).square().mean().sqrt() / size)


def drift_of(line: Line, keys: Tensor, values: Tensor, time: float, dim: int) -> float:
    """Of one block at `time`, the mean of its keys' and its values'; tokens lie along `dim`."""
    rows = min(ROWS, keys.shape[dim])
    pairs = zip(line.narrow(dim, rows).at(time), (keys, values), strict=True)
    return sum(relative_rms(forecast, computed.narrow(dim, 0, rows)) for forecast, computed in pairs) / 2


def mean(drifts: Sequence[float]) -> float | None:
    return sum(drifts) / len(drifts) if drifts else None
