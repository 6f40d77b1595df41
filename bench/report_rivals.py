"""Table of `bench/run.py quality --rivals`: every arm at a half, a third and a fifth of the compute, prompt by prompt.

A prompt's value at a share lies straight between its two nearest points; where an arm's cheapest or dearest point is
not further than SLACK from the share, it is that point's. Arms that cannot spend so little have none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from .arms import FULL_RUN, beside_rivals
from .quality import KEY
from .records import Lines, Row
from .report_quality import between, kind_of
from .stats import mean, median, worst_decile
from .tables import table

SHARES = (0.5, 1 / 3, 0.2)
SLACK = 0.05
FLIPPED_DB = 18.0
"""Below this a picture is another one: unrelated pictures of one prompt are 10 to 16 dB apart."""
SHOWS = "MeanCache"
BY_A_SAMPLER, CHOSEN_ON = "fewer steps, ", 4
"""Arms of which the best is shown, at each share by the mean over this many first prompts."""
INTRODUCTION = f"""Mean / median / worst decile of the PSNR in dB over the prompts, and how many of them are below \
{FLIPPED_DB:g} dB, at about this share of the compute."""
MEASURES = {
    "psnr_db": "Against the full run",
    "exact_db": "Against the exact solution",
    "ssim": "SSIM against the full run",
}


def rivals(file: Path) -> list[str]:
    """A section for each way of sampling in which the rivals were measured, by the rows of this file that belong to the
    comparison: a quality that was measured elsewhere is no point of the curve of targets."""
    ways: dict[tuple, list[Row]] = defaultdict(list)
    asked = {(setting.arm, setting.name) for setting in beside_rivals()}
    for row in (row for row in Lines(file, KEY) if (row["arm"], row["setting"]) in asked):
        bed = kind_of(row), row.get("grain"), row["side"]
        ways[(*bed, row["steps"], row["sampler"], row["cfg"], row["model"])].append(row)
    judged = sorted(ways.items(), key=lambda found: found[0][1] == 0.0)  # a bed without grain comes last
    return [_section(way, rows) for way, rows in judged if any(row["arm"] == SHOWS for row in rows)]


def _section(way: tuple, rows: list[Row]) -> str:
    kind, grain, side, steps, sampler, cfg, model = way
    kind += " without grain" if grain == 0.0 else ""
    common = {row["prompt"] for row in rows if row["arm"] == SHOWS}
    rows, prompts = [row for row in rows if row["prompt"] in common], len(common)
    head = f"## Beside published ways: {kind} ({model}), {side} pixels, {steps} steps of {sampler}, CFG {cfg:g}"
    parts = [head, "", f"{prompts} prompts. {INTRODUCTION}", ""]
    for measure, name in MEASURES.items():
        if any(row.get(measure) is not None for row in rows):
            parts += [f"{name}{_of_the_full_run(measure, rows)}:", "", _table(measure, rows)]
    return "\n".join(parts)


def _of_the_full_run(measure: str, rows: Sequence[Row]) -> str:
    """How close the full run itself is, where that says anything."""
    found = [row[measure] for row in rows if row["arm"] == FULL_RUN]
    return f" (the full run itself: {_told(found, measure)})" if found and measure == "exact_db" else ""


def _table(measure: str, rows: list[Row]) -> str:
    arms = [arm for arm in dict.fromkeys(setting.arm for setting in beside_rivals()) if arm != FULL_RUN]
    by_sampler = [arm for arm in arms if arm.startswith(BY_A_SAMPLER)]
    lines = []
    for arm in arms:
        found = [values_at(measure, of_arm(rows, arm), share) for share in SHARES]
        if arm not in by_sampler and any(found):
            lines.append([arm, *(_told(values, measure) for values in found)])
    best = [best_of(by_sampler, measure, rows, share) for share in SHARES]
    if all(best):
        cells = zip(best, SHARES, strict=True)
        told = [_by_the_best(arm, values_at(measure, of_arm(rows, arm), share), measure) for arm, share in cells]
        measured = len({row["arm"] for row in rows}.intersection(by_sampler))
        lines.append([f"fewer steps, the best of {measured} samplers on the first {CHOSEN_ON} prompts", *told])
    return table(["arm", *(f"{share:.0%}" for share in SHARES)], lines)


def of_arm(rows: Sequence[Row], arm: str) -> list[Row]:
    return [row for row in rows if row["arm"] == arm]


def best_of(arms: Sequence[str], measure: str, rows: Sequence[Row], share: float) -> str | None:
    """The arm that is closest at this share over the first prompts; None where none was measured."""
    first = [row for row in rows if row["prompt"] < CHOSEN_ON]
    found = {arm: values_at(measure, of_arm(first, arm), share) for arm in arms}
    return max((arm for arm in arms if found[arm]), key=lambda arm: mean(found[arm]), default=None)


def _by_the_best(arm: str, values: list[float], measure: str) -> str:
    return f"{_told(values, measure)} ({arm.removeprefix(BY_A_SAMPLER)})"


def values_at(measure: str, rows: Sequence[Row], share: float) -> list[float]:
    """One value for each prompt that has one at this share of the compute."""
    prompts: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if row.get(measure) is not None:
            prompts[row["prompt"]].append((row["flops_fraction"], row[measure]))
    found = [value_at(points, share) for points in prompts.values()]
    return [value for value in found if value is not None]


def value_at(points: Sequence[tuple[float, float]], share: float) -> float | None:
    nearest = min(points, key=lambda point: abs(point[0] - share))
    value = between(points, share)
    if value is not None:
        return value
    return nearest[1] if abs(nearest[0] - share) <= SLACK else None


def _told(values: list[float], measure: str) -> str:
    if not values:
        return ""
    if measure == "ssim":
        return f"{mean(values):.3f} / {median(values):.3f} / {worst_decile(values):.3f}"
    flips = sum(value < FLIPPED_DB for value in values)
    return f"{mean(values):.1f} / {median(values):.1f} / {worst_decile(values):.1f}, {flips} flips"
