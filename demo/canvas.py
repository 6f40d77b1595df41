"""A canvas in units of the picture's side, shapes as signed distances, and two-tone textures with free phases."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Rng = np.random.Generator


@dataclass
class Canvas:
    """A picture or a part of one: rgb (h, w, 3) in 0..1, pixel centres x, y (h, w), and the whole picture's side."""

    rgb: Array
    x: Array
    y: Array
    side: int

    def part(self, left: float, right: float, top: float, bottom: float) -> Canvas:
        """The part inside these bounds; painting on it paints the picture."""
        columns, rows = pixels_between(self.x[0], left, right), pixels_between(self.y[:, 0], top, bottom)
        return Canvas(self.rgb[rows, columns], self.x[rows, columns], self.y[rows, columns], self.side)


def pixels_between(centres: Array, low: float, high: float) -> slice:
    """The pixels of a row that lie between two coordinates; centres are evenly spaced."""
    step = float(centres[1] - centres[0])
    first, last = (round((v - float(centres[0])) / step + 0.5, 3) for v in (low, high))
    return slice(*(min(max(int(v), 0), len(centres)) for v in (first, last)))


def new_canvas(side: int) -> Canvas:
    """A black canvas of side x side pixels."""
    centres = (np.arange(side, dtype=np.float32) + 0.5) / side
    y, x = np.meshgrid(centres, centres, indexing="ij")
    return Canvas(np.zeros((side, side, 3), np.float32), x, y, side)


def inside(canvas: Canvas, distance: Array) -> Array:
    """Signed distance (negative inside) -> antialiased coverage in 0..1."""
    return np.clip(0.5 - distance * canvas.side, 0.0, 1.0)


def paint(canvas: Canvas, coverage: Array, rgb: Array) -> None:
    """Blends rgb, (3,) or (side, side, 3), over the canvas where coverage is."""
    canvas.rgb += coverage[..., None] * (rgb - canvas.rgb)


def mix(first: Array, second: Array, weight: Array) -> Array:
    """Two colours (3,) blended by weight (side, side) -> (side, side, 3)."""
    return first + weight[..., None] * (second - first)


def disc(canvas: Canvas, cx: float, cy: float, rx: float, ry: float) -> Array:
    """Distance to an ellipse (exact for a circle)."""
    radius = np.sqrt(((canvas.x - cx) / rx) ** 2 + ((canvas.y - cy) / ry) ** 2)
    return (radius - 1.0) * min(rx, ry)


def box(canvas: Canvas, left: float, right: float, top: float, bottom: float) -> Array:
    """Distance to an axis-aligned box."""
    across = np.abs(canvas.x - (left + right) / 2) - (right - left) / 2
    return np.maximum(across, np.abs(canvas.y - (top + bottom) / 2) - (bottom - top) / 2)


def triangle(canvas: Canvas, cx: float, half: float, top: float, bottom: float) -> Array:
    """Distance to an upright isosceles triangle."""
    height = bottom - top
    slope = (np.abs(canvas.x - cx) * height - (canvas.y - top) * half) / float(np.hypot(height, half))
    return np.maximum(slope, canvas.y - bottom)


def jittered(rgb: tuple[float, float, float] | Array, rng: Rng, amount: float = 0.06) -> Array:
    """A colour with free jitter, (3,)."""
    return np.clip(np.asarray(rgb, np.float32) + rng.uniform(-amount, amount, 3), 0, 1).astype(np.float32)


def crisp(wave: Array, sharpness: float = 3.0) -> Array:
    """A wave in -1..1 -> a two-tone weight in 0..1 with soft edges."""
    return np.clip(wave * sharpness * 0.5 + 0.5, 0.0, 1.0)


def rotated(canvas: Canvas, angle: float, rng: Rng) -> tuple[Array, Array]:
    """Coordinates turned by angle with a free phase."""
    cos, sin = math.cos(angle), math.sin(angle)
    return canvas.x * cos + canvas.y * sin + rng.random(), canvas.y * cos - canvas.x * sin + rng.random()


def mortar(u: Array, v: Array, wide: float, high: float) -> Array:
    """1 on bricks, 0 on the mortar between them."""
    row = np.floor(v / high)
    along = np.abs(((u / wide + 0.5 * (row % 2)) % 1.0) - 0.5) * wide
    across = np.abs((v / high) % 1.0 - 0.5) * high
    return np.clip((0.5 * wide - along) / 0.006 - 0.5, 0, 1) * np.clip((0.5 * high - across) / 0.006 - 0.5, 0, 1)


def texture(canvas: Canvas, kind: str, period: float, rng: Rng) -> Array:
    """A two-tone weight (side, side) in 0..1; phase and angle are free."""
    turn = 2 * np.pi / period
    if kind == "plain":
        return np.ones_like(canvas.x)
    if kind == "brick":
        u, v = rotated(canvas, 0.0, rng)
        return mortar(u, v, 1.5 * period, 0.75 * period)
    if kind == "striped":
        u, _ = rotated(canvas, float(rng.uniform(0, np.pi)), rng)
        return crisp(np.sin(turn * u))
    if kind == "wavy":
        u, v = rotated(canvas, float(rng.uniform(-0.3, 0.3)), rng)
        return crisp(np.sin(turn * v + 1.8 * np.sin(0.7 * turn * u)))
    u, v = rotated(canvas, float(rng.uniform(0, np.pi / 2)), rng)
    if kind == "checked":
        return crisp(np.sin(0.8 * turn * u) * np.sin(0.8 * turn * v), 5.0)
    return crisp(0.8 - np.cos(turn * u) - np.cos(turn * v), 2.0)
