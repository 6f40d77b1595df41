"""REPORT_PATCHES.md: tables and charts of the beds of patches, at equal numbers of computed evaluations."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from . import chart, report_oracle, report_rivals
from .arms import FULL_RUN
from .quality import KEY
from .records import Lines, Row
from .report_quality import between
from .stats import FLIP_DB, flips, interval, mean, median, worst_decile
from .tables import table

FILE = "patches.jsonl"
COMPARED_AT = (0.5, 0.33, 0.2)
HALF = "50% of the steps"
OURS = "Jano"
# Of 50 steps 3: some runs of an arm can be a little dearer than the share compared at, and must not be left out then.
NEAR = 0.06
INTRODUCTION = f"""# Measurements on the bed of patches

Written by `python bench/run.py report` from patches.jsonl; measured by `python bench/run.py quality --model patches
--prompts 16` (with `--cfg 1` for the easy setting, and `--sampler dpmpp_2m`). The model is the posterior mean of the
pictures that ComfyUI's template packages show, patch by patch (bench/patches): exact, no training, many modes early.
The bed is judged on with a grain (bench/patches/bed.py), since so its errors over sigma are nearest to a real model's;
rows without (`--grain 0`), which is harder late in the run than real models are, follow. A prompt stands for 64 of the
pictures. The share is that of computed evaluations. Flips: pictures below {FLIP_DB:g} dB.
"Exact" is against the end of the exact path (100 Heun steps from the same noise), where the full run itself is no
better than it is said to be. LPIPS is not told: it needs a file of weights (jano/show/lpips.py), and
there was none where this was measured. [CALIBRATION.md](CALIBRATION.md) says how hard it is beside real models.
"""

PerPrompt = dict[int, list[tuple[float, float]]]


def write(out: Path) -> None:
    """Nothing where no bed was measured."""
    rows = list(Lines(out / FILE, KEY))
    if not rows:
        return
    newest = {bed_of(row): row["model"] for row in rows}
    kept = [row for row in rows if row["model"] == newest[bed_of(row)]]
    ways = {
        way: [row for row in kept if way_of(row) == way] for way in sorted({way_of(row) for row in kept}, reverse=True)
    }
    sections = [_of_way(out, way, found) for way, found in ways.items()]
    beside = report_rivals.rivals(out / FILE)
    (out / "REPORT_PATCHES.md").write_text(
        "\n".join([INTRODUCTION, *beside, *report_oracle.oracle(out), *sections]), encoding="utf-8"
    )


def bed_of(row: Row) -> tuple[str, float]:
    """Kind and grain."""
    return row["kind"], row["grain"]


def way_of(row: Row) -> tuple:
    return *bed_of(row), row["cfg"], row["sampler"], row["steps"], row["side"], row["shift"]


def arm_of(row: Row) -> str:
    """Ours falls in two: qualities and tolerances, and targets."""
    return f"{OURS}, targets" if row["arm"] == OURS and row["setting"].startswith("target") else row["arm"]


def _of_way(out: Path, way: tuple, rows: list[Row]) -> str:
    kind, grain, cfg, sampler, steps, side, shift = way
    name = f"{kind}_{side}_{steps}_{sampler}_{cfg:g}_{shift:g}{'' if grain else '_no_grain'}.png"
    title = f"{kind.replace('_', ' of ')}{'' if grain else ' without grain'} at {side} pixels"
    title = f"{title}, CFG {cfg:g}, {sampler}, {steps} steps, shift {shift:g}"
    rows, full = of_the_full_run(rows)
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[arm_of(row), row["setting"]].append(row)
    curves: dict[str, list[chart.Point]] = defaultdict(list)
    drawn = {key: found for key, found in groups.items() if not key[0].startswith(report_rivals.BY_A_SAMPLER)}
    for (arm, _), found in sorted(drawn.items(), key=lambda line: not line[0][0].startswith(OURS)):
        values = [row["psnr_db"] for row in found]
        curves[arm].append((mean([row["flops_fraction"] for row in found]), mean(values), *interval(values)))
    chart.curves(out / name, f"{title}: closeness to the full run", "share of evaluations", "PSNR in dB", curves)
    half = halves(rows)
    hardness = f"Half of the steps keeps {mean(half):.1f} dB (median {median(half):.1f})." if half else ""
    hardness += f" The full run is {mean(full):.1f} dB from the exact solution." if full else ""
    return "\n".join(
        [
            f"## {title[0].upper()}{title[1:]}",
            "",
            f"Set and denoiser {rows[0]['model']}, {len({row['prompt'] for row in rows})} prompts. {hardness}",
            "",
            f"![PSNR over the share of evaluations; bands: 90 % of bootstrapped means]({name})",
            "",
            *(line for share in COMPARED_AT for line in _at(rows, share)),
            "Every setting:",
            "",
            _settings(groups),
        ]
    )


def _at(rows: list[Row], share: float) -> list[str]:
    """All arms at one share of evaluations, prompt by prompt straight between their measured points."""
    near, exact = lines_of(rows, "psnr_db"), lines_of(rows, "exact_db")
    shown = []
    for arm, prompts in near.items():
        values = at_share(prompts, share)
        if values:
            ends = at_share(exact[arm], share)
            shown.append([arm, len(values), *spread(values), f"{mean(ends):.1f}" if ends else ""])
    if not shown:
        return []
    head = ["arm", "prompts", "mean dB", "median", "worst decile", "flips", "exact: mean"]
    return [
        f"At {share:.0%} of the evaluations (prompts whose curves come within {NEAR:.0%} of it):",
        "",
        table(head, shown),
    ]


def of_the_full_run(rows: list[Row]) -> tuple[list[Row], list[float]]:
    """The rows of all other arms, and how close to the exact solution the full run itself is, in dB."""
    full = [row["exact_db"] for row in rows if row["arm"] == FULL_RUN and row["exact_db"] is not None]
    return [row for row in rows if row["arm"] != FULL_RUN], full


def halves(rows: list[Row]) -> list[float]:
    """PSNR in dB of half of the steps, by the full run's sampler."""
    return [row["psnr_db"] for row in rows if (row["arm"], row["setting"]) == ("fewer steps", HALF)]


