"""Draws procedural scenes: flat or patterned backgrounds, a ground, two or three textured things.

Coordinates are in units of the picture's side, x to the right, y down. A scene's code (vocabulary.py) fixes what is
drawn; places, sizes, phases, angles and colour jitter come from the random generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from vocabulary import BACKGROUNDS, CODE_LEN, COLOURS, GROUNDS, MAX_THINGS, NOUNS, TEXTURES

Array = np.ndarray
Rng = np.random.Generator

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


@dataclass
class Canvas:
    """A picture being drawn: rgb (side, side, 3) in 0..1, with the pixel centres x, y (side, side)."""

    rgb: Array
    x: Array
    y: Array

    @property
    def side(self) -> int:
        return self.rgb.shape[0]


def new_canvas(side: int) -> Canvas:
    """A black canvas of side x side pixels."""
    centres = (np.arange(side, dtype=np.float32) + 0.5) / side
    y, x = np.meshgrid(centres, centres, indexing="ij")
    return Canvas(np.zeros((side, side, 3), np.float32), x, y)


def random_code(rng: Rng) -> list[int]:
    """A full scene code with two or three different things, nothing left unsaid."""
    code = [int(rng.integers(len(BACKGROUNDS))) + 1, int(rng.integers(len(GROUNDS))) + 1]
    for noun in rng.permutation(len(NOUNS))[: 2 if rng.random() < 0.6 else MAX_THINGS]:
        code += [int(noun) + 1, int(rng.integers(len(TEXTURES))) + 1, int(rng.integers(len(COLOURS))) + 1]
    return code + [0] * (CODE_LEN - len(code))


def leave_unsaid(code: list[int], rng: Rng) -> list[int]:
    """The code as a prompt would state it: some of background, ground, textures and colours dropped."""
    said = list(code)
    for place, chance in ((0, 0.08), (1, 0.15)):
        if rng.random() < chance:
            said[place] = 0
    for start in range(2, CODE_LEN, 3):
        if rng.random() < 0.2:
            said[start + 1] = 0
        if rng.random() < 0.35:
            said[start + 2] = 0
    return said


def render(code: list[int], rng: Rng, side: int) -> Array:
    """A full scene code -> picture (side, side, 3), float32 in 0..1."""
    canvas = new_canvas(side)
    horizon = float(rng.uniform(0.54, 0.64))
    draw_background(canvas, BACKGROUNDS[code[0] - 1], horizon, rng)
    things = [code[start : start + 3] for start in range(2, CODE_LEN, 3) if code[start]]
    columns = rng.permutation(len(things))
    placed = [place_thing(thing, int(column), len(things), horizon, rng) for thing, column in zip(things, columns)]
    behind = [thing for thing in placed if thing.noun == "mountain"]
    for thing in behind:
        draw_thing(canvas, thing, rng)
    draw_ground(canvas, GROUNDS[code[1] - 1], horizon, rng)
    for thing in sorted((t for t in placed if t not in behind), key=lambda t: t.base):
        draw_thing(canvas, thing, rng)
    return np.clip(canvas.rgb, 0.0, 1.0)


# ---- painting -------------------------------------------------------------------------------------------------------


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


# ---- textures -------------------------------------------------------------------------------------------------------


def crisp(wave: Array, sharpness: float = 3.0) -> Array:
    """A wave in -1..1 -> a two-tone weight in 0..1 with soft edges."""
    return np.clip(wave * sharpness * 0.5 + 0.5, 0.0, 1.0)


def rotated(canvas: Canvas, angle: float, rng: Rng) -> tuple[Array, Array]:
    """Coordinates turned by angle with a free phase."""
    u = canvas.x * np.cos(angle) + canvas.y * np.sin(angle) + rng.random()
    v = canvas.y * np.cos(angle) - canvas.x * np.sin(angle) + rng.random()
    return u.astype(np.float32), v.astype(np.float32)


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


# ---- background and ground ------------------------------------------------------------------------------------------


def gradient(canvas: Canvas, top: Array, bottom: Array, end: float) -> Array:
    """A vertical blend from top to bottom, reached at y = end."""
    return mix(top, bottom, np.clip(canvas.y / end, 0, 1))


def draw_background(canvas: Canvas, kind: str, horizon: float, rng: Rng) -> None:
    """Fills the canvas with a sky or a wall."""
    if kind.endswith("sky"):
        {"day sky": draw_day, "sunset sky": draw_sunset, "night sky": draw_night}[kind](canvas, horizon, rng)
        return
    first = jittered({"brick wall": (0.66, 0.36, 0.28), "striped wall": (0.93, 0.80, 0.62)}.get(kind, (0.55, 0.75, 0.72)), rng)
    second = jittered({"brick wall": (0.84, 0.78, 0.70), "striped wall": (0.80, 0.50, 0.46)}.get(kind, (0.93, 0.93, 0.85)), rng)
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
    canvas.rgb[:] = gradient(canvas, jittered((0.30, 0.56, 0.90), rng), jittered((0.78, 0.90, 0.97), rng, 0.03), horizon)
    for _ in range(int(rng.integers(1, 3))):
        cx, cy, size = rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.3), rng.uniform(0.045, 0.07)
        puffs = [disc(canvas, cx + k * 1.1 * size, cy + 0.25 * size * abs(k), size * (1.2 - 0.3 * abs(k)), size * 0.75) for k in (-1, 0, 1)]
        paint(canvas, inside(canvas, np.minimum.reduce(puffs)), np.array([0.98, 0.98, 0.99], np.float32))


def draw_sunset(canvas: Canvas, horizon: float, rng: Rng) -> None:
    """Purple above orange, with a low sun."""
    canvas.rgb[:] = gradient(canvas, jittered((0.36, 0.20, 0.48), rng), jittered((0.98, 0.60, 0.28), rng, 0.04), horizon)
    sun = disc(canvas, rng.uniform(0.1, 0.9), horizon - rng.uniform(0.0, 0.12), *[rng.uniform(0.07, 0.1)] * 2)
    paint(canvas, inside(canvas, sun), jittered((1.0, 0.88, 0.50), rng, 0.03))


def draw_night(canvas: Canvas, horizon: float, rng: Rng) -> None:
    """Dark blue with a moon and stars."""
    canvas.rgb[:] = gradient(canvas, jittered((0.05, 0.06, 0.17), rng, 0.03), jittered((0.18, 0.20, 0.42), rng, 0.04), horizon)
    pale = np.array([0.95, 0.94, 0.82], np.float32)
    for _ in range(10):
        star = disc(canvas, rng.random(), rng.uniform(0, 0.9 * horizon), *[rng.uniform(0.007, 0.011)] * 2)
        paint(canvas, inside(canvas, star), pale)
    paint(canvas, inside(canvas, disc(canvas, rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.25), *[rng.uniform(0.05, 0.07)] * 2)), pale)


def draw_ground(canvas: Canvas, kind: str, horizon: float, rng: Rng) -> None:
    """Fills everything below the horizon."""
    pairs = {
        "grass": ((0.30, 0.60, 0.20), (0.20, 0.46, 0.15)),
        "sand": ((0.90, 0.78, 0.52), (0.82, 0.68, 0.42)),
        "sea": ((0.14, 0.42, 0.66), (0.50, 0.76, 0.86)),
        "checkered floor": ((0.92, 0.90, 0.86), (0.30, 0.28, 0.32)),
        "wood floor": ((0.66, 0.44, 0.26), (0.42, 0.26, 0.14)),
        "snow": ((0.95, 0.96, 0.99), (0.80, 0.86, 0.95)),
    }
    first, second = (jittered(rgb, rng, 0.04) for rgb in pairs[kind])
    weight = ground_texture(canvas, kind, horizon, rng)
    paint(canvas, inside(canvas, horizon - canvas.y), mix(first, second, weight))


def ground_texture(canvas: Canvas, kind: str, horizon: float, rng: Rng) -> Array:
    """The two-tone weight of a ground, (side, side)."""
    depth = np.maximum(canvas.y - horizon, 0.0)
    phase, other = rng.uniform(0, 2 * np.pi, 2)
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


# ---- things ---------------------------------------------------------------------------------------------------------


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
    cx = (column + 0.5 + float(rng.uniform(-0.22, 0.22))) / columns
    base = horizon + float(rng.uniform(0.06, 0.30))
    if noun == "mountain":
        base = horizon + 0.02
    if noun == "balloon":
        base = float(rng.uniform(0.40, 0.52))
    size = float(rng.uniform(0.11, 0.15)) * (1.15 if columns == 2 else 1.0)
    first = jittered(RGB[COLOURS[code[2] - 1]], rng)
    target = DARK if COLOURS[code[2] - 1] in ("white", "yellow") else np.array([0.97, 0.95, 0.90], np.float32)
    second = first + 0.8 * (target - first)
    period = float(rng.uniform(0.06, 0.085))
    return Thing(noun, cx, base, size, TEXTURES[code[1] - 1], period, tuple(first.tolist()), tuple(second.tolist()))


def surface(canvas: Canvas, thing: Thing, rng: Rng) -> Array:
    """The thing's two-tone texture with a slight shade to the right, (side, side, 3)."""
    rgb = mix(np.float32(thing.second), np.float32(thing.first), texture(canvas, thing.kind, thing.period, rng))
    shade = np.clip(1.0 - 0.35 * np.clip((canvas.x - thing.cx) / thing.size, -0.2, 1.0), 0, 1.05)
    return rgb * shade[..., None]


