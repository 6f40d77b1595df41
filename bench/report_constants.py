"""CONSTANTS.md: every constant of the control and the repair, and what its half and its double do on both beds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .constants import FILE, KEY, PRESET, USUAL, Constant, code, every
from .records import Lines, Row
from .stats import mean
from .tables import table

KINDS = {"patches": "hard bed", "flux": "tiny Flux"}
INTRODUCTION = """# The constants

Written by `python bench/run.py report` from constants.jsonl; measured by `python bench/run.py constants
--model patches` (the hard bed: 50 steps of euler, CFG 4) and `--model flux` (the tiny one: 256 pixels, 28 steps, CFG
4). Each is moved alone, to its half and its double; counts stay counts. Cells: what the PSNR against the full run
changes by in dB, mean over the prompts, and on how many of them it is better and worse by more than 0.05 dB; of
presets also by how much the share of the computed steps changes. Positive dB at equal share would be a better value on
that bed.
"""
# Less is the rounding of runs that choose between pictures.
SAME = 0.05
FIRST = ("room", "constant", "value", "tried")


def write(out: Path) -> None:
    """Nothing where no constant of this source was moved: names and values are the source's, so that rows of another
    one would be told beside values that they were not measured at. Their file stays as it is."""
    rows = [row for row in Lines(out / FILE, KEY) if row["code"] == code()]
    if not rows:
        return
    parts = [INTRODUCTION]
    for kind, name in KINDS.items():
        known = newest([row for row in rows if row["kind"] == kind])
        if known:
            parts += [_section(name, known)]
    (out / "CONSTANTS.md").write_text("\n".join(parts), encoding="utf-8")


def newest(rows: Sequence[Row]) -> list[Row]:
    """Of the engine and the model that were measured last."""
    return [row for row in rows if all(row[name] == rows[-1][name] for name in ("model", "code"))]


def _section(name: str, rows: list[Row]) -> str:
    prompts = len({row["prompt"] for row in rows if row["constant"]})
    base = "; ".join(f"{way}: {_told(rows, way)}" for way in dict.fromkeys(row["way"] for row in rows))
    head = [*FIRST, *(way.name for way in USUAL), "its own"]
    lines = [line for constant in every() for line in _lines(rows, constant)]
    about = f"up to {prompts} prompts ({rows[0]['model']}, engine {rows[0]['code']}). As it is: {base}."
    return "\n".join([f"## On the {name}", "", about, "", table(head, lines)])


def _told(rows: list[Row], way: str) -> str:
    found = [row for row in rows if not row["constant"] and row["way"] == way]
    return f"{mean([row['psnr_db'] for row in found]):.1f} dB at {mean([row['share'] for row in found]):.0%}"


def _lines(rows: list[Row], constant: Constant) -> list[list[str]]:
    names, value = " and ".join(constant.names), _shown(constant.values)
    if not constant.factors:
        return [[constant.room, names, value, f"not moved: {constant.why}", *[""] * (len(USUAL) + 1)]]
    found = []
    for factor in constant.factors:
        usual = [_cell(rows, constant.name, factor, way.name) if way in constant.ways else "" for way in USUAL]
        own = [way.name for way in constant.ways if way not in USUAL]
        last = f"{own[0]}: {_cell(rows, constant.name, factor, own[0])}" if own else ""
        tried = _shown(constant.at(factor)) + (f" ({constant.why})" if constant.why else "")
        found.append([constant.room, names, value, tried, *usual, last])
    return found


def _shown(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


def _cell(rows: list[Row], constant: str, factor: float, way: str) -> str:
    """The change beside the run as it is, prompt by prompt."""
    before = {row["prompt"]: row for row in rows if not row["constant"] and row["way"] == way}
    pairs = [
        (before[row["prompt"]], row)
        for row in rows
        if (row["constant"], row["factor"], row["way"]) == (constant, factor, way) and row["prompt"] in before
    ]
    if not pairs:
        return ""
    gains = [row["psnr_db"] - old["psnr_db"] for old, row in pairs]
    if all(gain == 0 for gain in gains):
        return "the same"
    up, down = sum(gain > SAME for gain in gains), sum(gain < -SAME for gain in gains)
    told = f"{mean(gains):+.2f} ({up} up, {down} down of {len(gains)})"
    spent = mean([row["share"] - old["share"] for old, row in pairs])
    return f"{spent:+.1%}, {told}" if way.split(",")[0] in PRESET else told
