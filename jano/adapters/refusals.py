"""What Jano does not accelerate: each case with the sentence that the user reads. Such runs and calls are native."""

from __future__ import annotations

from itertools import pairwise

from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..clock import SAME_STEP
from .noise import Noise, noise_of
from .other_caches import other_cache
from .sampler_name import sampler_name

# They evaluate the model at sigmas of their own, so that a level's interval in steps means nothing.
ADAPTIVE_SAMPLERS = ("dpm_adaptive", "dpm_fast")
# Steps from which a preset gains: it leaves steps out, and comes closer than a run of as many steps as it computed
# (`bench/run.py short_runs`). With the other samplers that is so from 9 on.
FEWEST_STEPS = {"sample_euler": 6, "sample_heun": 6, "sample_unipc": 8, "sample_unipc_bh2": 8}
FEWEST_WITH_OTHERS = 9
# By which a schedule's first sigma may miss 1.
ROUNDING = 1e-4


def unsupported_model(model: ModelPatcher) -> str:
    """Why this model runs natively; empty when Jano can accelerate it."""
    name = type(model.model.diffusion_model).__name__
    if noise_of(model) is None:
        return f"{name} is sampled in a way that Jano does not know (supported: flow, eps, v and EDM models)"
    return ""


def unsupported_latent(shape: tuple[int, ...]) -> str:
    """Why a latent runs natively, of several parts the one that is looked at."""
    if len(shape) not in (4, 5):
        return "the latent is neither pictures nor video"
    return ""


def unsupported_sampling(sampler: object, is_preset: bool, num_steps: int) -> str:
    """Why this way of sampling runs natively; presets refuse runs of a few steps, quality custom does not."""
    name = sampler_name(sampler)
    if num_steps < 1:
        return "the run has no steps"
    fewest = FEWEST_STEPS.get(name, FEWEST_WITH_OTHERS)
    if is_preset and num_steps < fewest:
        told = name or "this sampler"
        return f"{num_steps} steps are too few to gain anything with {told} (from {fewest} on, or with quality custom)"
    if name.startswith(ADAPTIVE_SAMPLERS):
        return f"the sampler {name} chooses its own steps (any sampler with fixed steps works)"
    return ""


def unsupported_sigmas(model: ModelPatcher, sigmas: Tensor) -> str:
    if bool((sigmas[1:] > sigmas[:-1]).any()):
        return "the sigmas do not only fall (unsampling or restarts)"
    if noise_of(model) is Noise.MIXED and float(sigmas[0]) > 1.0 + ROUNDING:
        return f"the sigmas start at {float(sigmas[0]):.1f}, above the 1 of pure noise in a flow model"
    levels = [noise_of(model).flow_sigma(sigma) for sigma in sigmas.tolist()]
    if any(0.0 < sigma - following <= SAME_STEP * sigma for sigma, following in pairwise(levels)):
        return "two steps lie so close together that they cannot be told apart (use fewer steps, or another scheduler)"
    return ""


def conflicting_node(model: ModelPatcher, model_options: dict) -> str:
    """Which other node on the same model makes the run native."""
    name = other_cache(model.model.diffusion_model, model_options)
    return f"{name} is on the same model (remove one of the two)" if name else ""
