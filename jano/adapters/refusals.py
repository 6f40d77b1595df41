"""What Jano does not accelerate: each case with the sentence that the user reads. Such runs and calls are native."""

from __future__ import annotations

from itertools import pairwise

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ..clock import SAME_STEP
from ..run import Run
from .keys import QUESTION, Question
from .noise import Noise, noise_of
from .other_caches import other_cache
from .sampler_name import sampler_name, shown_name

# They evaluate the model at sigmas of their own, so that a level's interval in steps means nothing.
ADAPTIVE_SAMPLERS = ("dpm_adaptive", "dpm_fast")
# They run inside the blocks and expect every token.
BLOCK_PATCHES = ("post_input", "attn1_patch", "attn1_output_patch", "attn2_patch")
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


def too_few_steps(sampler: object, is_preset: bool, num_steps: int) -> str:
    """Why no step of a short run is forecast; presets refuse them, quality custom does not."""
    name = sampler_name(sampler)
    fewest = FEWEST_STEPS.get(name, FEWEST_WITH_OTHERS)
    if not is_preset or num_steps >= fewest:
        return ""
    told = shown_name(sampler) or "this sampler"
    return f"{num_steps} steps are too few to gain by with {told} (qualities begin at {fewest} steps)"


def unsupported_sampling(sampler: object, num_steps: int) -> str:
    """Why this way of sampling runs natively."""
    name = sampler_name(sampler)
    if num_steps < 1:
        return "the run has no steps"
    if name.startswith(ADAPTIVE_SAMPLERS):
        return f"the sampler {shown_name(sampler)} chooses its own steps (any sampler with fixed steps works)"
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


def is_split(model: ModelPatcher, model_options: dict) -> str:
    """What comes between a question and its calls of the transformer, in time, over devices or compiled; empty for
    nothing."""
    wrappers = model_options["transformer_options"].get("wrappers", {})
    if "torch.compile" in wrappers.get(WrappersMP.APPLY_MODEL, {}):
        return "the model is compiled"
    if model_options.get("context_handler") is not None:
        return "context windows are on"
    if model.get_additional_models_with_key("multigpu"):
        return "the model is split over several GPUs"
    return ""


def patched_blocks(options: dict) -> str:
    if any(options.get("patches", {}).get(name) for name in BLOCK_PATCHES):
        return "another node patches attention inside the blocks"
    return ""


def unsupported_call(run: Run, x: Tensor, options: dict) -> str:
    """Why one call of the transformer is native while the run is not."""
    if tuple(x.shape[1:]) != run.latent_shape[1:]:
        return "a conditioning covers only part of the latent (area or window)"
    if x.shape[0] != len(options.get("uuids", ())) * run.latent_shape[0]:
        return "another node calls the model with batches of its own"
    if len(options["uuids"]) != len(options.get("cond_or_uncond", ())):
        return "another node calls the model without telling the sides of the guidance (cond_or_uncond)"
    question: Question | None = options.get(QUESTION)
    return (question.native if question else "") or patched_blocks(options)
