"""Table of bench/short_runs.py."""

from __future__ import annotations

from pathlib import Path

from .records import Row, load
from .stats import mean
from .tables import table

SHORT = """## From how many steps does *balanced* gain?

Share of the steps that it computes, and in brackets its error over that of a run with as many steps as it computed
(below 1 where it gains; "all" where it leaves nothing out). {prompts} prompts a cell. "passes" are second passes over a
finished picture (hires fix) with 8, 12 and 20 sigmas, the mean over denoise 0.2, 0.35 and 0.5. Tiny Flux (checkpoint
{flux}, 192 pixels) and tiny Wan (checkpoint {wan}, 5 latent frames of 128 pixels). `python bench/run.py short_runs`
"""
STEPS, PASSES = (5, 6, 7, 8, 9, 10, 12, 14), (8, 12, 20)


def short_runs(out: Path) -> list[str]:
    about = {kind: load(out / f"{kind}_short_runs.json") for kind in ("flux", "wan")}
    if None in about.values():
        return []
    head = ["sampler", "model", "CFG", *map(str, STEPS), *(f"passes of {count}" for count in PASSES)]
    rows = [
        [
            sampler,
            kind,
            f"{cfg:g}",
            *_cells([row for row in records["rows"] if (row["sampler"], row["cfg"]) == (sampler, cfg)]),
        ]
        for kind, records in about.items()
        for sampler, cfg in dict.fromkeys((row["sampler"], row["cfg"]) for row in records["rows"])
    ]
    introduction = SHORT.format(**about["flux"], flux=about["flux"]["model"], wan=about["wan"]["model"])
    return [f"{introduction}\n{table(head, sorted(rows))}"]


def _cells(rows: list[Row]) -> list[str]:
    from_noise = [_cell([row for row in rows if row["denoise"] == 1.0 and row["steps"] == steps]) for steps in STEPS]
    return from_noise + [
        _cell([row for row in rows if row["denoise"] < 1.0 and row["steps"] == steps]) for steps in PASSES
    ]


def _cell(rows: list[Row]) -> str:
    share = mean([row["share"] for row in rows])
    off, fewer = (mean([row[name] for row in rows]) for name in ("error", "fewer_error"))
    return "all" if share == 1.0 or not fewer else f"{share:.2f} ({off / fewer:.2f})"
