"""The things a scene is made of: where one stands, how it looks, how each kind is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from canvas import Array, Canvas, Rng, box, disc, inside, jittered, mix, paint, texture, triangle
from nodes.vocabulary import COLOURS, NOUNS, TEXTURES

RGB = {
    "red": (0.86, 0.16, 0.16),
    "orange": (0.95, 0.52, 0.10),
    "yellow": (0.95, 0.83, 0.20),
    "green": (0.18, 0.60, 0.25),
    "blue": (0.15, 0.35, 0.85),
    "purple": (0.52, 0.22, 0.68),
    "white": (0.93, 0.93, 0.93),
}
DARK = np.array([0.16, 0.12, 0.14], np.float32)


@dataclass(frozen=True)
class Thing:
    """What to draw and where: cx the middle, base the bottom, size about half the width."""

    noun: str
    cx: float
    base: float
    size: float
    kind: str
    period: float
    first: tuple[float, float, float]
    second: tuple[float, float, float]


def place_thing(code: list[int], column: int, columns: int, horizon: float, rng: Rng) -> Thing:
    """Picks the free place, size and colours of one thing in its column."""
    noun = NOUNS[code[0] - 1]
    cx = (column + 0.5 + float(rng.uniform(-0.14, 0.14))) / columns
    base = horizon + float(rng.uniform(0.10, 0.30))
    size = float(rng.uniform(0.15, 0.20))
    first = jittered(RGB[COLOURS[code[2] - 1]], rng)
    target = DARK if COLOURS[code[2] - 1] in ("white", "yellow") else np.array([0.97, 0.95, 0.90], np.float32)
    second = first + 0.8 * (target - first)
    period = float(rng.uniform(0.07, 0.10))
    return Thing(noun, cx, base, size, TEXTURES[code[1] - 1], period, tuple(first.tolist()), tuple(second.tolist()))


def surface(canvas: Canvas, thing: Thing, rng: Rng) -> Array:
    """The thing's two-tone texture with a slight shade to the right, (side, side, 3)."""
    rgb = mix(np.float32(thing.second), np.float32(thing.first), texture(canvas, thing.kind, thing.period, rng))
    shade = np.clip(1.0 - 0.35 * np.clip((canvas.x - thing.cx) / thing.size, -0.2, 1.0), 0, 1.05)
    return rgb * shade[..., None]


def around(canvas: Canvas, thing: Thing) -> Canvas:
    """The part of the canvas that a thing and its shadow may touch."""
    reach = 2.1 * thing.size
    top, bottom = thing.base - 3.5 * thing.size, thing.base + 0.4 * thing.size
    return canvas.part(thing.cx - reach, thing.cx + reach, top, bottom)


def draw_thing(canvas: Canvas, thing: Thing, rng: Rng) -> None:
    """Draws one thing with its shadow."""
    canvas = around(canvas, thing)
    draw_shadow(canvas, thing)
    painters[thing.noun](canvas, thing, surface(canvas, thing, rng))


def draw_shadow(canvas: Canvas, thing: Thing) -> None:
    """Darkens the ground below a thing."""
    shadow = disc(canvas, thing.cx + 0.02, thing.base, thing.size * 1.15, thing.size * 0.22)
    canvas.rgb *= 1.0 - 0.35 * inside(canvas, shadow)[..., None]


def draw_ball(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """A ball resting on its base."""
    paint(canvas, inside(canvas, disc(canvas, t.cx, t.base - t.size, t.size, t.size)), rgb)


def draw_house(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """Walls in the thing's texture, a dark roof, a door and a window."""
    top = t.base - 1.5 * t.size
    paint(canvas, inside(canvas, box(canvas, t.cx - t.size, t.cx + t.size, top, t.base)), rgb)
    roof = triangle(canvas, t.cx, 1.25 * t.size, top - 0.95 * t.size, top)
    paint(canvas, inside(canvas, roof), np.float32([0.36, 0.16, 0.14]))
    door = box(canvas, t.cx - 0.65 * t.size, t.cx - 0.15 * t.size, t.base - 0.85 * t.size, t.base)
    paint(canvas, inside(canvas, door), DARK)
    window = box(canvas, t.cx + 0.15 * t.size, t.cx + 0.65 * t.size, t.base - 1.05 * t.size, t.base - 0.55 * t.size)
    paint(canvas, inside(canvas, window), np.float32([0.98, 0.93, 0.62]))


def draw_tree(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """A brown trunk and a crown of three discs."""
    trunk = box(canvas, t.cx - 0.17 * t.size, t.cx + 0.17 * t.size, t.base - 1.4 * t.size, t.base)
    paint(canvas, inside(canvas, trunk), np.float32([0.36, 0.22, 0.12]))
    middle = t.base - 1.75 * t.size
    puffs = ((-0.5, 0.15), (0.5, 0.15), (0.0, -0.55))
    radius = 0.72 * t.size
    crown = [disc(canvas, t.cx + dx * t.size, middle + dy * t.size, radius, radius) for dx, dy in puffs]
    paint(canvas, inside(canvas, np.minimum.reduce(crown)), rgb)


def draw_tower(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """A tall keep with battlements and a dark window."""
    half, top = 0.55 * t.size, t.base - 3.0 * t.size
    body = box(canvas, t.cx - half, t.cx + half, top, t.base)
    for k in (-1, 0, 1):
        middle = t.cx + 0.95 * k * half
        tooth = box(canvas, middle - 0.28 * half, middle + 0.28 * half, top - 0.35 * t.size, top + 0.01)
        body = np.minimum(body, tooth)
    body = np.minimum(body, box(canvas, t.cx - 1.23 * half, t.cx + 1.23 * half, top, top + 0.3 * t.size))
    paint(canvas, inside(canvas, body), rgb)
    window = box(canvas, t.cx - 0.3 * half, t.cx + 0.3 * half, top + 0.7 * t.size, top + 1.2 * t.size)
    paint(canvas, inside(canvas, window), DARK)


def draw_tent(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """A triangle with a dark opening."""
    top = t.base - 1.6 * t.size
    paint(canvas, inside(canvas, triangle(canvas, t.cx, 1.3 * t.size, top, t.base)), rgb)
    paint(canvas, inside(canvas, triangle(canvas, t.cx, 0.4 * t.size, t.base - 1.0 * t.size, t.base)), DARK)


painters = {
    "ball": draw_ball,
    "house": draw_house,
    "tree": draw_tree,
    "tower": draw_tower,
    "tent": draw_tent,
}
