"""How a model's latents carry noise, told in the terms of flow models: x = (1 - sigma) picture + sigma noise.

Other models (SD 1.5, SDXL, PixArt, CogVideoX, Cosmos) are sampled as x = picture + sigma noise. Divided by 1 + sigma
that is a flow model's x, at its sigma / (1 + sigma); the denoised prediction is the same, and so are Euler's steps.
"""

from __future__ import annotations

from enum import Enum

from comfy.model_patcher import ModelPatcher
from comfy.model_sampling import CONST, COSMOS_RFLOW, EPS, IMG_TO_IMG


class Noise(Enum):
    MIXED = "a flow model's"
    ADDED = "picture plus noise"

    def flow_sigma(self, sigma: float) -> float:
        """The sigma at which a flow model has as much noise."""
        return sigma if self is Noise.MIXED else sigma / (1.0 + sigma)

    def scale(self, sigma: float) -> float:
        """How many times larger x is than that of a flow model with as much noise."""
        return 1.0 if self is Noise.MIXED else 1.0 + sigma


def noise_of(model: ModelPatcher) -> Noise | None:
    """None where a model's latents are neither."""
    sampling = model.get_model_object("model_sampling")
    if isinstance(sampling, CONST):
        return Noise.MIXED
    return Noise.ADDED if isinstance(sampling, (EPS, COSMOS_RFLOW)) and not isinstance(sampling, IMG_TO_IMG) else None
