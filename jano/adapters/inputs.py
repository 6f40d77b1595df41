"""What reaches a node over the API may be anything: here it is what the node works with, or one sentence says what not.

ComfyUI checks links by their type and widgets by their range, but passes any literal on where a link belongs.
"""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral, Real

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..config import shown
from ..levels.map import LevelMap


def model_of(value: object) -> ModelPatcher:
    """The MODEL; ValueError for anything else."""
    if not isinstance(value, ModelPatcher):
        raise _refused("model", "a node's MODEL output", value)
    return value


def level_map_of(value: object) -> LevelMap | None:
    """The map, or None for none; ValueError for anything else."""
    if not isinstance(value, LevelMap | None):
        raise _refused("level_map", "the level_map output of a Jano Convergence Map", value)
    return value


def samples_of(latent: object) -> Tensor:
    """The samples of a LATENT, nested ones (audio with video) too; ValueError for anything else, and for none."""
    samples = latent.get("samples") if isinstance(latent, dict) else None
    if not isinstance(samples, Tensor) and not getattr(samples, "is_nested", False):
        raise _refused("latent", "a sampler's LATENT output", latent)
    if 0 in samples.shape:
        raise ValueError(f"Jano: latent is empty: its shape is {tuple(samples.shape)}.")
    return samples


def pictures_of(value: object, name: str) -> Tensor:
    """An IMAGE as (frames, height, width, 3) in 0..1 on the CPU: grey ones are spread, further channels left out.

    ValueError for anything else, and for no pictures.
    """
    if not isinstance(value, Tensor):
        raise _refused(name, "a node's IMAGE output", value)
    if value.ndim != 4:
        raise ValueError(
            f"Jano: {name} must hold pictures as (frames, height, width, channels), but its shape is "
            f"{tuple(value.shape)}."
        )
    if 0 in value.shape:
        raise ValueError(f"Jano: {name} holds no picture: its shape is {tuple(value.shape)}.")
    pictures = value.cpu().float() / (255.0 if value.dtype is torch.uint8 else 1.0)
    return pictures[..., :3] if value.shape[-1] > 2 else pictures[..., :1].expand(-1, -1, -1, 3)


def wire_of(value: object, name: str, source: str, *able: str) -> object:
    """What came over a wire of the host's, told by what it can do; ValueError for anything else."""
    if not all(hasattr(value, attribute) for attribute in able):
        raise _refused(name, source, value)
    return value


def conditioning_of(value: object, name: str) -> list:
    """A CONDITIONING: pairs of a tensor and a dict, one or more; ValueError for anything else."""
    if not isinstance(value, list) or not value or not all(map(_is_prompt, value)):
        given = "an empty list" if value == [] else None
        raise _refused(name, "a node's CONDITIONING output", value, given)
    return value


def _is_prompt(part: object) -> bool:
    is_pair = isinstance(part, list | tuple) and len(part) == 2
    return is_pair and isinstance(part[0], Tensor) and isinstance(part[1], dict)


def sigmas_of(value: object) -> Tensor:
    """A row of noise levels, 0 or more each; ValueError for anything else."""
    if not isinstance(value, Tensor) or value.ndim != 1:
        given = f"a tensor of the shape {tuple(value.shape)}" if isinstance(value, Tensor) else None
        raise _refused("sigmas", "a node's SIGMAS output", value, given)
    if not bool(value.isfinite().all()) or bool((value < 0).any()):
        raise ValueError("Jano: sigmas must be finite numbers, 0 or more.")
    return value


def number_of(value: object, name: str, least: float, most: float, whole: bool = False) -> float:
    """A number within these bounds; ValueError for anything else."""
    is_number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"Jano: {name} must be {kind} from {least} to {most}, not {shown(value)}.")
    return value


def choice_of(value: object, name: str, known: Collection[str]) -> str:
    """One of these names; ValueError for anything else."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"Jano: {name} {shown(value)} is unknown; choose one of {', '.join(known)}.")
    return value


def told_number(wired: object, name: str) -> float | None:
    """What an object of another pack's calls by this name, where that is a single number: some keep a list there."""
    told = getattr(wired, name, None)
    return told if isinstance(told, (int, float)) else None


def text_of(value: object, name: str) -> str:
    """A text; ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(f"Jano: {name} must be a text, but it is a {type(value).__name__}.")
    return value


def switch_of(value: object, name: str) -> bool:
    """A switch: true, false, 1 or 0; ValueError for anything else."""
    if not isinstance(value, int) or value not in (0, 1):
        raise ValueError(f"Jano: {name} must be true or false, but it is a {type(value).__name__}.")
    return bool(value)


def _refused(name: str, source: str, value: object, given: str | None = None) -> ValueError:
    given = given or ("nothing" if value is None else f"a {type(value).__name__}")
    return ValueError(f"Jano: {name} must be connected to {source}, but it is {given}.")
