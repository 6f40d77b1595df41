"""The model families whose blocks Jano knows: modules with NAME, MODELS, width(), num_front(), taps()."""

from __future__ import annotations

from types import ModuleType

from torch import nn

from . import flux, wan

FAMILIES: tuple[ModuleType, ...] = (flux, wan)


def family_of(model: nn.Module) -> ModuleType | None:
    """The family of a diffusion model, by its exact class: a subclass may order its tokens in another way."""
    return next((family for family in FAMILIES if type(model) in family.MODELS), None)


def supported() -> str:
    return ", ".join(model.__name__ for family in FAMILIES for model in family.MODELS)
