"""What steps by level do not compute in part: each case with the sentence that the user reads."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher

from ...sentences import say
from ..refusals import is_split
from .families import family_of, supported


def unsupported_model(model: ModelPatcher) -> str:
    """Why this model runs natively, by its class; empty when it need not."""
    network = model.model.diffusion_model
    if family_of(network) is not None:
        return ""
    return say("unknown_class_by_level", known=supported(), model=type(network).__name__)


def unsupported_split(model: ModelPatcher, model_options: dict) -> str:
    """Why a question that the host takes apart runs natively; empty where it is whole."""
    split = is_split(model, model_options)
    return say("not_by_level", split=split) if split else ""
