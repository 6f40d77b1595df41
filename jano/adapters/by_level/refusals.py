"""What steps by level do not compute in part: each case with the sentence that the user reads."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher

from ..refusals import is_split
from .families import family_of, supported


def unsupported_model(model: ModelPatcher) -> str:
    """Why this model runs natively, by its class; empty when it need not."""
    network = model.model.diffusion_model
    if family_of(network) is not None:
        return ""
    return (
        f"intervals by level need a model class that Jano knows ({supported()}), not {type(network).__name__}; a "
        "quality preset, or a target_speedup, works on every model"
    )


def unsupported_split(model: ModelPatcher, model_options: dict) -> str:
    """Why a question that the host takes apart runs natively; empty where it is whole."""
    split = is_split(model, model_options)
    return f"{split}, which intervals by level do not allow (quality presets do)" if split else ""
