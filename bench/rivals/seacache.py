"""SeaCache (Chung et al., CVPR 2026, 2602.18993): steps are skipped while the picture in x hardly changes.

Changes are measured after a filter that follows sigma: the Wiener gain of a picture with spectrum 1 / f^power in white
noise, a S / (a^2 S + b^2) with a = 1 - sigma and b = sigma, scaled to a mean of one. The published exponent for clips
is 3; for pictures it is 2, that of natural ones. The first and the last step are computed, as published.

The rule is EasyCache's (2507.02860): the output is expected to change as much for a change of x as it last did, the
expected changes add up, and a step is computed when they exceed the threshold. What is reused is output less x.
Published SeaCache measures the first block's modulated input, which not every model has; here it is x itself, and the
guided output (see skipping.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

PICTURE_POWER, CLIP_POWER = 2.0, 3.0
LEAST_SIGNAL = 1e-3
"""Share of the picture in x below which the filter no longer changes: at sigma 1 there is none."""


def spectrum(shape: Sequence[int], power: float, device: torch.device) -> Tensor:
    """Power over the frequencies of torch.fft.rfftn for these axes, mean 1, highest at the lowest but zero."""
    axes = [torch.fft.fftfreq(size, device=device) for size in shape[:-1]]
    axes.append(torch.fft.rfftfreq(shape[-1], device=device))
    square = sum(axis.square() for axis in torch.meshgrid(*axes, indexing="ij"))
    values = square.clamp(min=1.0 / max(shape) ** 2) ** (-power / 2.0)
    return values / values.mean()


def gain(signal: Tensor, sigma: float) -> Tensor:
    """Of the filter at this noise level, for every frequency; mean 1."""
    share = max(1.0 - sigma, LEAST_SIGNAL)
    values = share * signal / (share**2 * signal + sigma**2)
    return values / values.mean()


def filtered(x: Tensor, sigma: float) -> Tensor:
    """(batch, channels, [frames,] height, width): what the filter keeps."""
    axes = tuple(range(2, x.ndim))
    signal = spectrum(x.shape[2:], CLIP_POWER if x.ndim == 5 else PICTURE_POWER, x.device)
    return torch.fft.irfftn(torch.fft.rfftn(x.float(), dim=axes) * gain(signal, sigma), s=x.shape[2:], dim=axes)


def size(x: Tensor) -> float:
    return x.abs().mean().item()


class SeaCache:
    """`sigmas` are the run's."""

    def __init__(self, sigmas: Sequence[float], threshold: float) -> None:
        self._sigmas, self._threshold = sigmas, threshold
        self._seen: Tensor | None = None
        self._at_computed: tuple[Tensor, Tensor] | None = None
        self._rest: Tensor | None = None
        self._rate: float | None = None
        self._expected = 0.0

    def is_due(self, step: int, x: Tensor) -> bool:
        picture = filtered(x, self._sigmas[step])
        change = 0.0 if self._seen is None else size(picture - self._seen)
        self._seen = picture
        if self._rate is None or step >= len(self._sigmas) - 2:
            return True
        self._expected += self._rate * change / size(self._at_computed[1])
        return self._expected >= self._threshold

    def computed(self, step: int, x: Tensor, output: Tensor) -> None:
        now = self._seen, filtered(output, self._sigmas[step])
        if self._at_computed is not None:
            self._rate = size(now[1] - self._at_computed[1]) / max(size(now[0] - self._at_computed[0]), 1e-9)
        self._at_computed, self._rest, self._expected = now, output - x, 0.0

    def forecast(self, step: int, x: Tensor) -> Tensor:
        return x + self._rest
