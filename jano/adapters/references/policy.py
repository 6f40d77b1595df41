"""What a user's choice means for the references of a run, by the model's class and by how it places them."""

from __future__ import annotations

from collections.abc import Iterator

from ...references.control import Once
from ...references.engine import Refreshing
from ...show.references import ReferenceAccount
from ...show.report import RunReport
from ..refusals import is_split, patched_blocks
from ..settings import JanoSettings
from .families import family_of, supported

EVERY_STEP = "every step"
OF_A_CONDITIONING = ("reference_latents", "context_latents")


def refreshing(settings: JanoSettings, guider: object, report: RunReport) -> Refreshing | None:
    """How references are treated; None where there are none, or all are computed at every step: the report says why."""
    scheduler = settings.scheduler
    if scheduler is None or settings.references == EVERY_STEP or not any(_references(guider)):
        return None
    if reason := _refused(settings, guider):
        report.notes.append(f"references are computed at every step: {reason}")
        return None
    report.references = ReferenceAccount(settings.references)
    return Refreshing(Once(), isolated=settings.references == "isolated")


def _references(guider: object) -> Iterator[object]:
    """Those of every conditioning of a guider."""
    for side in guider.conds.values():
        for cond in side or ():
            yield from (cond[name] for name in OF_A_CONDITIONING if cond.get(name) is not None)


def _refused(settings: JanoSettings, guider: object) -> str:
    """Why no reference can be left out."""
    model, options = guider.model_patcher, guider.model_options
    network = model.model.diffusion_model
    if settings.by_level:
        return "intervals by level leave out tokens of the picture alone (quality presets can leave out references)"
    if family_of(network) is None:
        return f"leaving them out needs a model class that Jano knows ({supported()}), not {type(network).__name__}"
    return is_split(model, options) or patched_blocks(options["transformer_options"])
