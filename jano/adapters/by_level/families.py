"""The model families that Jano knows: modules with NAME, MODELS, REGION, patch(), width(), num_front(), taps().

Of any other model `anything` knows REGION and patch(), which is enough to forecast whole steps.
"""

from __future__ import annotations

from types import ModuleType

from torch import nn

from ..grid import TokenGrid
from . import anything, flux, wan

FAMILIES: tuple[ModuleType, ...] = (flux, wan)


def family_of(model: nn.Module) -> ModuleType | None:
    """The family of a diffusion model, by its exact class: a subclass may order its tokens in another way."""
    return next((family for family in FAMILIES if type(model) in family.MODELS), None)


def by_class(model: nn.Module) -> ModuleType:
    """The family of a diffusion model, or what is known of any."""
    return family_of(model) or anything


def supported() -> str:
    return ", ".join(model.__name__ for family in FAMILIES for model in family.MODELS)


def grid_of(family: ModuleType, model: nn.Module, latent_shape: tuple[int, ...], region: tuple) -> TokenGrid:
    """Token grid of a latent (batch, channels, [frames,] height, width); region in latent cells."""
    latent = (1, 1, 1, *latent_shape[2:])[-3:]
    return TokenGrid.with_region_cells(latent, family.patch(model), region)
