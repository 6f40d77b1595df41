"""What a user's choice means for the references of a run, by the model's class and by how it places them."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher

from ...config import ReferenceConfig
from ...references.control import TOLERANCE
from ...references.engine import Refreshing
from ...show.references import ReferenceAccount
from ...show.report import RunReport
from ..refusals import is_split, patched_blocks
from ..settings import JanoSettings
from .families import can_isolate, family_of, supported
from .memory import cache_bytes, references_of, storage_of

AUTO, EVERY_STEP, ISOLATED = "auto", "every step", "isolated"


def refreshing(
    settings: JanoSettings, guider: object, batch: int, report: RunReport, forecasts: bool
) -> Refreshing | None:
    """How references are treated; None where there are none, or all are computed at every step: the report says why.

    `forecasts` tells that whole steps are left out too.
    """
    chosen, model = settings.references, guider.model_patcher
    if settings.scheduler is None or chosen.references == EVERY_STEP or not any(references_of(guider.conds)):
        return None
    if reason := _refused(settings, guider) or _not_worth_it(chosen, model, guider.conds, forecasts):
        report.notes.append(f"references are computed at every step: {reason}")
        return None
    report.references = ReferenceAccount(chosen.references)
    tolerance = TOLERANCE if chosen.references == AUTO else None
    storage = storage_of(chosen, model, cache_bytes(model, guider.conds, batch, 1 if tolerance is None else 2))
    return Refreshing(tolerance, chosen.references == ISOLATED, storage)


def _not_worth_it(chosen: ReferenceConfig, model: ModelPatcher, conds: dict, forecasts: bool) -> str:
    """Why "auto" does not leave references out."""
    if chosen.references != AUTO or not forecasts:
        return ""
    return ""


def _refused(settings: JanoSettings, guider: object) -> str:
    """Why no reference can be left out."""
    model, options = guider.model_patcher, guider.model_options
    network = model.model.diffusion_model
    if settings.by_level:
        return "intervals by level leave out tokens of the picture alone (quality presets can leave out references)"
    if family_of(network) is None:
        return f"leaving them out needs a model class that Jano knows ({supported()}), not {type(network).__name__}"
    if settings.references.references == ISOLATED and not can_isolate(network):
        return f"{type(network).__name__} cannot have them at time zero, which isolated references need"
    of_model = options["transformer_options"]
    return is_split(model, options) or _kept_elsewhere(of_model) or patched_blocks(of_model)


def _kept_elsewhere(options: dict) -> str:
    """The host's own cache of references."""
    patches = options.get("patches", {}).get("attn1_patch", ())
    if not any(type(patch).__name__ == "KV_Attn_Input" for patch in patches):
        return ""
    return "FluxKVCache is on the same model and keeps them in its own way (remove one of the two)"
