"""Where a noise mask lets the sampler go its own way: there forecasts are repaired, and there their error counts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

# What changes a mask from step to step.
FUNCTION = "denoise_mask_function"
# The host's only one (DifferentialDiffusion), which may be asked beforehand: others may count, or draw random numbers.
# By its file, since the server gives built-in nodes' modules other names than an import does.
KNOWN = ("comfy_extras", "nodes_differential_diffusion.py")


def painted_cells(model: ModelPatcher, mask: Tensor | None, sigmas: Tensor, model_options: dict) -> Tensor | None:
    """(1, 1, [frames,] height, width) bool, True where the mask is 1 at every step, in every picture of the batch; None
    without a mask. `mask` is as the host prepared it for the latent.

    Nowhere, where another pack changes the mask: what it makes of it is not known beforehand.
    """
    if mask is None:
        return None
    masks = _at_every_step(model, mask, sigmas, model_options.get(FUNCTION))
    return torch.stack([each >= 1.0 for each in masks]).all(0).all(0, keepdim=True).all(1, keepdim=True)


def _at_every_step(model: ModelPatcher, mask: Tensor, sigmas: Tensor, function: object) -> list[Tensor]:
    """The mask of every step; before sampling there is nothing to tell the function of the model but its sampling."""
    if function is None:
        return [mask]
    if Path(getattr(getattr(function, "__code__", None), "co_filename", "")).parts[-2:] != KNOWN:
        return [torch.zeros_like(mask)]
    guider = SimpleNamespace(inner_model=SimpleNamespace(model_sampling=model.get_model_object("model_sampling")))
    options = {"model": guider, "sigmas": sigmas}
    return [function(sigma.reshape(1).to(mask.device), mask, extra_options=options) for sigma in sigmas[:-1]]
