"""What Jano does not accelerate: each case with the sentence that the user reads. Such runs and calls are native."""

from __future__ import annotations

from itertools import pairwise

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ..clock import SAME_STEP
from ..run import Run
from ..sentences import say
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
        return say("unknown_sampling", model=name)
    return ""


def unsupported_latent(shape: tuple[int, ...]) -> str:
    """Why a latent runs natively, of several parts the one that is looked at."""
    if len(shape) not in (4, 5):
        return say("no_pictures")
    return ""


def too_few_steps(sampler: object, is_preset: bool, num_steps: int) -> str:
    """Why no step of a short run is forecast; presets refuse them, quality custom does not."""
    name = sampler_name(sampler)
    fewest = FEWEST_STEPS.get(name, FEWEST_WITH_OTHERS)
    if not is_preset or num_steps >= fewest:
        return ""
    told = shown_name(sampler) or say("this_sampler")
    return say("too_few_steps", steps=num_steps, sampler=told, fewest=fewest)


def unsupported_sampling(sampler: object, num_steps: int) -> str:
    """Why this way of sampling runs natively."""
    name = sampler_name(sampler)
    if num_steps < 1:
        return say("no_steps")
    if name.startswith(ADAPTIVE_SAMPLERS):
        return say("own_steps", sampler=shown_name(sampler))
    return ""


def unsupported_sigmas(model: ModelPatcher, sigmas: Tensor) -> str:
    if bool((sigmas[1:] > sigmas[:-1]).any()):
        return say("rising_sigmas")
    if noise_of(model) is Noise.MIXED and float(sigmas[0]) > 1.0 + ROUNDING:
        return say("high_sigmas", sigma=float(sigmas[0]))
    levels = [noise_of(model).flow_sigma(sigma) for sigma in sigmas.tolist()]
    if any(0.0 < sigma - following <= SAME_STEP * sigma for sigma, following in pairwise(levels)):
        return say("close_steps")
    return ""


def conflicting_node(model: ModelPatcher, model_options: dict) -> str:
    """Which other node on the same model makes the run native."""
    name = other_cache(model.model.diffusion_model, model_options)
    return say("other_cache", cache=name) if name else ""


def is_split(model: ModelPatcher, model_options: dict) -> str:
    """What comes between a question and its calls of the transformer, in time, over devices or compiled; empty for
    nothing."""
    wrappers = model_options["transformer_options"].get("wrappers", {})
    if "torch.compile" in wrappers.get(WrappersMP.APPLY_MODEL, {}):
        return say("compiled")
    if model_options.get("context_handler") is not None:
        return say("in_windows")
    if model.get_additional_models_with_key("multigpu"):
        return say("over_devices")
    return ""


def patched_blocks(options: dict) -> str:
    if any(options.get("patches", {}).get(name) for name in BLOCK_PATCHES):
        return say("patched_blocks")
    return ""


def unsupported_call(run: Run, x: Tensor, options: dict) -> str:
    """Why one call of the transformer is native while the run is not."""
    if tuple(x.shape[1:]) != run.latent_shape[1:]:
        return say("part_of_the_latent")
    if x.shape[0] != len(options.get("uuids", ())) * run.latent_shape[0]:
        return say("own_batches")
    if len(options["uuids"]) != len(options.get("cond_or_uncond", ())):
        return say("no_sides")
    question: Question | None = options.get(QUESTION)
    return (question.native if question else "") or patched_blocks(options)
