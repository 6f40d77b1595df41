"""LPIPS with AlexNet (Zhang et al. 2018), for pictures (frames, height, width, 3) in 0..1, with the user's weights."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from ..sentences import say

FILE = "lpips/lpips_alex.safetensors"
SMALLEST = 35  # pixels: below, the last pooling of AlexNet has nothing left
# The names that the authors' package gives AlexNet's convolutions: (name, shape, stride, padding, pooled before).
LAYERS = (
    ("net.slice1.0", (64, 3, 11, 11), 4, 2, False),
    ("net.slice2.3", (192, 64, 5, 5), 1, 2, True),
    ("net.slice3.6", (384, 192, 3, 3), 1, 1, True),
    ("net.slice4.8", (256, 384, 3, 3), 1, 1, False),
    ("net.slice5.10", (256, 256, 3, 3), 1, 1, False),
)
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)

Weights = dict[str, Tensor]


def complaint(weights: Weights) -> str:
    """What is wrong with these weights, in a sentence without its end; empty where they are of the authors' shapes."""
    for name, shape in _shapes():
        if name not in weights:
            return say("lacking_lpips", file=FILE, name=name)
        if tuple(weights[name].shape) != shape:
            return say("odd_lpips", file=FILE, name=name, shape=str(tuple(weights[name].shape)), expected=str(shape))
        if not bool(weights[name].isfinite().all()):
            return say("infinite_lpips", file=FILE, name=name)
    return ""


def _shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    for layer, (name, shape, *_) in enumerate(LAYERS):
        yield f"{name}.weight", shape
        yield f"{name}.bias", shape[:1]
        yield f"lin{layer}.model.1.weight", (1, shape[0], 1, 1)


def lpips(reference: Tensor, image: Tensor, weights: Weights) -> Tensor:
    """Perceptual distance of every frame: (frames,); 0 for equal pictures. Frames are taken one by one."""
    pairs = zip(reference.split(1), image.split(1), strict=True)
    return torch.cat([_distance(_features(one, weights), _features(other, weights), weights) for one, other in pairs])


def _features(picture: Tensor, weights: Weights) -> list[Tensor]:
    """The five activations of AlexNet, each of unit length over its channels."""
    shift, scale = (torch.tensor(values).view(1, 3, 1, 1) for values in (SHIFT, SCALE))
    x = (picture.float().movedim(-1, 1) * 2 - 1 - shift) / scale
    found = []
    for name, _, stride, padding, pooled in LAYERS:
        x = max_pool2d(x, 3, 2) if pooled else x
        x = conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, padding).relu()
        found.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
    return found


def _distance(a: list[Tensor], b: list[Tensor], weights: Weights) -> Tensor:
    layers = enumerate(zip(a, b, strict=True))
    squares = [conv2d((one - other) ** 2, weights[f"lin{layer}.model.1.weight"]) for layer, (one, other) in layers]
    return sum(square.mean((1, 2, 3)) for square in squares)
