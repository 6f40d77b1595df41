"""Charts as PNG files, drawn with Pillow alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Pixel = tuple[float, float]
Point = tuple[float, float, float, float]
Box = tuple[float, float, float, float]

SIZE = (1180, 680)
LEFT, TOP, RIGHT, BOTTOM = 80, 56, 300, 64
PAPER, INK, FAINT = (255, 255, 255), (40, 40, 44), (222, 222, 226)
# Okabe and Ito's colours, told apart with any kind of colour blindness.
COLOURS = (
    (0, 0, 0),
    (86, 180, 233),
    (0, 114, 178),
    (230, 159, 0),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (150, 150, 150),
    (190, 180, 30),
)


def ticks(low: float, high: float, count: int = 7) -> list[float]:
    """Round numbers that cover low to high."""
    step = 10 ** math.floor(math.log10((high - low) / count))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= count)
    first = math.floor(low / step)
    return [round(step * (first + number), 10) for number in range(math.ceil(high / step - 1e-9) - first + 1)]


class Plot:
    """A canvas with both axes drawn; data go to pixels through `place`."""

    def __init__(self, title: str, x_label: str, y_label: str, x_ticks: list[float], y_ticks: list[float]) -> None:
        self.image = Image.new("RGB", SIZE, PAPER)
        self.draw = ImageDraw.Draw(self.image)
        self._x, self._y = (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1])
        self.text((LEFT, 16), title, 20)
        self.text((LEFT, SIZE[1] - 30), x_label)
        self.text((8, TOP - 24), y_label)
        self._grid(x_ticks, y_ticks)

    def _grid(self, x_ticks: list[float], y_ticks: list[float]) -> None:
        for x in x_ticks:
            self.draw.line([self.place(x, self._y[0]), self.place(x, self._y[1])], FAINT)
            self.text((self.place(x, 0)[0] - 12, SIZE[1] - BOTTOM + 8), f"{x:g}")
        for y in y_ticks:
            self.draw.line([self.place(self._x[0], y), self.place(self._x[1], y)], FAINT)
            self.text((LEFT - 44, self.place(0, y)[1] - 8), f"{y:g}")

    def place(self, x: float, y: float) -> Pixel:
        width, height = SIZE[0] - LEFT - RIGHT, SIZE[1] - TOP - BOTTOM
        across, up = (x - self._x[0]) / (self._x[1] - self._x[0]), (y - self._y[0]) / (self._y[1] - self._y[0])
        return LEFT + across * width, TOP + (1 - up) * height

    def text(self, at: Pixel, text: str, size: int = 15, colour: tuple[int, int, int] = INK) -> None:
        self.draw.text(at, text, colour, font=ImageFont.load_default(size))

    def legend(self, number: int, name: str) -> None:
        y = TOP + 24 * number
        self.mark(SIZE[0] - RIGHT + 27, y + 9, number, 7)
        self.text((SIZE[0] - RIGHT + 44, y), name)

    def mark(self, x: float, y: float, number: int, size: int = 4) -> None:
        """A series' point: a disc, and an open square where all colours have a series already."""
        box, colour = (x - size, y - size, x + size, y + size), colour_of(number)
        if number < len(COLOURS):
            self.draw.ellipse(box, fill=colour)
        else:
            self.draw.rectangle(box, fill=PAPER, outline=colour, width=2)


def colour_of(number: int) -> tuple[int, int, int]:
    return COLOURS[number % len(COLOURS)]


def curves(path: Path, title: str, x_label: str, y_label: str, series: dict[str, Sequence[Point]]) -> None:
    """One line with markers and a band per series; points are (x, y, low, high)."""
    every = [point for points in series.values() for point in points]
    x, _, low, high = zip(*every, strict=True)
    plot = Plot(title, x_label, y_label, ticks(min(x), max(x)), ticks(min(low), max(high)))
    for number, points in enumerate(series.values()):
        _band(plot, sorted(points), colour_of(number))
    for number, (name, points) in enumerate(series.items()):
        placed = [plot.place(x, y) for x, y, *_ in sorted(points)]
        plot.draw.line(placed, colour_of(number), 2)
        for x, y in placed:
            plot.mark(x, y, number)
        plot.legend(number, name)
    plot.image.save(path)


def _band(plot: Plot, points: Sequence[Point], colour: tuple[int, int, int]) -> None:
    """A tint of `colour` between the points' low and high ends."""
    edge = [plot.place(x, low) for x, _, low, _ in points] + [plot.place(x, high) for x, _, _, high in points[::-1]]
    if len(points) > 1:
        over = Image.new("RGBA", plot.image.size)
        ImageDraw.Draw(over).polygon(edge, (*colour, 36))
        plot.image.paste(over, mask=over)


def bars(path: Path, title: str, x_label: str, values: dict[str, tuple[float, float]]) -> None:
    """Horizontal bars with a line for plus and minus one deviation; values are (mean, deviation)."""
    ends = [mean + sign * sd for mean, sd in values.values() for sign in (-1, 1)]
    plot = Plot(title, x_label, "", ticks(min(0.0, *ends), max(ends)), [0.0, float(len(values))])
    for number, (name, (mean, sd)) in enumerate(reversed(values.items())):
        low, high = plot.place(min(0.0, mean), number + 0.8), plot.place(max(0.0, mean), number + 0.2)
        plot.draw.rectangle((*low, *high), fill=COLOURS[1])
        plot.draw.line([plot.place(mean - sd, number + 0.5), plot.place(mean + sd, number + 0.5)], INK, 2)
        plot.text((SIZE[0] - RIGHT + 12, low[1] - 2), f"{name}  {mean:+.2f}")
    plot.image.save(path)
