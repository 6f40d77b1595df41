"""The steps of a run as a chart: what each took, and what its forecasts did to the picture against the tolerance."""

from __future__ import annotations

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .headline import chart_title
from .render import INK, PAPER, RGB, STEP_COLOURS, as_bytes, legend, to_tensor
from .report import RunReport, StepClass, StepRecord

LEFT, RIGHT, TOP, BELOW, GAP = 64, 16, 54, 24, 44
"""Pixels around and between the two panels."""
LINE: RGB = (0.30, 0.30, 0.33)
ERROR: RGB = (0.98, 0.55, 0.24)
TOLERANCE: RGB = (0.62, 0.71, 0.85)
NAMES = {StepClass.FULL: "computed", StepClass.SKIPPED: "forecast"}
OF_ERRORS = "error of the forecasts before repair, of the picture's strength"
LOWEST_ERROR = 1e-3
"""Where the scale of errors begins; it is logarithmic."""
PANEL = tuple[int, int]  # top and bottom


def step_chart(report: RunReport, width: int = 768, height: int = 344) -> Tensor:
    """(1, height, width, 3): seconds of each step, and where forecasts were measured what they might and did cost."""
    chart = Image.new("RGB", (width, height), as_bytes(PAPER))
    draw = ImageDraw.Draw(chart)
    costs = [(record.step, cost) for record, cost in zip(report.steps, spent(report.steps), strict=True) if cost]
    middle = (height - TOP - BELOW - GAP) // 2
    seconds = (TOP, TOP + middle if costs else height - BELOW)
    _write(draw, (LEFT, 14), chart_title(report), "lm")
    _draw_seconds(draw, report, seconds, width)
    if costs:
        _draw_errors(draw, report, costs, (TOP + middle + GAP, height - BELOW), width)
    _write(draw, (LEFT, height - BELOW / 2), f"step 1 to {report.num_steps}", "lm")
    present = {record.step_class for record in report.steps}
    entries = [(NAMES.get(kind, str(kind)), STEP_COLOURS[kind]) for kind in StepClass]
    shown = [entry for kind, entry in zip(StepClass, entries, strict=True) if kind in present]
    return torch.cat((to_tensor(chart), legend(shown, width)), dim=1) if shown else to_tensor(chart)


def step_figures(report: RunReport) -> list[dict[str, str | float | None]]:
    """What the chart is drawn from: of each step its kind, its seconds, what forecasts before it cost, and might."""
    return [
        {"kind": str(record.step_class), "seconds": record.seconds, "cost": cost, "tolerance": record.tolerance}
        for record, cost in zip(report.steps, spent(report.steps), strict=True)
    ]


def spent(steps: list[StepRecord]) -> list[float | None]:
    """What the forecasts that each step ended cost, in the measure of their tolerance (whole/control.py): what they did
    to the picture, times the root of their number. None where nothing was measured."""
    gap, costs = 0, []
    for record in steps:
        is_forecast = record.step_class is StepClass.SKIPPED
        known = not is_forecast and gap and record.picture_error is not None
        costs.append(record.picture_error * gap**0.5 if known else None)
        gap = gap + 1 if is_forecast else 0
    return costs


def _draw_seconds(draw: ImageDraw.ImageDraw, report: RunReport, panel: PANEL, width: int) -> None:
    top, bottom = panel
    most = max((record.seconds for record in report.steps), default=0.0)
    _write(draw, (LEFT, top - 14), "seconds per step", "lm")
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top)
        draw.line((LEFT, y, width - RIGHT, y), fill=as_bytes(LINE))
        _write(draw, (LEFT - 8, y), f"{share * most:.3g}", "rm")
    part = (width - LEFT - RIGHT) / max(1, report.num_steps)
    for record in report.steps:
        x, colour = LEFT + part * record.step, as_bytes(STEP_COLOURS[record.step_class])
        y = bottom - max(2, (bottom - top) * record.seconds / most if most else 2)
        box = (x + 1, y, x + max(2, part - 1), bottom)
        is_forecast = record.step_class is StepClass.SKIPPED
        draw.rectangle(box, outline=colour, fill=None if is_forecast else colour)


def _draw_errors(
    draw: ImageDraw.ImageDraw, report: RunReport, costs: list[tuple[int, float]], panel: PANEL, width: int
) -> None:
    top, bottom = panel
    limits = [(record.step, record.tolerance) for record in report.steps if record.tolerance]
    most = 1.2 * max([cost for _, cost in costs] + [limit for _, limit in limits])
    scale = torch.tensor(most / LOWEST_ERROR).log().item()
    part = (width - LEFT - RIGHT) / max(1, report.num_steps)

    def height_of(share: float) -> float:
        place = max(0.0, torch.tensor(share / LOWEST_ERROR).log().item() / scale)
        return bottom - place * (bottom - top)

    _write(draw, (LEFT, top - 14), OF_ERRORS, "lm", ERROR)
    _write(draw, (width - RIGHT, top - 14), "tolerance", "rm", TOLERANCE)
    for share in (0.001, 0.01, 0.1, 1.0):
        if share <= most:
            draw.line((LEFT, height_of(share), width - RIGHT, height_of(share)), fill=as_bytes(LINE))
            _write(draw, (LEFT - 8, height_of(share)), f"{100 * share:g} %", "rm")
    for step, limit in limits:
        x, y = LEFT + part * step, height_of(limit)
        draw.line((x + part * 0.15, y, x + part * 0.85, y), fill=as_bytes(TOLERANCE), width=2)
    points = [(LEFT + part * (step + 0.5), height_of(cost)) for step, cost in costs]
    draw.line(points, fill=as_bytes(ERROR), width=2)
    for x, y in points:
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=as_bytes(ERROR))


def _write(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, anchor: str, colour: RGB = INK) -> None:
    draw.text(at, text, fill=as_bytes(colour), font=ImageFont.load_default(size=14), anchor=anchor)
