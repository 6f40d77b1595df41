"""How a model's latents carry noise, told in the terms of flow models: x = (1 - sigma) picture + sigma noise.

Other models (SD 1.5, SDXL, PixArt, CogVideoX, Cosmos) are sampled as x = picture + sigma noise. Divided by 1 + sigma
that is a flow model's x, at its sigma / (1 + sigma); the denoised prediction is the same, and so are Euler's steps.

CogVideoX (V_PREDICTION_DDPM) is told x as it comes, without a division, but the host's samplers make and move that x
as any other with added noise. Its own sampler (VOID) moves x / sqrt(1 + sigma^2): the same levels, not repaired.
"""

from __future__ import annotations

from enum import Enum

from comfy import model_sampling
from comfy.model_patcher import ModelPatcher


class Noise(Enum):
    MIXED = "a flow model's"
    ADDED = "picture plus noise"

    def flow_sigma(self, sigma: float) -> float:
        """The sigma at which a flow model has as much noise."""
        return sigma if self is Noise.MIXED else sigma / (1.0 + sigma)

    def scale(self, sigma: float) -> float:
        """How many times larger x is than that of a flow model with as much noise."""
        return 1.0 if self is Noise.MIXED else 1.0 + sigma


# The host's classes. None: x does not turn from noise into a picture (Lotus, FlowRVS), so nothing here holds.
NOISE_OF: dict[type, Noise | None] = {
    model_sampling.CONST: Noise.MIXED,
    model_sampling.EPS: Noise.ADDED,
    model_sampling.V_PREDICTION: Noise.ADDED,
    model_sampling.V_PREDICTION_DDPM: Noise.ADDED,
    model_sampling.EDM: Noise.ADDED,
    model_sampling.X0: Noise.ADDED,
    model_sampling.COSMOS_RFLOW: Noise.ADDED,
    model_sampling.IMG_TO_IMG: None,
    model_sampling.IMG_TO_IMG_FLOW: None,
}
SCALING = "noise_scaling"


def noise_of(model: ModelPatcher) -> Noise | None:
    """None where a model's latents are neither: by the first of its classes that is known here, or that scales noise
    in a way of its own."""
    for kind in type(model.get_model_object("model_sampling")).__mro__:
        if kind in NOISE_OF:
            return NOISE_OF[kind]
        if SCALING in vars(kind):
            return None
    return None
