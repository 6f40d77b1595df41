"""Table of bench/samplers.py."""

from __future__ import annotations

from pathlib import Path

from .records import Row, load
from .tables import table

SAMPLERS = """## Which samplers does the repair serve?

Half of {steps} steps, {prompts} prompts: the error with the repair over the error without it, below 1 where it gains;
to the picture, and stopped at 70 % of the steps with the noise left in. Behind the stroke {prompts} other prompts, for
samplers that gain and add no noise; in brackets the worst prompt. Tiny Flux (checkpoint {flux}, 192 pixels, last step
from sigma {flux_last}) and tiny Wan (checkpoint {wan}, 5 latent frames of 128 pixels, from {wan_last}: so long a step
that multistep samplers are not repaired there by default, see `jano/adapters/repaired.py`).
`python bench/run.py samplers`
"""


def samplers(out: Path) -> list[str]:
    about = {kind: load(out / f"{kind}_samplers.json") for kind in ("flux", "wan")}
    if None in about.values():
        return []
    cells = {(kind, row["sampler"], row["stopped"]): row for kind, records in about.items() for row in records["rows"]}
    names = dict.fromkeys(sampler for _, sampler, _ in cells)
    columns = [(kind, stopped) for kind in about for stopped in (False, True)]
    head = ["sampler", *(f"{kind}, {'noise left' if stopped else 'picture'}" for kind, stopped in columns), "gains"]
    rows = [_row(name, [cells[kind, name, stopped] for kind, stopped in columns]) for name in names]
    told = {kind: records["model"] for kind, records in about.items()}
    last = {f"{kind}_last": f"{records['levels'][-2]:.3f}" for kind, records in about.items()}
    introduction = SAMPLERS.format(steps=about["flux"]["steps"], prompts=about["flux"]["prompts"], **told, **last)
    return [f"{introduction}\n{table(head, rows)}"]


def _row(sampler: str, cells: list[Row]) -> list[str]:
    forecast = [cell for cell in cells if cell["share"] < 1.0]
    gains = bool(forecast) and all((cell["held_out"] or cell["ratio"]) < 1.0 > cell["ratio"] for cell in forecast)
    return [sampler, *map(_told, cells), "everywhere" if gains else ""]


def _told(cell: Row) -> str:
    if cell["share"] == 1.0:
        return "nothing forecast"
    others = "" if cell["held_out"] is None else f" / {cell['held_out']:.2f}"
    return f"{cell['ratio']:.2f}{others} ({cell['worst_ratio']:.2f})"
