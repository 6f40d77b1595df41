"""Tables and chart of bench/scores.py."""

from __future__ import annotations

from pathlib import Path

from . import chart
from .records import load
from .tables import table

CHART_WARMUP, CHART_TRUTH = 4, "hold_error"
EXPLANATION = """Spearman correlation over the regions of a picture, mean ± deviation over prompts. What is foretold:
`complexity`: high-frequency share of the final latent's spectrum per region, outside a quarter-radius circle (the
paper's ground-truth complexity). `detail`: the same energy, not divided. `convergence`: |latent change| over every
tenth of the run from a fifth on, added up (the paper's ground-truth convergence). `settling_step`: steps until the
region's x0 stays within 10 % of its final value. `hold_error`: change of the velocity over 3 steps after the warm-up,
what holding it misses. `forecast_error`: its second difference, what a straight forecast misses. The paper reports
0.73 for its score against complexity, and 0.13 to 0.25 for an FFT of the early latent (its metric is only called
accuracy there)."""


def scores(out: Path) -> list[str]:
    about = load(out / "scores.json")
    if about is None:
        return []
    cells = {(row["score"], row["warmup"], row["truth"]): row for row in about["rows"]}
    lines = [
        "## Which score foretells?",
        "",
        f"{about['prompts']} prompts of the demo's tiny Flux (checkpoint {about['model']}), {about['steps']} Euler "
        f"steps, CFG {about['cfg']:g}, {' x '.join(map(str, about['regions']))} regions.",
        "",
        EXPLANATION,
        "",
        _truths(cells),
    ]
    warmups = sorted({warmup for _, warmup, _ in cells if warmup})
    lines += [f"### After {warmup} steps\n\n{_at(cells, warmup)}" for warmup in warmups]
    _draw(out, cells)
    return ["\n".join([*lines, f"![Correlation after {CHART_WARMUP} steps](scores.png)", ""])]


def _names(cells: dict, warmup: int) -> tuple[list[str], list[str]]:
    """Scores and truths in the order of the file."""
    keys = [key for key in cells if key[1] == warmup]
    return list(dict.fromkeys(score for score, _, _ in keys)), list(dict.fromkeys(truth for _, _, truth in keys))


def _at(cells: dict, warmup: int) -> str:
    names, truths = _names(cells, warmup)
    best = {truth: max(cells[name, warmup, truth]["mean"] for name in names) for truth in truths}

    def show(name: str, truth: str) -> str:
        cell = cells[name, warmup, truth]
        text = f"{cell['mean']:.2f} ± {cell['sd']:.2f}"
        return f"**{text}**" if cell["mean"] == best[truth] else text

    rows = [[f"`{name}`", *(show(name, truth) for truth in truths)] for name in names]
    return table(["score", *truths], rows)


def _truths(cells: dict) -> str:
    names = [truth for score, _, truth in cells if score.startswith("spread")]
    rows = []
    for first in names:
        spread = cells["spread 90:10", 0, first]["mean"]
        pairs = [cells.get((first, 0, second)) or cells.get((second, 0, first)) for second in names]
        rows.append([first, *(f"{pair['mean']:.2f}" if pair else "" for pair in pairs), f"{spread:.1f}"])
    return "What is foretold, against each other, and how uneven it is over a picture:\n\n" + table(
        ["", *names, "90th / 10th percentile"], rows
    )


def _draw(out: Path, cells: dict) -> None:
    names, _ = _names(cells, CHART_WARMUP)
    rows = {name: cells[name, CHART_WARMUP, CHART_TRUTH] for name in names}
    values = {name: (row["mean"], row["sd"]) for name, row in rows.items()}
    ordered = dict(sorted(values.items(), key=lambda item: -item[1][0]))
    title = f"Scores after {CHART_WARMUP} steps against the error of holding a region's velocity"
    chart.bars(out / "scores.png", title, "Spearman correlation over regions", ordered)
