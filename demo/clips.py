"""Procedural clips: a still background and ground, one or two large textured things of which most move, now and then
a camera that pans.

Coordinates as in scenes.py. Time is counted in latent frames, 0 to LAST; four pixel frames lie between two of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from backdrops import draw_background, draw_ground
from canvas import Array, Canvas, Rng
from nodes.clip_vocabulary import CAMERAS, CLIP_CODE_LEN, MOTIONS, THING_LEN
from nodes.vocabulary import BACKGROUNDS, COLOURS, GROUNDS, MAX_THINGS, NOUNS, TEXTURES
from things import Thing, around, draw_shadow, painters, place_thing, surface

LATENT_FRAMES = 9
LAST = LATENT_FRAMES - 1
FRAMES_APART = 4
STILL = MOTIONS.index("still") + 1


@dataclass(frozen=True)
class Actor:
    """A thing with the seed of its texture, its motion, how far that goes, and where in a bounce it begins."""

    thing: Thing
    seed: int
    motion: str
    reach: float
    phase: float


@dataclass(frozen=True)
class Stage:
    """The backdrop (side, width, 3) with its pixel coordinates, and the first column seen at time 0 and at LAST."""

    backdrop: Canvas
    first: float
    last: float


def random_clip_code(rng: Rng) -> list[int]:
    """A full clip code: one or two different things; in nine clips of ten something moves, in one of six the camera."""
    camera = int(rng.integers(2, len(CAMERAS) + 1)) if rng.random() < 1 / 6 else 1
    code = [int(rng.integers(len(BACKGROUNDS))) + 1, int(rng.integers(len(GROUNDS))) + 1, camera]
    all_still = rng.random() < 0.1
    for place, noun in enumerate(rng.permutation(len(NOUNS))[: 1 if rng.random() < 0.4 else MAX_THINGS]):
        texture = 0 if rng.random() < 0.35 else int(rng.integers(len(TEXTURES)))
        moves = not all_still and (place == 0 or rng.random() < 0.35)
        # two that slide would hide each other: the second one bounces or grows
        motion = int(rng.integers(2 if place == 0 else 4, len(MOTIONS) + 1)) if moves else STILL
        code += [int(noun) + 1, texture + 1, int(rng.integers(len(COLOURS))) + 1, motion]
    return code + [0] * (CLIP_CODE_LEN - len(code))


def leave_unsaid(code: list[int], rng: Rng) -> list[int]:
    """The code as a prompt would state it: a still camera and some of the rest are not said."""
    said = list(code)
    chances = [0.08, 0.12, 0.5 if said[2] == 1 else 0.0] + [0.0, 0.2, 0.25, 0.1] * MAX_THINGS
    return [0 if rng.random() < chance else number for number, chance in zip(said, chances, strict=True)]


def render_clip(code: list[int], rng: Rng, side: int, times: Sequence[float]) -> Array:
    """A full clip code at these times -> frames (len(times), side, side, 3), float32 in 0..1.

    The random numbers drawn do not depend on side or times: the same generator state gives the same clip.
    """
    horizon = float(rng.uniform(0.54, 0.64))
    stage_seed, *actor_seeds = rng.integers(2**31, size=1 + MAX_THINGS).tolist()
    stage = build_stage(code, np.random.default_rng(stage_seed), side, horizon)
    cast = cast_actors(code, actor_seeds, horizon)
    return np.stack([draw_frame(stage, cast, side, time) for time in times])


def build_stage(code: list[int], rng: Rng, side: int, horizon: float) -> Stage:
    """Draws what stands still, as wide as the camera will see."""
    way = float(rng.uniform(0.25, 0.4)) if code[2] > 1 else 0.0
    first, last = (way, 0.0) if CAMERAS[code[2] - 1] == "pan left" else (0.0, way)
    width = side + int(np.ceil(way * side))
    x, y = np.meshgrid((np.arange(width) + 0.5) / side - way / 2, (np.arange(side) + 0.5) / side)
    canvas = Canvas(np.zeros((side, width, 3), np.float32), x.astype(np.float32), y.astype(np.float32), side)
    draw_background(canvas, BACKGROUNDS[code[0] - 1], horizon, rng)
    draw_ground(canvas, GROUNDS[code[1] - 1], horizon, rng)
    return Stage(canvas, first * side, last * side)


def cast_actors(code: list[int], seeds: list[int], horizon: float) -> list[Actor]:
    """The things of a clip, those further behind first."""
    numbers = [code[start : start + THING_LEN] for start in range(3, CLIP_CODE_LEN, THING_LEN) if code[start]]
    first = seeds[0] % 2
    actors = []
    for place, (thing_code, seed) in enumerate(zip(numbers, seeds, strict=False)):
        rng = np.random.default_rng(seed)
        column = (place + first) % len(numbers)
        actors.append(cast_actor(thing_code, seed, place_thing(thing_code, column, len(numbers), horizon, rng), rng))
    return sorted(actors, key=lambda actor: actor.thing.base)


def cast_actor(code: list[int], seed: int, thing: Thing, rng: Rng) -> Actor:
    """Makes a thing of a picture larger and gives it its motion."""
    motion = MOTIONS[code[3] - 1]
    size, cx = float(rng.uniform(0.19, 0.25)) * (0.8 if thing.noun == "tower" else 1.0), thing.cx
    reach = float(rng.uniform(0.40, 0.60))
    if motion.startswith("moving"):
        middle = float(rng.uniform(0.4, 0.6))
        cx = middle - reach / 2 if motion == "moving right" else middle + reach / 2
    if motion == "bouncing":
        reach = float(rng.uniform(0.16, 0.26))
    if motion == "growing":
        size, reach = 0.62 * size, float(rng.uniform(0.6, 1.0))
    thing = dataclasses.replace(thing, size=size, cx=cx, period=0.5 * size * float(rng.uniform(0.9, 1.2)))
    return Actor(thing, seed, motion, reach, float(rng.random()))


def place_at(actor: Actor, time: float) -> tuple[float, float, float]:
    """How far the actor has moved right and up since time 0, and how much larger it has grown."""
    share = time / LAST
    if actor.motion == "moving right":
        return actor.reach * share, 0.0, 1.0
    if actor.motion == "moving left":
        return -actor.reach * share, 0.0, 1.0
    if actor.motion == "bouncing":
        return 0.0, actor.reach * abs(float(np.sin(np.pi * (1.5 * share + actor.phase)))), 1.0
    return 0.0, 0.0, 1.0 + (actor.reach * share if actor.motion == "growing" else 0.0)


def draw_frame(stage: Stage, cast: list[Actor], side: int, time: float) -> Array:
    """One frame (side, side, 3)."""
    start = round(stage.first + (stage.last - stage.first) * time / LAST)
    view = stage.backdrop
    seen = (slice(None), slice(start, start + side))
    canvas = Canvas(view.rgb[seen].copy(), view.x[seen], view.y[seen], side)
    for actor in cast:
        right, up, grown = place_at(actor, time)
        draw_shadow(around(moved(canvas, actor.thing, right, 0.0, grown), actor.thing), actor.thing)
        part = around(moved(canvas, actor.thing, right, up, grown), actor.thing)
        texture_rng = np.random.default_rng(actor.seed)
        painters[actor.thing.noun](part, actor.thing, surface(part, actor.thing, texture_rng))
    return np.clip(canvas.rgb, 0.0, 1.0)


def moved(canvas: Canvas, thing: Thing, right: float, up: float, grown: float) -> Canvas:
    """The canvas in coordinates in which the thing stays at its place and size: texture moves with it."""
    x = thing.cx + (canvas.x - thing.cx - right) / grown
    y = thing.base + (canvas.y - thing.base + up) / grown
    return Canvas(canvas.rgb, x, y, round(canvas.side * grown))
