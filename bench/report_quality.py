"""Tables and charts of bench/quality.py, one per way of sampling; of the checkpoint that was measured last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from . import chart
from .quality import KEY
from .records import Lines, Row
from .stats import mean, worst_decile
from .tables import table

COMPARED_AT = (0.75, 0.6, 0.5, 0.4)
HALF = "50% of the steps"
NOT_DRAWN = ("Jano, swept",)

Groups = dict[tuple[str, str], list[Row]]


def quality(out: Path) -> list[str]:
    rows = list(Lines(out / "quality.jsonl", KEY))
    if not rows:
        return []
    checkpoint = {kind_of(row): row["model"] for row in rows}
    newest = [row for row in rows if row["model"] == checkpoint[kind_of(row)]]
    ways = sorted({_way(row) for row in newest})
    return [_of_way(out, way, [row for row in newest if _way(row) == way]) for way in ways]


def _way(row: Row) -> tuple:
    return kind_of(row), row["steps"], row["sampler"], row["cfg"]


def kind_of(row: Row) -> str:
    """Which of the demo's models; rows of the first version name none."""
    return row.get("kind", "flux")


def _of_way(out: Path, way: tuple, rows: list[Row]) -> str:
    kind, steps, sampler, cfg = way
    groups: Groups = defaultdict(list)
    for row in rows:
        groups[row["arm"], row["setting"]].append(row)
    name = f"quality_{kind}_{steps}_{sampler}_{cfg:g}.png"
    title = f"tiny {kind.capitalize()}, {steps} steps, {sampler}, CFG {cfg:g}"
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
            f"![PSNR over the share of FLOPs]({name})",
            "",
            "Mean PSNR at an equal share of FLOPs, straight between measured points (empty outside of them):",
            "",
            _at_equal_cost(curves),
            _settings(groups),
        ]
    )


def _curves(groups: Groups) -> dict[str, list[tuple[float, float]]]:
    """Mean FLOPs share and mean PSNR of every setting, by arm."""
    curves: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (arm, _), rows in groups.items():
        curves[arm].append((mean(_all(rows, "flops_fraction")), mean(_all(rows, "psnr_db"))))
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
    """The y of a broken line at x; None outside."""
    ascending = sorted(points)
    for (x0, y0), (x1, y1) in zip(ascending, ascending[1:], strict=False):
        if x0 <= x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if x1 > x0 else max(y0, y1)
    return None


def _at_equal_cost(curves: dict[str, list[tuple[float, float]]]) -> str:
    rows = []
    for arm, points in curves.items():
        values = [between(points, share) for share in COMPARED_AT]
        rows.append([arm, *("" if value is None else f"{value:.1f}" for value in values)])
    return table(["arm", *(f"{share:.0%} of the FLOPs" for share in COMPARED_AT)], rows)


def _settings(groups: Groups) -> str:
    rows = []
    for (arm, setting), found in groups.items():
        values = _all(found, "psnr_db")
        natively = sorted({reason for row in found for reason in row["native_because"]})
        rows.append(
            [
                arm,
                setting,
                f"{mean(_all(found, 'flops_fraction')):.3f}",
                f"{mean(values):.2f}",
                f"{worst_decile(values):.2f}",
                f"{mean(_all(found, 'latent_psnr_db')):.2f}",
                "; ".join(natively),
            ]
        )
    return table(["arm", "setting", "FLOPs", "PSNR dB", "worst decile", "latent PSNR dB", "native because"], rows)
