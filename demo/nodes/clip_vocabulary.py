"""The words of a clip's prompt: those of a picture, how each thing moves, and what the camera does."""

from __future__ import annotations

from .vocabulary import BACKGROUNDS, GROUNDS, MAX_THINGS, parse_thing, prompt_of

MOTIONS = ("still", "moving left", "moving right", "bouncing", "growing")
CAMERAS = ("still camera", "pan left", "pan right")
THING_LEN = 4
CLIP_CODE_LEN = 3 + THING_LEN * MAX_THINGS
"""A clip code: background, ground, camera, then (noun, texture, colour, motion) per thing; 0 is "not said"."""


def parse_clip_prompt(text: str) -> list[int]:
    """Comma-separated phrases -> a clip code of CLIP_CODE_LEN ints; empty text -> all zeros (unconditional)."""
    code = [0] * CLIP_CODE_LEN
    things = []
    for phrase in (part.strip().lower() for part in text.split(",")):
        place = next((k for k, words in enumerate((BACKGROUNDS, GROUNDS, CAMERAS)) if phrase in words), None)
        if place is not None:
            code[place] = (BACKGROUNDS, GROUNDS, CAMERAS)[place].index(phrase) + 1
        elif phrase:
            things.append(parse_moving_thing(phrase))
    if len(things) > MAX_THINGS:
        raise ValueError(f"The demo model draws at most {MAX_THINGS} objects; this prompt names {len(things)}.")
    flat = [number for thing in things for number in thing]
    return code[:3] + flat + code[3 + len(flat) :]


def parse_moving_thing(phrase: str) -> list[int]:
    """'red ball moving left' -> [noun, texture, colour, motion] numbers; ValueError names an unknown word."""
    for number, motion in enumerate(MOTIONS, start=1):
        if phrase.endswith(f" {motion}"):
            return [*parse_clip_thing(phrase.removesuffix(motion).strip()), number]
    return [*parse_clip_thing(phrase), 0]


def parse_clip_thing(phrase: str) -> list[int]:
    """A thing without its motion; ValueError lists the motions as well."""
    try:
        return parse_thing(phrase)
    except ValueError as error:
        raise ValueError(f"{error} In a clip a thing may end with {', '.join(MOTIONS)}.") from error


def clip_prompt_of(code: list[int]) -> str:
    """A clip code -> its prompt (the inverse of parse_clip_prompt)."""
    phrases = []
    for start in range(3, CLIP_CODE_LEN, THING_LEN):
        noun, texture, colour, motion = code[start : start + THING_LEN]
        if noun:
            still = prompt_of([0, 0, noun, texture, colour] + [0] * (3 * MAX_THINGS - 3))
            phrases.append(f"{still} {MOTIONS[motion - 1]}" if motion else still)
    phrases += [words[n - 1] for words, n in zip((BACKGROUNDS, GROUNDS, CAMERAS), code, strict=False) if n]
    return ", ".join(phrases)
