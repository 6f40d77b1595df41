"""Where a noise mask lets the sampler go its own way: there forecasts are repaired, and there their error counts."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

log = logging.getLogger(__name__)

# The host's name for what changes a mask from step to step (DifferentialDiffusion).
FUNCTION = "denoise_mask_function"


def painted_cells(model: ModelPatcher, mask: Tensor | None, sigmas: Tensor, model_options: dict) -> Tensor | None:
    """(1, 1, [frames,] height, width) bool, True where the mask is 1 at every step, in every picture of the batch; None
    without a mask. `mask` is as the host prepared it for the latent.

    Nowhere, where that cannot be told: another node changes the mask by more than the host lets be known beforehand.
    """
    if mask is None:
        return None
    function = model_options.get(FUNCTION)
    masks = [mask] if function is None else _changed(function, model, mask, sigmas)
    return torch.stack([each >= 1.0 for each in masks]).all(0).all(0, keepdim=True).all(1, keepdim=True)


def _changed(function: object, model: ModelPatcher, mask: Tensor, sigmas: Tensor) -> list[Tensor]:
    """The mask of every step; before sampling there is nothing to tell the function of the model but its sampling."""
    guider = SimpleNamespace(inner_model=SimpleNamespace(model_sampling=model.get_model_object("model_sampling")))
    options = {"model": guider, "sigmas": sigmas}
    try:
        return [function(sigma.reshape(1).to(mask.device), mask, extra_options=options) for sigma in sigmas[:-1]]
    except Exception as error:  # whatever another pack's function may want: then nothing is repaired
        log.info("Jano: the noise mask of each step is not known beforehand (%s: %s).", type(error).__name__, error)
        return [torch.zeros_like(mask)]
