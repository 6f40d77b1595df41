"""What a user's choice means for the references of a run, by the model's class and by how it places them."""

from __future__ import annotations

import torch
from comfy.model_patcher import ModelPatcher

from ...references.control import TOLERANCE, tolerance_for
from ...references.engine import Refreshing
from ...sentences import say
from ...show.references import ReferenceAccount
from ...show.report import RunReport
from ..memory import storage_of
from ..refusals import is_split, patched_blocks
from ..settings import JanoSettings
from .arguments import num_references, num_tokens
from .families import can_isolate, family_of, is_kept_by_the_host, supported
from .memory import cache_bytes, references_of

MOSTLY_REFERENCES = 0.6
"""Share of the tokens above which references are left out of runs that skip steps too. On the tiny edit model (time
zero, 20 steps, CFG 1 and 3) three references gain 1 to 7 dB at 0.3 of the FLOPs, one is level at 0.4."""
FEW_REFERENCES = 2 / 3
"""Share of its tolerance that "balanced" keeps where they are fewer and no step is skipped. 4 steps, one reference,
20 to 64 edits a cell: three computations of four are 1.3 to 6.4 dB closer than a run of three steps; the two that the
whole tolerance often plans cost as much as that run and are further off (8 edits: 2 to 7 dB)."""
AUTO, EVERY_STEP, ISOLATED = "auto", "every step", "isolated"


def refreshing(
    settings: JanoSettings, guider: object, cells: tuple[int, ...], report: RunReport, forecasts: bool
) -> Refreshing | None:
    """How references are treated; None where there are none, or all are computed at every step: the report says why.

    `cells` is the latent's shape; `forecasts` tells that whole steps are left out too.
    """
    chosen, model = settings.references, guider.model_patcher
    if settings.scheduler is None or not any(references_of(model.model.diffusion_model, guider.conds, cells)):
        return None
    if chosen.references == EVERY_STEP:
        report.would_freeze = not _refused(settings, guider) and _gains(settings, guider, cells, forecasts)
        return None
    if reason := _refused(settings, guider):
        report.notes.append(say("references_every_step", reason=reason))
        return None
    tolerance = tolerance_for(settings.scheduler.tolerance, settings.scheduler.target_speedup)
    few = chosen.references == AUTO and _are_few(tolerance, guider, cells)
    if few and forecasts:
        report.notes.append(say("references_every_computed_step"))
        return None
    tolerance *= FEW_REFERENCES if few else 1.0
    report.references = ReferenceAccount(chosen.references)
    tolerance = tolerance if chosen.references == AUTO else None
    needed = cache_bytes(model, guider.conds, cells, 1 if tolerance is None else 2, "device")
    storage = storage_of(chosen, model, needed)
    return Refreshing(tolerance, chosen.references == ISOLATED, storage)


def _gains(settings: JanoSettings, guider: object, cells: tuple[int, ...], forecasts: bool) -> bool:
    """Whether "auto" leaves out references in this run."""
    tolerance = tolerance_for(settings.scheduler.tolerance, settings.scheduler.target_speedup)
    return not forecasts or not _are_few(tolerance, guider, cells)


def _are_few(tolerance: float, guider: object, cells: tuple[int, ...]) -> bool:
    """Whether leaving out whole steps comes closer than leaving out references as well."""
    return tolerance <= TOLERANCE and not _is_mostly_references(guider.model_patcher, guider.conds, cells)


def _is_mostly_references(model: ModelPatcher, conds: dict, cells: tuple[int, ...]) -> bool:
    """Whether references are more than MOSTLY_REFERENCES of the tokens."""
    network = model.model.diffusion_model
    picture = num_tokens(network, [torch.empty(cells, device="meta")])
    most = max(num_references(network, arguments) for arguments in references_of(network, conds, cells))
    return most > MOSTLY_REFERENCES * (picture + most)


def _refused(settings: JanoSettings, guider: object) -> str:
    """Why no reference can be left out."""
    model, options = guider.model_patcher, guider.model_options
    network = model.model.diffusion_model
    if settings.by_level:
        return say("references_not_by_level")
    if is_kept_by_the_host(network):
        return say("kept_by_the_host", model=type(network).__name__)
    if family_of(network) is None:
        return say("unknown_class_of_references", known=supported(), model=type(network).__name__)
    if settings.references.references == ISOLATED and not can_isolate(network):
        return say("no_time_zero", model=type(network).__name__)
    of_model = options["transformer_options"]
    return is_split(model, options) or _kept_elsewhere(of_model) or patched_blocks(of_model)


def _kept_elsewhere(options: dict) -> str:
    """The host's own cache of references."""
    patches = options.get("patches", {}).get("attn1_patch", ())
    if not any(type(patch).__name__ == "KV_Attn_Input" for patch in patches):
        return ""
    return say("kept_by_flux_kv_cache")
