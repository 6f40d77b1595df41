"""Tables and charts of bench/quality.py, one per way of sampling; of the checkpoint that was measured last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from . import chart
from .quality import KEY
from .records import Lines, Row
from .stats import flips, interval, mean, median, worst_decile
from .tables import table

COMPARED_AT = (0.75, 0.6, 0.5, 0.4)
HALF = "50% of the steps"
NOT_DRAWN = ("Jano, swept",)
OURS = "Jano"
OVERVIEW = ("fewer steps", "EasyCache", "LazyCache", "whole-step forecast", "Jano as published", OURS)
EQUAL = 0.5
OVERVIEW_HEAD = f"""## Closeness to the full run at {EQUAL:.0%} of the FLOPs

Mean PSNR in dB, straight between measured points; with its share in brackets where an arm cannot spend so little.
"""
COLUMNS: dict[str, Callable[[Row], float | None]] = {
    "worst frame dB": lambda row: row["worst_frame_db"] if row["motion_db"] is not None else None,
    "motion dB": lambda row: row["motion_db"],
    "SSIM": lambda row: row["ssim"],
    "latent PSNR dB": lambda row: row["latent_psnr_db"],
    "error static": lambda row: row["level_error"].get("static"),
    "error moderate": lambda row: row["level_error"].get("moderate"),
    "error active": lambda row: row["level_error"].get("active"),
}

Groups = dict[tuple[str, str], list[Row]]


def quality(out: Path) -> list[str]:
    rows = list(Lines(out / "quality.jsonl", KEY))
    if not rows:
        return []
    checkpoint = {kind_of(row): row["model"] for row in rows}
    newest = [row for row in rows if row["model"] == checkpoint[kind_of(row)]]
    ways = {way: [row for row in newest if _way(row) == way] for way in sorted({_way(row) for row in newest})}
    return [_overview(ways), *(_of_way(out, way, found) for way, found in ways.items())]


def _overview(ways: dict[tuple, list[Row]]) -> str:
    """One line for each way of sampling: mean over its prompts of every arm's PSNR at equal FLOPs."""
    arms = [arm for arm in OVERVIEW if any(row["arm"] == arm for rows in ways.values() for row in rows)]
    lines = []
    for way, rows in ways.items():
        curves = _curves(_grouped(rows))
        shown = [_about_equal([point[:2] for point in curves.get(arm, [])]) for arm in arms]
        lines.append([_title(way), str(len({row["prompt"] for row in rows})), *shown])
    return f"{OVERVIEW_HEAD}\n{table(['', 'prompts', *arms], lines)}"


def _about_equal(points: list[tuple[float, float]]) -> str:
    """PSNR at equal FLOPs; of an arm that cannot spend so little, that of its cheapest point with its share."""
    value = between(points, EQUAL)
    if value is not None:
        return f"{value:.1f}"
    dearer = [(share, psnr) for share, psnr in points if share > EQUAL]
    return "{1:.1f} ({0:.0%})".format(*min(dearer)) if dearer else ""


def _grouped(rows: list[Row]) -> Groups:
    groups: Groups = defaultdict(list)
    for row in rows:
        groups[row["arm"], row["setting"]].append(row)
    return groups


def _title(way: tuple) -> str:
    kind, side, steps, sampler, cfg = way
    return f"tiny {kind.capitalize()} at {side} pixels, {steps} steps, {sampler}, CFG {cfg:g}"


def _way(row: Row) -> tuple:
    return kind_of(row), row["side"], row["steps"], row["sampler"], row["cfg"]


def kind_of(row: Row) -> str:
    """Which of the demo's models."""
    return row["kind"]


def _of_way(out: Path, way: tuple, rows: list[Row]) -> str:
    kind, side, steps, sampler, cfg = way
    groups, title = _grouped(rows), _title(way)
    name = f"quality_{kind}_{side}_{steps}_{sampler}_{cfg:g}.png"
    curves = _curves(groups)
    drawn = {arm: points for arm, points in curves.items() if arm not in NOT_DRAWN}
    chart.curves(out / name, f"{title}: closeness to the full run", "share of the FLOPs", "PSNR in dB", drawn)
    prompts = len({row["prompt"] for row in rows})
    return "\n".join(
        [
            f"## Closeness to the full run: {title}",
            "",
            f"Demo's tiny {kind.capitalize()} (checkpoint {rows[0]['model']}), {prompts} prompts; PSNR of what was "
            "decoded against the full run with the same seed, FLOPs of the sampling by torch's FlopCounterMode. "
            f"{_hardness(groups)}",
            "",
            f"![PSNR over the share of FLOPs; bands: 90 % of bootstrapped means]({name})",
            "",
            "Mean PSNR at an equal share of FLOPs, straight between measured points (empty outside of them):",
            "",
            _at_equal_cost(curves),
            *_against_ours(rows),
            _settings(groups),
        ]
    )


