"""How far a student's frames and features are from its teacher's. Frames are (N, 3, H, W) in -1 to 1."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
"""SSIM's Gaussian (Wang et al. 2004)."""
L1, SSIM, PERCEPTUAL = 10.0, 5.0, 2.0
"""Weights of the image loss: those that the paper is reported to use."""

SMALLEST_FOR_LPIPS = 35
"""Pixels, with AlexNet."""

Perceptual = Callable[[Tensor, Tensor], Tensor]
"""Distance of frames (N, H, W, 3) in 0 to 1 from a reference: (N,), as jano.show.lpips."""


def pictures(clip: Tensor) -> Tensor:
    """A clip (B, 3, T, H, W) as pictures (B * T, 3, H, W)."""
    return clip.transpose(1, 2).flatten(0, 1)


def psnr(reference: Tensor, frames: Tensor) -> Tensor:
    """In dB, of every frame: (N,)."""
    return -10.0 * torch.log10(((reference - frames) / 2).square().mean((1, 2, 3)))


def ssim(reference: Tensor, frames: Tensor) -> Tensor:
    """Structural similarity on the valid area, of every frame: (N,); both sides at least 11 pixels."""
    a, b = ((x / 2 + 0.5).flatten(0, 1).unsqueeze(1) for x in (reference, frames))
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    shared = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    index = (2 * mean_a * mean_b + c1) * (2 * shared + c2)
    index = index / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return index.mean((1, 2, 3)).unflatten(0, reference.shape[:2]).mean(1)


def blur(x: Tensor) -> Tensor:
    """By products with band matrices: on a CPU the gradient of a convolution of single channels takes far longer."""
    rows, columns = (band(size, x) for size in x.shape[-2:])
    return rows @ x @ columns.T


def band(size: int, like: Tensor) -> Tensor:
    """The Gaussian at every place of the valid area: (size - 10, size)."""
    line = torch.exp(
        -((torch.arange(WINDOW, device=like.device, dtype=like.dtype) - WINDOW // 2) ** 2) / (2 * SIGMA**2)
    )
    matrix = like.new_zeros(size - WINDOW + 1, size)
    for tap, weight in enumerate(line / line.sum()):
        matrix.diagonal(tap).fill_(weight)
    return matrix


def image_loss(reference: Tensor, frames: Tensor, perceptual: Perceptual | None = None) -> Tensor:
    """10 L1 + 5 (1 - SSIM), and 2 LPIPS where its weights are at hand."""
    loss = L1 * (reference - frames).abs().mean() + SSIM * (1 - ssim(reference, frames).mean())
    if perceptual is None or min(frames.shape[2:]) < SMALLEST_FOR_LPIPS:
        return loss
    as_pictures = ((x.clamp(-1, 1) / 2 + 0.5).movedim(1, -1) for x in (reference, frames))
    return loss + PERCEPTUAL * perceptual(*as_pictures).mean()


def feature_loss(reference: Tensor, features: Tensor) -> Tensor:
    """Mean square error against the variance of the reference: 1 for a constant."""
    mean = reference.mean(dim=[0, *range(2, reference.ndim)])
    variance = reference.square().mean() - mean.square().mean()
    return (reference - features).square().mean() / variance.clamp_min(1e-12)
