"""Telling the host how much memory a run takes besides the model's own, so that it loads less where that is tight."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil


def larger_shape(noise_shape: tuple[int, ...], extra: int, required: Callable[[list[int]], float]) -> tuple[int, ...]:
    """A latent shape whose memory estimate is about `extra` bytes above that of `noise_shape`, by its height.

    The host estimates memory from the latent's shape alone; `required` is its estimate in bytes.
    """
    growth = 1.0 + extra / max(1.0, required(list(noise_shape)))
    return (*noise_shape[:-2], ceil(noise_shape[-2] * growth), noise_shape[-1])