def lines_of(rows: list[Row], name: str) -> dict[str, PerPrompt]:
    """By arm and prompt the points (share, dB) of a curve."""
    lines: dict[str, PerPrompt] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row[name] is not None:
            lines[arm_of(row)][row["prompt"]].append((row["flops_fraction"], row[name]))
    return lines


def at_share(prompts: PerPrompt, share: float) -> list[float]:
    """Every prompt's dB there, straight between measured points; where a curve ends NEAR, its end."""
    found = [between(points, nearby(points, share)) for points in prompts.values()]
    return [value for value in found if value is not None]


def nearby(points: list[tuple[float, float]], share: float) -> float:
    within = min(max(share, min(points)[0]), max(points)[0])
    return within if abs(within - share) <= NEAR else share


def spread(values: list[float]) -> list[str]:
    return [f"{mean(values):.1f}", f"{median(values):.1f}", f"{worst_decile(values):.1f}", f"{flips(values):.0%}"]


def _settings(groups: dict[tuple[str, str], list[Row]]) -> str:
    lines = []
    for (arm, setting), found in groups.items():
        share, ends = mean([row["flops_fraction"] for row in found]), [row["exact_db"] for row in found]
        natively = sorted({reason for row in found for reason in row["native_because"]})
        exact = f"{mean(ends):.2f}" if None not in ends else ""
        similar = f"{mean([row['ssim'] for row in found]):.3f}"
        values = spread([row["psnr_db"] for row in found])
        lines.append([arm, setting, len(found), f"{share:.3f}", *values, similar, exact, "; ".join(natively)])
    head = [
        "arm",
        "setting",
        "prompts",
        "evaluations",
        "PSNR dB",
        "median",
        "worst decile",
        "flips",
        "SSIM",
        "exact dB",
    ]
    return table([*head, "native because"], lines)