def draw_thing(canvas: Canvas, thing: Thing, rng: Rng) -> None:
    """Draws one thing with its shadow."""
    if thing.noun not in ("mountain", "balloon"):
        shadow = disc(canvas, thing.cx + 0.02, thing.base, thing.size * 1.15, thing.size * 0.22)
        canvas.rgb *= 1.0 - 0.35 * inside(canvas, shadow)[..., None]
    painters[thing.noun](canvas, thing, surface(canvas, thing, rng))


def draw_ball(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """A ball resting on its base."""
    paint(canvas, inside(canvas, disc(canvas, t.cx, t.base - t.size, t.size, t.size)), rgb)


def draw_house(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """Walls in the thing's texture, a dark roof, a door and a window."""
    top = t.base - 1.5 * t.size
    paint(canvas, inside(canvas, box(canvas, t.cx - t.size, t.cx + t.size, top, t.base)), rgb)
    paint(canvas, inside(canvas, triangle(canvas, t.cx, 1.25 * t.size, top - 0.95 * t.size, top)), np.float32([0.36, 0.16, 0.14]))
    paint(canvas, inside(canvas, box(canvas, t.cx - 0.65 * t.size, t.cx - 0.15 * t.size, t.base - 0.85 * t.size, t.base)), DARK)
    window = box(canvas, t.cx + 0.15 * t.size, t.cx + 0.65 * t.size, t.base - 1.05 * t.size, t.base - 0.55 * t.size)
    paint(canvas, inside(canvas, window), np.float32([0.98, 0.93, 0.62]))


def draw_tree(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """A brown trunk and a crown of three discs."""
    paint(canvas, inside(canvas, box(canvas, t.cx - 0.17 * t.size, t.cx + 0.17 * t.size, t.base - 1.4 * t.size, t.base)), np.float32([0.36, 0.22, 0.12]))
    middle = t.base - 1.75 * t.size
    crown = [disc(canvas, t.cx + dx * t.size, middle + dy * t.size, 0.72 * t.size, 0.72 * t.size) for dx, dy in ((-0.5, 0.15), (0.5, 0.15), (0.0, -0.55))]
    paint(canvas, inside(canvas, np.minimum.reduce(crown)), rgb)


def draw_tower(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """A tall keep with battlements and a dark window."""
    half, top = 0.55 * t.size, t.base - 3.0 * t.size
    body = box(canvas, t.cx - half, t.cx + half, top, t.base)
    for k in (-1, 0, 1):
        body = np.minimum(body, box(canvas, t.cx + 0.95 * k * half - 0.28 * half, t.cx + 0.95 * k * half + 0.28 * half, top - 0.35 * t.size, top + 0.01))
    body = np.minimum(body, box(canvas, t.cx - 1.23 * half, t.cx + 1.23 * half, top, top + 0.3 * t.size))
    paint(canvas, inside(canvas, body), rgb)
    paint(canvas, inside(canvas, box(canvas, t.cx - 0.3 * half, t.cx + 0.3 * half, top + 0.7 * t.size, top + 1.2 * t.size)), DARK)


def draw_tent(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """A triangle with a dark opening."""
    top = t.base - 1.6 * t.size
    paint(canvas, inside(canvas, triangle(canvas, t.cx, 1.3 * t.size, top, t.base)), rgb)
    paint(canvas, inside(canvas, triangle(canvas, t.cx, 0.4 * t.size, t.base - 1.0 * t.size, t.base)), DARK)


def draw_mountain(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """A wide peak behind everything, with a snow cap."""
    top = t.base - 2.6 * t.size
    body = triangle(canvas, t.cx, 2.0 * t.size, top, t.base)
    paint(canvas, inside(canvas, body), 0.85 * rgb)
    paint(canvas, inside(canvas, np.maximum(body, canvas.y - top - 0.65 * t.size)), np.float32([0.97, 0.97, 0.99]))


def draw_boat(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """A brown hull, a mast and a sail in the thing's texture."""
    deck = t.base - 0.55 * t.size
    hull = np.maximum(np.abs(canvas.x - t.cx) - 1.25 * t.size + 0.9 * (canvas.y - deck), box(canvas, 0, 1, deck, t.base))
    paint(canvas, inside(canvas, hull), np.float32([0.40, 0.20, 0.12]))
    paint(canvas, inside(canvas, triangle(canvas, t.cx, 1.05 * t.size, deck - 2.1 * t.size, deck - 0.2 * t.size)), rgb)
    paint(canvas, inside(canvas, box(canvas, t.cx - 0.05 * t.size, t.cx + 0.05 * t.size, deck - 2.2 * t.size, deck)), DARK)


def draw_balloon(canvas: Canvas, t: Thing, rgb: Array) -> None:
    """A hot-air balloon with its basket."""
    middle = t.base - 1.9 * t.size
    neck = triangle(Canvas(canvas.rgb, canvas.x, 2 * middle - canvas.y), t.cx, 0.95 * t.size, middle - 1.45 * t.size, middle - 0.25 * t.size)
    paint(canvas, inside(canvas, np.minimum(disc(canvas, t.cx, middle, t.size, t.size), neck)), rgb)
    paint(canvas, inside(canvas, box(canvas, t.cx - 0.26 * t.size, t.cx + 0.26 * t.size, t.base - 0.5 * t.size, t.base)), np.float32([0.42, 0.26, 0.13]))


painters = {
    "ball": draw_ball,
    "house": draw_house,
    "tree": draw_tree,
    "tower": draw_tower,
    "tent": draw_tent,
    "mountain": draw_mountain,
    "boat": draw_boat,
    "balloon": draw_balloon,
}
