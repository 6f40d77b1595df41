"""Weights by name alone, so that outputs computed elsewhere can be asked for again; tables of names and shapes."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy
import torch
from torch import Tensor, nn

DATA = Path(__file__).parent / "data" / "flash_vaed"
"""Names and shapes of the released decoders and of the VAEs they stand for, and outputs of the authors' classes."""


def shapes_of(table: str) -> dict[str, list[int]]:
    return json.loads((DATA / f"{table}.shapes.json").read_text())


def golden(name: str) -> tuple[Tensor, Tensor]:
    """The latent that was fed in, and the decoder's output."""
    with numpy.load(DATA / f"golden_{name}.npz") as arrays:
        return torch.from_numpy(arrays["z"]), torch.from_numpy(arrays["out"])


def filled(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """The weights that the golden outputs were computed with."""
    return {name: weight(name, tuple(shape)) for name, shape in shapes.items()}


def weight(name: str, shape: tuple[int, ...]) -> Tensor:
    if name in ("latents_mean", "latents_std"):
        return torch.full(shape, float(name == "latents_std"))
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
    if name.endswith(("gamma", "norm3.weight")):
        return 1 + 0.1 * noise
    return 0.05 * noise if name.endswith("bias") else noise / math.sqrt(math.prod(shape[1:]))


def shapes_in(module: nn.Module) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in module.state_dict().items()}


def fill(module: nn.Module) -> nn.Module:
    """The module with such weights, to be used without gradients."""
    module.load_state_dict(filled(shapes_in(module)))
    return module.requires_grad_(False)
