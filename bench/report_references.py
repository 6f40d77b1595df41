"""Table of bench/references.py."""

from __future__ import annotations

from pathlib import Path

from .records import Row, load
from .tables import table

EDITS = """## Edits: references seen through cached keys and values

Share of the FLOPs, PSNR in dB against the same model in full, and in brackets the mean of the worst tenth; over as
many held-out edits as the row says, 128 pixels, euler. `step`: the tiny edit model laid out as Flux.1 Kontext; `tz`:
as Flux.2, its references at time zero; `isolated`: the same, references seeing only themselves, which the host does
not do. "fewer steps" are as many as fit into the FLOPs of "auto", "steps alone" is *balanced* with references
computed at every step, "once" computes them in the first step and skips none. `python bench/run.py references`
"""
ARMS = (
    "auto",
    "auto, fast",
    "steps alone",
    "fewer steps",
    "once",
    "EasyCache",
    "FluxKVCache",
    "isolated",
    "the host as it is",
)


def references(out: Path) -> list[str]:
    about = load(out / "references.json")
    if about is None:
        return []
    keys = dict.fromkeys((row["kind"], row["references"], row["steps"], row["cfg"]) for row in about["rows"])
    head = ["model", "references", "steps", "CFG", "edits", *ARMS]
    return [f"{EDITS}\n{table(head, [_line(key, about['rows']) for key in keys])}"]


def _line(key: tuple, rows: list[Row]) -> list[str]:
    own = {row["arm"]: row for row in rows if (row["kind"], row["references"], row["steps"], row["cfg"]) == key}
    kind, references, steps, cfg = key
    edits = min(row["pairs"] for row in own.values())
    return [kind, str(references), str(steps), f"{cfg:g}", str(edits), *(_cell(own.get(arm)) for arm in ARMS)]


def _cell(row: Row | None) -> str:
    return f"{row['flops']:.2f}: {row['psnr']:.1f} ({row['worst']:.1f})" if row else ""