def _curves(groups: Groups) -> dict[str, list[chart.Point]]:
    """Mean FLOPs share and mean PSNR of every setting with the latter's interval, by arm."""
    curves: dict[str, list[chart.Point]] = defaultdict(list)
    for (arm, _), rows in groups.items():
        values = _all(rows, "psnr_db")
        curves[arm].append((mean(_all(rows, "flops_fraction")), mean(values), *interval(values)))
    return dict(curves)


def _all(rows: Sequence[Row], name: str) -> list[float]:
    return [row[name] for row in rows]


def _hardness(groups: Groups) -> str:
    rows = groups.get(("fewer steps", HALF))
    if not rows:
        return ""
    values = _all(rows, "psnr_db")
    return f"Hardness: half of the steps give {mean(values):.1f} dB (worst decile {worst_decile(values):.1f})."


def between(points: Sequence[tuple[float, float]], x: float) -> float | None:
    """The y of a broken line at x, the mean of several points there; None outside."""
    ascending = sorted(points)
    there = [y for x0, y in ascending if x0 == x]
    if there:
        return mean(there)
    for (x0, y0), (x1, y1) in zip(ascending, ascending[1:], strict=False):
        if x0 <= x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return None


def _at_equal_cost(curves: dict[str, list[chart.Point]]) -> str:
    rows = []
    for arm, points in curves.items():
        values = [between([point[:2] for point in points], share) for share in COMPARED_AT]
        rows.append([arm, *("" if value is None else f"{value:.1f}" for value in values)])
    return table(["arm", *(f"{share:.0%} of the FLOPs" for share in COMPARED_AT)], rows)


def _against_ours(rows: list[Row]) -> list[str]:
    """Prompt by prompt at equal FLOPs: how far ours is ahead of every rival, and what ours needs for a rival's PSNR."""
    lines: dict[str, dict[int, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        lines[row["arm"]][row["prompt"]].append((row["flops_fraction"], row["psnr_db"]))
    ours = lines.pop(OURS, None)
    compared = [] if ours is None else [_row_against(arm, ours, rival) for arm, rival in lines.items()]
    if not any(compared):
        return []
    head = ["against", "prompts", "ours ahead by", "90 % of bootstrapped means", "at worst", "for its PSNR ours needs"]
    return [f"Ours at {EQUAL:.0%} of the FLOPs, prompt by prompt:", "", table(head, [row for row in compared if row])]


def _row_against(arm: str, ours: dict[int, list], rival: dict[int, list]) -> list[str] | None:
    ahead, needed = [], []
    for prompt, points in rival.items():
        own, other = between(ours.get(prompt, []), EQUAL), between(points, EQUAL)
        if own is not None and other is not None:
            ahead.append(own - other)
            needed.append(cost_of(ours[prompt], other))
    if not ahead:
        return None
    low, high = interval(ahead)
    return [
        arm,
        str(len(ahead)),
        f"{mean(ahead):+.1f} dB",
        f"{low:+.1f} to {high:+.1f}",
        f"{min(ahead):+.1f}",
        f"{mean(needed):.2f}",
    ]


def cost_of(points: Sequence[tuple[float, float]], psnr: float) -> float:
    """The least share of the FLOPs from which on a curve stays at this PSNR; its cheapest point where it always is."""
    ascending = sorted(points)
    if all(y >= psnr for _, y in ascending):
        return ascending[0][0]
    below = max(number for number, (_, y) in enumerate(ascending) if y < psnr)
    if below + 1 == len(ascending):
        return 1.0
    (x0, y0), (x1, y1) = ascending[below : below + 2]
    return x0 + (x1 - x0) * (psnr - y0) / (y1 - y0)


def _settings(groups: Groups) -> str:
    """Every setting with all that was measured of it; columns that a model does not have are left out."""
    every = [row for rows in groups.values() for row in rows]
    columns = {name: find for name, find in COLUMNS.items() if any(find(row) is not None for row in every)}
    rows = []
    for (arm, setting), found in groups.items():
        values = _all(found, "psnr_db")
        natively = sorted({reason for row in found for reason in row["native_because"]})
        shown = [f"{mean(_all(found, 'flops_fraction')):.3f}", f"{mean(values):.2f}"]
        shown += [f"{median(values):.2f}", f"{worst_decile(values):.2f}", f"{flips(values):.0%}"]
        more = [f"{mean([find(row) or 0.0 for row in found]):.4g}" for find in columns.values()]
        rows.append([arm, setting, str(len(found)), *shown, *more, "; ".join(natively)])
    head = ["arm", "setting", "prompts", "FLOPs", "PSNR dB", "median", "worst decile", "flips", *columns]
    return table([*head, "native because"], rows)
