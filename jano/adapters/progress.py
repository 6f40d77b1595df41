"""What the user's node shows while ComfyUI samples; nothing where there is no server, or nobody who looks.

Two events go to the page that queued the prompt (web/jano.js draws them): "jano.step" after each model evaluation and
"jano.end" after the run. Both say which prompt they are of, since node ids repeat from one workflow to the next. Maps
travel as base64 of zlib: a few hundred bytes a step, and what the page has been told already is left out.
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

from ..levels.grid import THW
from ..levels.map import LevelMap
from ..show.report import RunReport, StepClass
from .shown_on import executing_context

log = logging.getLogger(__name__)

STEP_EVENT, END_EVENT = "jano.step", "jano.end"


@dataclass
class Told:
    """What a page has been told of one run. `page` is its socket: one that was loaded again has another."""

    page: object = None
    classes: dict[int, StepClass] = field(default_factory=dict)
    levels: LevelMap | None = None


def tell_step(node_id: str | None, report: RunReport, grid_tokens: THW, told: Told) -> None:
    """Show the last step of `report` on a node; `grid_tokens` is (frames, rows, columns). Never raises."""
    _send(node_id, STEP_EVENT, lambda page: step_payload(report, grid_tokens, _told_to(page, told)))


def tell_end(node_id: str | None, report: RunReport) -> None:
    """Show on a node what the whole run did, or why it ran natively. Never raises."""
    _send(node_id, END_EVENT, lambda page: {**report.verdict_as_dict(), "spoken": report.spoken()})


def step_payload(report: RunReport, grid_tokens: THW, told: Told) -> dict:
    """The last step of a run, and what of the others is not in `told` yet, which it is from now on.

    `levels` holds a byte a token, None: as before, or no map yet. `computed` a bit a token, None: all of them.
    """
    record = report.steps[-1]
    classes = {record.step: record.step_class for record in report.steps}
    known = report.level_map is None or report.level_map is told.levels
    payload = {
        "step": record.step,
        "num_steps": report.num_steps,
        "evaluations": sum(record.evaluations for record in report.steps),
        "step_class": str(record.step_class),
        "classes": {str(step): str(kind) for step, kind in classes.items() if told.classes.get(step) != kind},
        "computed_fraction": round(report.computed_token_fraction, 4),
        "speedup": report.speedup and round(report.speedup, 3),
        "grid": list(grid_tokens),
        "levels": None if known else packed_bytes(report.level_map.levels),
        "computed": None if record.computed is None else packed_bits(record.computed),
    }
    told.classes, told.levels = classes, report.level_map
    return payload


def _told_to(page: object, told: Told) -> Told:
    """`told`, which is nothing where the page is another one than the last time."""
    if told.page is not page:
        told.page, told.classes, told.levels = page, {}, None
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
