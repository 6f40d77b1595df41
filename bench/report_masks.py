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
HELD_OUT = """Of those, the {prompts} prompts that were not looked at when the tolerance under a mask was chosen:
"""


def masks(out: Path) -> list[str]:
    about = load(out / "flux_masks.json")
    if about is None:
        return []
    introduction = MASKS.format(**about, outside=max(row["outside"] for row in about["rows"]))
    sections = [f"{introduction}\n{_table(about['rows'])}"]
    if held_out := about.get("held_out"):
        sections.append(f"{HELD_OUT.format(**held_out[0])}\n{_table(held_out)}")
    return sections


def _table(rows: list[Row]) -> str:
    cases = dict.fromkeys((row["soft"], row["differential"], row["share_painted"], row["cfg"]) for row in rows)
    head = ["mask", "CFG", "repaired", "computed", "not repaired", "computed"]
    return table(head, [[_name(*case[:3]), f"{case[3]:g}", *_sides(case, rows)] for case in sorted(cases)])


def _name(soft: bool, differential: float, share: float) -> str:
    under = f", DifferentialDiffusion {differential:g}" if differential else ""
    return f"{share:.0%}{', soft' if soft else ''}{under}"


def _sides(case: tuple, rows: list[Row]) -> list[str]:
    found = {}
    for row in rows:
        if (row["soft"], row["differential"], row["share_painted"], row["cfg"]) == case:
            found[row["repaired"]] = [f"{row['psnr']:.1f} ({row['worst']:.1f})", f"{row['share']:.0%}"]
    return found[True] + found[False]
