"""Table of bench/references.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..jano.clock import Clock
from ..jano.references.control import TOLERANCE, ByDrift
from .records import Row, load
from .tables import table

EDITS = """## Edits: references seen through cached keys and values

Share of the FLOPs, PSNR in dB against the same model in full, and in brackets the mean of the worst tenth; over as
many held-out edits as the row says, 128 pixels, euler. `step`: the tiny edit model laid out as Flux.1 Kontext; `tz`:
as Flux.2, its references at time zero; `isolated`: the same, references seeing only themselves, which the host does
not do. "fewer steps" are as many as fit into the FLOPs of "auto", "steps alone" is *balanced* with references
computed at every step, "once" computes them in the first step and skips none. An edit of which an arm leaves out
nothing is equal and counts as 120 dB: means above 60 dB hold such. `python bench/run.py references`
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

CLASSES_TOLD = """### By class

Speed-up of a step's arithmetic where references are computed once: steps / (1 + (steps - 1) f), f = (text + picture) /
(text + picture + references), at one megapixel each (4096 tokens; 512 of text where it is in the same sequence).
Refreshes: in how many steps *auto*, balanced, computes three references before any drift is measured, if no step is
skipped (one reference: in 3 of 4 steps; from 6 steps on whole steps are left out alone). Measured: share of the FLOPs
and dB of *auto* at CFG 1, from the table above; classes without were tested for exactness only, with random weights.
"""


@dataclass(frozen=True)
class Known:
    """A class of the host: which models it stands for, how its references change over the steps, how many tokens of
    text are beside them, and the measured model that is laid out alike."""

    name: str
    models: str
    changes: str
    text: int = 512
    measured: str = ""


TIME, ZERO = "with the step's time", "at time zero: by attention alone"
KNOWN = (
    Known("Flux", "Flux.1 Kontext, LongCat-Image-Edit", TIME, measured="step"),
    Known("Flux", "Flux.2 with `index_timestep_zero`", ZERO, measured="tz"),
    Known("Flux", "FLUX.2 klein KV, *isolated*", "not at all", measured="isolated"),
    Known("QwenImageTransformer2DModel", "Qwen-Image-Edit, 2509", TIME),
    Known("QwenImageTransformer2DModel", "Qwen-Image-Edit 2511", ZERO),
    Known("MageFlowTransformer2DModel", "Mage-Flow", TIME),
    Known("SingleStreamDiT", "Krea 2", f"{TIME}, or {ZERO}"),
    Known("JoyImageTransformer3DModel", "JoyImage", TIME),
    Known("HiDreamO1Transformer", "HiDream-O1: their patches", ZERO),
    Known("OmniGen2Transformer2DModel", "OmniGen 2", TIME),
    Known("BooguTransformer2DModel", "Boogu", TIME),
    Known("NextDiT", "Z-Image omni, Lumina 2", ZERO),
    Known("NextDiTPixelSpace", "the same on pixels", ZERO),
    Known("WanModel", "Wan with Bernini's references, Phantom, Fun", TIME, 0),
    Known("HumoWanModel", "Wan HuMo", TIME, 0),
    Known("WanModel_S2V", "Wan S2V", ZERO, 0),
    Known("SCAILWanModel", "Wan SCAIL: references and pose", TIME, 0),
    Known("SCAIL2WanModel", "SCAIL-2: the same", TIME, 0),
)
PICTURE, LENGTHS, SHIFT = 4096, (4, 8, 20), 3.15


def speed_up(steps: int, count: int, text: int) -> float:
    """By arithmetic, of a run that computes `count` references in its first step only."""
    frozen = (text + PICTURE) / (text + PICTURE * (1 + count))
    return steps / (1 + (steps - 1) * frozen)


def refreshes(steps: int) -> int:
    """In how many steps references are expected to be computed, at the sigmas of "simple" with Flux's shift."""
    times = [1 - step / steps for step in range(steps + 1)]
    control = ByDrift(Clock(tuple(SHIFT * t / (1 + (SHIFT - 1) * t) for t in times)), TOLERANCE)
    due = [step for step in range(steps) if control.due(step) and control.stored(step, None) is None]
    return len(due)


def classes(rows: list[Row]) -> str:
    head = ["class", "models", "K and V change", "refreshes, 4 / 8 / 20 steps", "once, 1 reference, 4 / 8 / 20 steps"]
    head += ["3 references", "*auto* measured, 1 reference", "3 references"]
    lines = [
        [
            known.name,
            known.models,
            known.changes,
            "once" if known.measured == "isolated" else " / ".join(str(refreshes(steps)) for steps in LENGTHS),
            *(" / ".join(f"{speed_up(n, count, known.text):.2f}" for n in LENGTHS) + "x" for count in (1, 3)),
            *(_measured(known.measured, count, rows) for count in (1, 3)),
        ]
        for known in KNOWN
    ]
    return f"{CLASSES_TOLD}\n{table(head, lines)}"


def _measured(kind: str, count: int, rows: list[Row]) -> str:
    arm = "isolated" if kind == "isolated" else "auto"
    wanted = {(kind, count, steps, 1.0, arm) for steps in LENGTHS}
    found = [row for row in rows if tuple(row[k] for k in ("kind", "references", "steps", "cfg", "arm")) in wanted]
    return "; ".join(f"{row['steps']} steps {row['flops']:.2f}: {row['psnr']:.1f}" for row in found)


def references(out: Path) -> list[str]:
    about = load(out / "references.json")
    if about is None:
        return []
    keys = dict.fromkeys((row["kind"], row["references"], row["steps"], row["cfg"]) for row in about["rows"])
    head = ["model", "references", "steps", "CFG", "edits", *ARMS]
    return [f"{EDITS}\n{table(head, [_line(key, about['rows']) for key in keys])}", classes(about["rows"])]


def _line(key: tuple, rows: list[Row]) -> list[str]:
    own = {row["arm"]: row for row in rows if (row["kind"], row["references"], row["steps"], row["cfg"]) == key}
    kind, references, steps, cfg = key
    edits = min(row["pairs"] for row in own.values())
    return [kind, str(references), str(steps), f"{cfg:g}", str(edits), *(_cell(own.get(arm)) for arm in ARMS)]


def _cell(row: Row | None) -> str:
    return f"{row['flops']:.2f}: {row['psnr']:.1f} ({row['worst']:.1f})" if row else ""
