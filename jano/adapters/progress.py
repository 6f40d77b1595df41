"""What the user's node shows while ComfyUI samples; nothing where there is no server, or nobody who looks.

Two events go to the page that queued the prompt (web/jano.js draws them): "jano.step" after each model evaluation and
"jano.end" after the run. Both say which prompt they are of, since node ids repeat from one workflow to the next. Maps
travel as base64 of zlib: a few hundred bytes a step, and what the page has been told already is left out.

A run whose forecasts are measured shows how far they moved the picture: a byte a region (show/error_map.py says what
it stands for), from each computed step that ends forecast ones. One by level shows its levels, which decided what was
computed; one in which only references are left out has no map, since its levels decide nothing.
"""

from __future__ import annotations

import base64
import logging
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy
from torch import Tensor

from ..levels.grid import TokenGrid
from ..levels.map import LevelMap
from ..show.report import RunReport, StepClass, StepRecord
from ..show.told import spoken_of, verdict_of
from .shown_on import executing_context

log = logging.getLogger(__name__)

STEP_EVENT, END_EVENT = "jano.step", "jano.end"


@dataclass
class Told:
    """What a page has been told of one run. `page` is its socket: one that was loaded again has another."""

    page: object = None
    classes: dict[int, StepClass] = field(default_factory=dict)
    measures: dict[int, dict] = field(default_factory=dict)
    levels: LevelMap | None = None


def tell_step(node_id: str | None, report: RunReport, grid: TokenGrid, told: Told) -> None:
    """Show the last step of `report`, a run on this grid, on a node. Never raises."""
    _send(node_id, STEP_EVENT, lambda page: step_payload(report, grid, _told_to(page, told)))


def tell_end(node_id: str | None, report: RunReport) -> None:
    """Show on a node what the whole run did, or why it ran natively, and which node sampled. Never raises."""
    context = executing_context()
    sampler = None if context is None else context.node_id
    _send(node_id, END_EVENT, lambda page: {**_end_payload(report), "sampler": sampler})


def whole_run(report: RunReport) -> dict | None:
    """All that the events tell of a run, for a page that did not hear them: where the host has kept what a sampler
    made, only its Report speaks. None where no node shows the run."""
    if report.node_id is None:
        return None
    shown = report.error_map or report.level_map
    step = _all_steps(report, shown.grid) if shown is not None and report.steps else None
    return {"node": str(report.node_id), "step": step, "end": _end_payload(report)}


def _all_steps(report: RunReport, grid: TokenGrid) -> dict:
    """What the last step's event tells to a page that knows none of the others, with what each of them computed."""
    payload = step_payload(report, grid, Told())
    for record in report.steps:
        payload["measures"][str(record.step)]["computed"] = _computed(record)
    return payload


def _end_payload(report: RunReport) -> dict:
    return {**verdict_of(report), "errors": _errors(report), "spoken": spoken_of(report), "run": report.run}


def step_payload(report: RunReport, grid: TokenGrid, told: Told) -> dict:
    """The last step of a run, and what of the others is not in `told` yet, which it is from now on.

    `grid` is (frames, rows, columns) tokens. `levels` holds a byte a token, None: as before, or no map. `computed` a
    bit a token, None: all of them. Of a run that maps errors, `regions` is how many (frames, rows, columns) there are,
    and `region` how many tokens one has.
    """
    record = report.steps[-1]
    classes = {record.step: record.step_class for record in report.steps}
    measures = {record.step: _measures(record) for record in report.steps}
    levels = report.level_map if report.maps == "levels" else None
    payload = {
        "step": record.step,
        "num_steps": report.num_steps,
        "evaluations": sum(record.evaluations for record in report.steps),
        "step_class": str(record.step_class),
        "classes": {str(step): str(kind) for step, kind in classes.items() if told.classes.get(step) != kind},
        "computed_fraction": round(report.computed_token_fraction, 4),
        "speedup": report.speedup and round(report.speedup, 3),
        "measures": {str(step): known for step, known in measures.items() if told.measures.get(step) != known},
        "grid": list(grid.tokens),
        "regions": list(grid.regions) if report.maps == "errors" else None,
        "region": list(grid.region) if report.maps == "errors" else None,
        "levels": None if levels is None or levels is told.levels else packed_bytes(levels.levels),
        "computed": _computed(record),
    }
    told.classes, told.measures, told.levels = classes, measures, levels
    return payload


def _computed(record: StepRecord) -> str | None:
    return None if record.computed is None else packed_bits(record.computed)


def _measures(record: StepRecord) -> dict:
    """What was measured of a step: its seconds, the share of the tokens that was computed where it was a part, and how
    far the forecast steps that it ends moved the picture, as a share of the prediction, as a whole and region by
    region; None where that was not measured."""
    error = record.picture_error if record.error_map else None
    return {
        "seconds": round(record.seconds, 4),
        "share": round(record.computed_share, 4) if 0.0 < record.computed_share < 1.0 else None,
        "error": error and round(error, 5),
        "errors": record.error_map and packed_bytes(record.error_map.codes),
    }


def _errors(report: RunReport) -> str | None:
    """The whole run's errors, a byte a region; None where none were measured."""
    worst = report.error_map
    return worst and packed_bytes(worst.codes)


def _told_to(page: object, told: Told) -> Told:
    """`told`, which is nothing where the page is another one than the last time."""
    if told.page is not page:
        told.page, told.classes, told.measures, told.levels = page, {}, {}, None
    return told


def packed_bytes(values: Tensor) -> str:
    """uint8 values, row-major, as base64 of zlib."""
    return _packed(values.cpu().numpy())


def packed_bits(mask: Tensor) -> str:
    """A bool tensor, row-major, eight a byte with the first in the highest bit, as base64 of zlib."""
    return _packed(numpy.packbits(mask.cpu().numpy().reshape(-1)))


def _packed(values: numpy.ndarray) -> str:
    return base64.b64encode(zlib.compress(numpy.ascontiguousarray(values).tobytes(), 6)).decode("ascii")


def _send(node_id: str | None, event: str, payload: Callable[[object], dict]) -> None:
    """The server module is looked up, not imported: without a server there is no page."""
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    client = getattr(server, "client_id", None)
    page = getattr(server, "sockets", {}).get(client)
    if node_id is None or page is None:
        return
    try:
        data = {"node": str(node_id), "prompt_id": _prompt_id(server), **payload(page)}
        server.send_sync(event, data, client)
    except Exception as error:  # looking must never end a run
        log.warning("Jano: the node cannot show the run (%s: %s).", type(error).__name__, error)


def _prompt_id(server: object) -> str | None:
    """Of the prompt that is being executed: by the node that runs, or where it left its context by the queue."""
    context = executing_context()
    return context.prompt_id if context is not None else getattr(server, "last_prompt_id", None)
