"""Table of bench/masks.py."""

from __future__ import annotations

from pathlib import Path

from .records import Row, load
from .tables import table

MASKS = """## How close does *balanced* come under a noise mask?

A finished picture is painted into: {prompts} prompts, {steps} Euler steps, tiny Flux (checkpoint {model}, 192 pixels).
PSNR in dB over the painted cells of the latent against the run in full, mean (worst), and the share of the steps that
was computed; with the repair where the mask is 1, at half of the tolerance, and without it at a third. Outside of the
mask the latent stayed that of the input to {outside:.0e}. `python bench/run.py masks --prompts {prompts}`
"""


def masks(out: Path) -> list[str]:
    about = load(out / "flux_masks.json")
    if about is None:
        return []
    rows = about["rows"]
    cases = dict.fromkeys((row["soft"], row["differential"], row["share_painted"], row["cfg"]) for row in rows)
    head = ["mask", "CFG", "repaired", "computed", "not repaired", "computed"]
    lines = [[_name(*case[:3]), f"{case[3]:g}", *_sides(case, rows)] for case in sorted(cases)]
    introduction = MASKS.format(**about, outside=max(row["outside"] for row in rows))
    return [f"{introduction}\n{table(head, lines)}"]


def _name(soft: bool, differential: float, share: float) -> str:
    under = f", DifferentialDiffusion {differential:g}" if differential else ""
    return f"{share:.0%}{', soft' if soft else ''}{under}"


def _sides(case: tuple, rows: list[Row]) -> list[str]:
    found = {}
    for row in rows:
        if (row["soft"], row["differential"], row["share_painted"], row["cfg"]) == case:
            found[row["repaired"]] = [f"{row['psnr']:.1f} ({row['worst']:.1f})", f"{row['share']:.0%}"]
    return found[True] + found[False]
