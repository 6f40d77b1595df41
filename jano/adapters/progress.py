"""What the user's node shows while ComfyUI samples; nothing where there is no server, or nobody who looks.

Two events go to the page that queued the prompt (web/jano.js draws them): "jano.step" after each model evaluation and
"jano.end" after the run. Maps travel as base64 of zlib: a few hundred bytes a step.
"""

from __future__ import annotations

import base64
import logging
import sys
import zlib
from collections.abc import Callable

import numpy
from torch import Tensor

from ..grid import THW
from ..report import RunReport

log = logging.getLogger(__name__)

STEP_EVENT, END_EVENT = "jano.step", "jano.end"


def tell_step(node_id: str | None, report: RunReport, grid_tokens: THW) -> None:
    """Show the last step of `report` on a node; `grid_tokens` is (frames, rows, columns). Never raises."""
    _send(node_id, STEP_EVENT, lambda: step_payload(report, grid_tokens))


def tell_end(node_id: str | None, report: RunReport) -> None:
    """Show on a node what the whole run did, or why it ran natively. Never raises."""
    _send(node_id, END_EVENT, report.verdict_as_dict)


def step_payload(report: RunReport, grid_tokens: THW) -> dict:
    """The last step of a run. `levels` holds a byte a token, `computed` a bit a token; None: no map yet, all."""
    record = report.steps[-1]
    return {
        "step": record.step,
        "num_steps": report.num_steps,
        "step_class": str(record.step_class),
        "classes": {str(record.step): str(record.step_class) for record in report.steps},
        "computed_fraction": round(report.computed_token_fraction, 4),
        "speedup": report.speedup and round(report.speedup, 3),
        "grid": list(grid_tokens),
        "levels": None if report.level_map is None else packed_bytes(report.level_map.levels),
        "computed": None if record.computed is None else packed_bits(record.computed),
    }


def packed_bytes(values: Tensor) -> str:
    """uint8 values, row-major, as base64 of zlib."""
    return _packed(values.cpu().numpy())


def packed_bits(mask: Tensor) -> str:
    """A bool tensor, row-major, eight a byte with the first in the highest bit, as base64 of zlib."""
    return _packed(numpy.packbits(mask.cpu().numpy().reshape(-1)))


def _packed(values: numpy.ndarray) -> str:
    return base64.b64encode(zlib.compress(numpy.ascontiguousarray(values).tobytes(), 6)).decode("ascii")


def _send(node_id: str | None, event: str, payload: Callable[[], dict]) -> None:
    """The server module is looked up, not imported: without a server there is no page."""
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    client = getattr(server, "client_id", None)
    if node_id is None or client is None:
        return
    try:
        server.send_sync(event, {"node": str(node_id), **payload()}, client)
    except Exception as error:  # looking must never end a run
        log.warning("Jano: the node cannot show the run (%s: %s).", type(error).__name__, error)
