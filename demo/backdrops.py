"""Backgrounds and grounds: skies with clouds, suns, moons and stars, patterned walls, and what things stand on."""

from __future__ import annotations

import numpy as np
from canvas import Array, Canvas, Rng, crisp, disc, inside, jittered, mix, mortar, paint, rotated, texture

WALLS = {
    "brick wall": ((0.66, 0.36, 0.28), (0.84, 0.78, 0.70)),
    "striped wall": ((0.93, 0.80, 0.62), (0.80, 0.50, 0.46)),
    "dotted wall": ((0.55, 0.75, 0.72), (0.93, 0.93, 0.85)),
}
GROUND_TONES = {
    "grass": ((0.30, 0.60, 0.20), (0.20, 0.46, 0.15)),
    "sand": ((0.90, 0.78, 0.52), (0.82, 0.68, 0.42)),
    "sea": ((0.14, 0.42, 0.66), (0.50, 0.76, 0.86)),
    "checkered floor": ((0.92, 0.90, 0.86), (0.30, 0.28, 0.32)),
    "wood floor": ((0.66, 0.44, 0.26), (0.42, 0.26, 0.14)),
    "snow": ((0.95, 0.96, 0.99), (0.80, 0.86, 0.95)),
}


def gradient(canvas: Canvas, top: Array, bottom: Array, end: float) -> Array:
    """A vertical blend from top to bottom, reached at y = end."""
    return mix(top, bottom, np.clip(canvas.y / end, 0, 1))


def draw_background(canvas: Canvas, kind: str, horizon: float, rng: Rng) -> None:
    """Fills the canvas with a sky or a wall."""
    if kind.endswith("sky"):
        {"day sky": draw_day, "sunset sky": draw_sunset, "night sky": draw_night}[kind](canvas, horizon, rng)
        return
    first, second = (jittered(rgb, rng) for rgb in WALLS[kind])
    if kind == "brick wall":
        u, v = rotated(canvas, 0.0, rng)
        weight = 1.0 - mortar(u, v, 0.14, 0.07)
    elif kind == "striped wall":
        weight = crisp(np.sin(2 * np.pi * (canvas.x / rng.uniform(0.09, 0.13) + rng.random())), 6.0)
    else:
        weight = 1.0 - texture(canvas, "dotted", float(rng.uniform(0.10, 0.13)), rng)
    canvas.rgb[:] = mix(first, second, weight)


def draw_day(canvas: Canvas, horizon: float, rng: Rng) -> None:
    """A blue sky with one or two clouds."""
    high, low = jittered((0.30, 0.56, 0.90), rng), jittered((0.78, 0.90, 0.97), rng, 0.03)
    canvas.rgb[:] = gradient(canvas, high, low, horizon)
    for _ in range(int(rng.integers(1, 3))):
        cx, cy, size = rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.3), rng.uniform(0.045, 0.07)
        puffs = [
            disc(canvas, cx + k * 1.1 * size, cy + 0.25 * size * k * k, (1.2 - 0.3 * k * k) * size, 0.75 * size)
            for k in (-1, 0, 1)
        ]
        paint(canvas, inside(canvas, np.minimum.reduce(puffs)), np.array([0.98, 0.98, 0.99], np.float32))


def draw_sunset(canvas: Canvas, horizon: float, rng: Rng) -> None:
    """Purple above orange, with a low sun."""
    high, low = jittered((0.36, 0.20, 0.48), rng), jittered((0.98, 0.60, 0.28), rng, 0.04)
    canvas.rgb[:] = gradient(canvas, high, low, horizon)
    sun = disc(canvas, rng.uniform(0.1, 0.9), horizon - rng.uniform(0.0, 0.12), *[rng.uniform(0.07, 0.1)] * 2)
    paint(canvas, inside(canvas, sun), jittered((1.0, 0.88, 0.50), rng, 0.03))


def draw_night(canvas: Canvas, horizon: float, rng: Rng) -> None:
    """Dark blue with a moon and stars."""
    high, low = jittered((0.05, 0.06, 0.17), rng, 0.03), jittered((0.18, 0.20, 0.42), rng, 0.04)
    canvas.rgb[:] = gradient(canvas, high, low, horizon)
    pale = np.array([0.95, 0.94, 0.82], np.float32)
    for _ in range(10):
        star = disc(canvas, rng.random(), rng.uniform(0, 0.9 * horizon), *[rng.uniform(0.007, 0.011)] * 2)
        paint(canvas, inside(canvas, star), pale)
    moon = disc(canvas, rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.25), *[rng.uniform(0.05, 0.07)] * 2)
    paint(canvas, inside(canvas, moon), pale)


def draw_ground(canvas: Canvas, kind: str, horizon: float, rng: Rng) -> None:
    """Fills everything below the horizon."""
    first, second = (jittered(rgb, rng, 0.04) for rgb in GROUND_TONES[kind])
    weight = ground_texture(canvas, kind, horizon, rng)
    paint(canvas, inside(canvas, horizon - canvas.y), mix(first, second, weight))


def ground_texture(canvas: Canvas, kind: str, horizon: float, rng: Rng) -> Array:
    """The two-tone weight of a ground, (side, side)."""
    depth = np.maximum(canvas.y - horizon, 0.0)
    phase, other = rng.uniform(0, 2 * np.pi, 2).tolist()
    if kind == "grass":
        u, v = rotated(canvas, float(rng.uniform(-0.25, 0.25)), rng)
        return crisp(np.sin(2 * np.pi * u / 0.065 + 2.2 * np.sin(2 * np.pi * v / 0.11)), 1.5)
    if kind == "sand":
        return crisp(np.sin(2 * np.pi * (depth / 0.09) + 1.5 * np.sin(5 * canvas.x + phase) + other), 1.0)
    if kind == "sea":
        scallop = np.abs(np.sin(np.pi * canvas.x / 0.11 + phase))
        return crisp(np.sin(2 * np.pi * depth / 0.07 + 2.0 * scallop + other) - 0.5, 2.5)
    if kind == "checkered floor":
        far = 0.35 + 1.6 * depth
        rows = np.log(far) * 9.0
        return crisp(np.sin(np.pi * (canvas.x - 0.5) / (0.16 * far) + phase) * np.sin(np.pi * rows * 0.62 + other), 6.0)
    if kind == "wood floor":
        return 1.0 - mortar(canvas.x + rng.random(), depth + rng.random(), 0.5, 0.085)
    return 0.5 + 0.5 * np.sin(7 * canvas.x + phase + 9 * depth)
