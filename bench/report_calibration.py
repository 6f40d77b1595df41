"""CALIBRATION.md: the tiny models and the closed form beside published numbers of real models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from . import chart, quality
from .records import Lines, Row, load
from .report_patches import at_share, halves, lines_of
from .stats import FLIP_DB, flips, mean, median
from .tables import table

REAL = Path(__file__).with_name("real_trajectories.json")
CHART = "calibration.png"
# Where in a run curves are read, as shares of it.
READ_AT = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 1.0)
# Where a picture is chosen, and where its details are.
SETTLED_AT = (0.99, 0.95, 0.8)
NAMES = {"flux": "tiny Flux", "wan": "tiny Wan", "patches": "closed form", "clip_patches": "closed form of clips"}
INTRODUCTION = f"""# How hard the beds are beside real models

Written by `python bench/run.py report` from calibration.json (`python bench/run.py calibration`), quality.jsonl,
patches.jsonl and published numbers (bench/real_trajectories.json, each with its source). A bed may serve for judging
only as far as it agrees here: where half of the steps keeps much more than 18 dB, or more is settled early, it flatters
whatever is judged on it. The closed form has no tokens and no hidden state; its output stands in for them. Flips:
pictures below {FLIP_DB:g} dB, which usually are another picture.
"""


def write(out: Path) -> None:
    """Nothing where nothing was calibrated."""
    found, real = load(out / "calibration.json"), load(REAL)
    if not found:
        return
    beds = {name_of(entry): entry for entry in found["beds"]}
    _draw(out / CHART, beds, real["x0_error"])
    rows = [*Lines(out / "quality.jsonl", quality.KEY), *Lines(out / "patches.jsonl", quality.KEY)]
    near = {name: closeness(rows, entry) for name, entry in beds.items()}
    sections = [
        INTRODUCTION,
        "## In plain words\n",
        *(f"* **{name}**: {plainly(entry, near[name], real)}" for name, entry in beds.items()),
        *_closeness(near, real["closeness"]["rows"]),
        *_x0_errors(beds, real["x0_error"]),
        *_changes(beds, real["change_per_step"]),
        *_ratios(beds, real["residual_ratio"]),
    ]
    (out / "CALIBRATION.md").write_text("\n".join(sections), encoding="utf-8")


def name_of(entry: Row) -> str:
    """Beds of patches without a grain say so."""
    without = " without grain" if entry["grain"] == 0.0 else ""
    return f"{NAMES[entry['kind']]}{without}, CFG {entry['cfg']:g}"


def closeness(rows: list[Row], entry: Row) -> list[Row]:
    """The newest rows of 50 steps of this bed at this CFG, with the sampler that was measured most."""
    wanted = entry["kind"], entry["grain"], entry["cfg"], 50
    found = [row for row in rows if (row["kind"], row.get("grain"), row["cfg"], row["steps"]) == wanted]
    found = [row for row in found if row["model"] == found[-1]["model"]]
    samplers = [row["sampler"] for row in found]
    return [row for row in found if row["sampler"] == max(sorted(set(samplers)), key=samplers.count)]


def at_half(rows: list[Row], arm: str) -> list[float]:
    lines = lines_of([row for row in rows if row["arm"] == arm], "psnr_db")
    return at_share(lines.get(arm, {}), 0.5)


def plainly(entry: Row, rows: list[Row], real: dict) -> str:
    """What is easier, and what is not, in sentences with their numbers."""
    published = [row["psnr_db"] for row in real["closeness"]["rows"] if row["method"] == "25 steps"]
    said, half = [], halves(rows)
    if half:
        low, high = min(published), max(published)
        over, under = mean(half) - high, low - mean(half)
        judged = f"{over:.1f} dB easier" if over > 0 else f"{under:.1f} dB harder" if under > 0 else "as hard"
        said.append(f"half of 50 steps keeps {mean(half):.1f} dB, real models {low:.1f} to {high:.1f}: {judged}.")
    known = dict(zip(real["x0_error"]["Qwen-Image"]["sigma"], real["x0_error"]["Qwen-Image"]["share"], strict=True))
    settled = "; ".join(
        f"at sigma {sigma:g} {1 - unguided(entry, sigma):.0%} (Qwen-Image {1 - known[sigma]:.0%})"
        for sigma in SETTLED_AT
    )
    said.append(f"Share of the picture's variance that is settled: {settled}.")
    said.append(turns(entry, real["change_per_step"]))
    return " ".join(said)


def unguided(entry: Row, sigma: float) -> float:
    return entry["x0_error_unguided"][entry["sigmas"].index(sigma)]


def turns(entry: Row, real: dict) -> str:
    """How much more its predictions change at the ends than at the calmest step, and how prompts differ."""
    published = [known for name, known in real.items() if name != "what"]
    first, last = ends(entry["change_per_step"])
    spread = spread_in_the_middle(entry["change_per_step"], entry["change_sd"])
    firsts, lasts = zip(*(ends(known["mean"]) for known in published), strict=True)
    spreads = [spread_in_the_middle(*(known[name] for name in ("mean", "sd_over_prompts"))) for known in published]
    return (
        f"Its predictions change {first:.1f} times as much at the first step and {last:.1f} times at the last as at "
        f"the calmest (real ones {min(firsts):.1f} to {max(firsts):.1f} and {min(lasts):.1f} to {max(lasts):.1f}); "
        f"prompts differ by {spread:.0%} in the middle ({min(spreads):.0%} to {max(spreads):.0%})."
    )


def ends(changes: Sequence[float]) -> tuple[float, float]:
    """The first and the last change as multiples of the least."""
    return changes[0] / min(changes), changes[-1] / min(changes)


def spread_in_the_middle(means: Sequence[float], deviations: Sequence[float]) -> float:
    """Deviation over prompts as a share of the mean, over the middle half of the run."""
    inside = range(len(means) // 4, 3 * len(means) // 4)
    return mean([deviations[step] / means[step] for step in inside])


def _closeness(near: dict[str, list[Row]], published: list[dict]) -> list[str]:
    lines = []
    for name, rows in near.items():
        half, easy = halves(rows), at_half(rows, "EasyCache")
        if half:
            where = f"{rows[0]['side']} pixels, {rows[0]['sampler']}, {len(half)} prompts"
            told = [f"{mean(half):.1f}", f"{median(half):.1f}", f"{flips(half):.0%}"]
            cached = [f"{mean(easy):.1f}", f"{median(easy):.1f}", f"{flips(easy):.0%}"] if easy else ["", "", ""]
            lines.append([name, where, *told, *cached])
    head = ["bed", "", "half of the steps dB", "median", "flips", "EasyCache at half dB", "median", "flips"]
    real = [[row["model"], row["method"], f"{row['speedup']:g}x", row["psnr_db"], row["source"]] for row in published]
    return [
        "",
        "## Closeness to the full run of 50 steps",
        "",
        table(head, lines),
        "Published, mean PSNR (speed-up in latency; in evaluations it is more):",
        "",
        table(["model", "method", "speed-up", "dB", "source"], real),
    ]


def _x0_errors(beds: dict[str, Row], real: dict) -> list[str]:
    known = real["Qwen-Image"]
    head = ["sigma", "Qwen-Image", *(name for name in beds), *(f"{name}: unguided" for name in beds)]
    lines = []
    for number, sigma in enumerate(next(iter(beds.values()))["sigmas"]):
        published = known["share"][known["sigma"].index(sigma)]
        own = [f"{entry['x0_error'][number]:.3f}" for entry in beds.values()]
        asked = [f"{entry['x0_error_unguided'][number]:.3f}" for entry in beds.values()]
        lines.append([sigma, f"{published:.3f}", *own, *asked])
    return [
        "## Error of x0 over sigma",
        "",
        "Mean square error of the x0 seen in the finished latent under noise, over the latent's variance; Qwen-Image's "
        "over its value at sigma 1. With the bed's guidance, and without. Guidance moves x0 away from what the picture "
        "becomes, so that unguided curves are compared; how Qwen-Image's was asked is not told.",
        "",
        f"![Unguided error of x0 over sigma]({CHART})",
        "",
        table(head, lines),
    ]


def _draw(path: Path, beds: dict[str, Row], real: dict) -> None:
    """Both axes as powers of ten, since both span orders."""
    known = real["Qwen-Image"]
    series = {"Qwen-Image (published)": points(known["sigma"], known["share"])}
    series |= {name: points(entry["sigmas"], entry["x0_error_unguided"]) for name, entry in beds.items()}
    chart.curves(
        path,
        "Error of x0 over sigma, unguided",
        "log10 of the odds of sigma (0: sigma 0.5)",
        "log10 of the share",
        series,
    )


def points(sigmas: Sequence[float], shares: Sequence[float]) -> list[chart.Point]:
    placed = [(math.log10(sigma / (1 - sigma)), math.log10(share)) for sigma, share in zip(sigmas, shares, strict=True)]
    return [(x, y, y, y) for x, y in placed]


def read(values: Sequence[float]) -> list[str]:
    """A curve at READ_AT."""
    return [f"{values[round(share * (len(values) - 1))]:.3f}" for share in READ_AT]


def _changes(beds: dict[str, Row], real: dict) -> list[str]:
    curves = {name: (known["mean"], known["sd_over_prompts"]) for name, known in real.items() if name != "what"}
    curves |= {name: (entry["change_per_step"], entry["change_sd"]) for name, entry in beds.items()}
    lines = []
    for name, (means, deviations) in curves.items():
        lines.append(
            [name, *read(means), f"{min(means):.3f}", bumps(means), f"{spread_in_the_middle(means, deviations):.0%}"]
        )
    return [
        "## Change per step",
        "",
        "Relative L1 change of the last hidden state from step to step (worse of the two conditionings), read at "
        "shares of the run; of the closed form, which has no hidden state, of its output. Bumps: steps in the middle "
        "half whose change is 5 % above both neighbours. Spread: deviation over prompts in the middle half.",
        "",
        table(["", *(f"{share:.0%}" for share in READ_AT), "least", "bumps", "spread"], lines),
    ]


def bumps(values: Sequence[float]) -> int:
    inside = range(len(values) // 4, 3 * len(values) // 4)
    return sum(values[step] > 1.05 * max(values[step - 1], values[step + 1]) for step in inside)


def _ratios(beds: dict[str, Row], real: dict) -> list[str]:
    curves = {name: known["ratio"] for name, known in real.items() if name != "what"}
    curves |= {name: entry["residual_ratio"] for name, entry in beds.items()}
    return [
        "## Ratio of residual norms",
        "",
        "Mean over tokens of the residual's norm to that of the step before (last hidden state less the first; of the "
        "closed form its output), at shares of the run.",
        "",
        table(["", *(f"{share:.0%}" for share in READ_AT)], [[name, *read(values)] for name, values in curves.items()]),
    ]
