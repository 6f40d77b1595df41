"""How close two pictures are. Pictures are (frames, height, width, channels) in 0..1."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d


def psnr(reference: Tensor, image: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of every frame in dB: (frames,); infinite where they are equal."""
    return -10.0 * torch.log10((reference - image).double().square().mean((1, 2, 3)))


def ssim(reference: Tensor, image: Tensor) -> Tensor:
    """Structural similarity of every frame: (frames,). Wang et al. 2004: Gaussian window of 11, sigma 1.5, per channel
    on the valid area, K1 = 0.01, K2 = 0.03."""
    a, b = (picture.double().movedim(-1, 1).flatten(0, 1).unsqueeze(1) for picture in (reference, image))
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    var_a, var_b = _window_mean(a * a) - mean_a**2, _window_mean(b * b) - mean_b**2
    covariance = _window_mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    index = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    index = index / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return index.mean((1, 2, 3)).reshape(reference.shape[0], -1).mean(1)


def _window_mean(x: Tensor, size: int = 11, sigma: float = 1.5) -> Tensor:
    line = torch.exp(-((torch.arange(size, device=x.device, dtype=x.dtype) - size // 2) ** 2) / (2 * sigma**2))
    line = line / line.sum()
    return conv2d(conv2d(x, line.view(1, 1, -1, 1)), line.view(1, 1, 1, -1))
