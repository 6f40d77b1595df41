"""Procedural scenes: flat or patterned backgrounds, a ground, two large textured things.

Coordinates are in units of the picture's side, x to the right, y down. A scene's code (nodes/vocabulary.py) fixes what
is drawn; places, sizes, phases, angles and colour jitter come from the random generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from backdrops import draw_background, draw_ground
from canvas import Array, Rng, new_canvas
from nodes.vocabulary import BACKGROUNDS, CODE_LEN, COLOURS, GROUNDS, MAX_THINGS, NOUNS, TEXTURES
from things import draw_thing, place_thing


def random_code(rng: Rng) -> list[int]:
    """A full scene code with two different things, nothing left unsaid."""
    code = [int(rng.integers(len(BACKGROUNDS))) + 1, int(rng.integers(len(GROUNDS))) + 1]
    for noun in rng.permutation(len(NOUNS))[:MAX_THINGS]:
        texture = 0 if rng.random() < 0.25 else int(rng.integers(len(TEXTURES)))
        code += [int(noun) + 1, texture + 1, int(rng.integers(len(COLOURS))) + 1]
    return code


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


@dataclass(frozen=True)
class Streams:
    """The random numbers of a scene's parts; one and the same generator for all, or one each, so that a part can change
    and the rest stay. `layout` also draws the things."""

    layout: Rng
    background: Rng
    ground: Rng


def render(code: list[int], rng: Rng, side: int) -> Array:
    """A full scene code -> picture (side, side, 3), float32 in 0..1."""
    return draw(code, Streams(rng, rng, rng), side)


def draw(code: list[int], streams: Streams, side: int) -> Array:
    """The same from random numbers of each part's own."""
    canvas, rng = new_canvas(side), streams.layout
    horizon = float(rng.uniform(0.54, 0.64))
    draw_background(canvas, BACKGROUNDS[code[0] - 1], horizon, streams.background)
    things = [code[start : start + 3] for start in range(2, CODE_LEN, 3) if code[start]]
    columns = rng.permutation(len(things))
    placed = [
        place_thing(thing, int(column), len(things), horizon, rng)
        for thing, column in zip(things, columns, strict=True)
    ]
    draw_ground(canvas, GROUNDS[code[1] - 1], horizon, streams.ground)
    for thing in sorted(placed, key=lambda t: t.base):
        draw_thing(canvas, thing, rng)
    return np.clip(canvas.rgb, 0.0, 1.0)
