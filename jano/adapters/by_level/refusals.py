"""What steps by level do not compute in part: each case with the sentence that the user reads."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...run import Run
from ..keys import QUESTION, Question
from .families import family_of, supported

# They run inside the blocks and expect every token.
BLOCK_PATCHES = ("post_input", "attn1_patch", "attn1_output_patch", "attn2_patch")


def unsupported_model(model: ModelPatcher, options: dict) -> str:
    """Why this model runs natively, by its class and by `transformer_options`; empty when it need not."""
    network = model.model.diffusion_model
    if family_of(network) is None:
        return (
            f"intervals by level need a model class that Jano knows ({supported()}), not {type(network).__name__}; a "
            "quality preset, or a target_speedup, works on every model"
        )
    if "torch.compile" in options.get("wrappers", {}).get(WrappersMP.APPLY_MODEL, {}):
        return "the model is compiled, which intervals by level do not allow (quality presets do)"
    return ""


def unsupported_split(model: ModelPatcher, model_options: dict) -> str:
    """Why a question that the host takes apart, in time or over devices, runs natively; empty where it is whole."""
    if model_options.get("context_handler") is not None:
        return "context windows are on, which intervals by level do not allow (quality presets do)"
    if model.get_additional_models_with_key("multigpu"):
        return "the model is split over several GPUs, which intervals by level do not allow (quality presets do)"
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
