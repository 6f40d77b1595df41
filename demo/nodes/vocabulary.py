"""The words a demo prompt may use, and how a prompt becomes word numbers."""

from __future__ import annotations

BACKGROUNDS = ("day sky", "sunset sky", "night sky", "brick wall", "striped wall", "dotted wall")
GROUNDS = ("grass", "sand", "sea", "checkered floor", "wood floor", "snow")
NOUNS = ("ball", "house", "tree", "tower", "tent")
TEXTURES = ("plain", "striped", "checked", "dotted", "brick", "wavy")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white")

MAX_THINGS = 2
CODE_LEN = 2 + 3 * MAX_THINGS
"""A scene code: background, ground, then (noun, texture, colour) per thing; 0 means "not said", else index + 1."""


def parse_prompt(text: str) -> list[int]:
    """Comma-separated phrases -> a scene code of CODE_LEN ints; empty text -> all zeros (the unconditional prompt)."""
    code = [0] * CODE_LEN
    things = 0
    for phrase in (part.strip().lower() for part in text.split(",")):
        if not phrase:
            continue
        if phrase in BACKGROUNDS:
            code[0] = BACKGROUNDS.index(phrase) + 1
        elif phrase in GROUNDS:
            code[1] = GROUNDS.index(phrase) + 1
        elif things < MAX_THINGS:
            code[2 + 3 * things : 5 + 3 * things] = parse_thing(phrase)
            things += 1
        else:
            raise ValueError(f"The demo model draws at most {MAX_THINGS} objects; '{phrase}' is one too many.")
    return code


def parse_thing(phrase: str) -> list[int]:
    """'red striped ball' -> [noun, texture, colour] numbers; ValueError names a word outside the vocabulary."""
    *adjectives, noun = phrase.split()
    if noun not in NOUNS:
        raise ValueError(unknown_words(phrase))
    numbers = [NOUNS.index(noun) + 1, 0, 0]
    for word in adjectives:
        if word in TEXTURES:
            numbers[1] = TEXTURES.index(word) + 1
        elif word in COLOURS:
            numbers[2] = COLOURS.index(word) + 1
        else:
            raise ValueError(unknown_words(word))
    return numbers


def unknown_words(word: str) -> str:
    """One sentence naming the word that is not in the vocabulary and everything that is."""
    return (
        f"The demo model does not know '{word}'; it draws up to {MAX_THINGS} of {', '.join(NOUNS)}, each optionally "
        f"{', '.join(COLOURS)} and {', '.join(TEXTURES)}, before {', '.join(BACKGROUNDS)}, on {', '.join(GROUNDS)}."
    )


def prompt_of(code: list[int]) -> str:
    """A scene code -> its prompt (the inverse of parse_prompt)."""
    phrases = []
    for start in range(2, CODE_LEN, 3):
        noun, texture, colour = code[start : start + 3]
        if noun:
            words = [COLOURS[colour - 1] if colour else "", TEXTURES[texture - 1] if texture else "", NOUNS[noun - 1]]
            phrases.append(" ".join(word for word in words if word))
    if code[0]:
        phrases.append(BACKGROUNDS[code[0] - 1])
    if code[1]:
        phrases.append(GROUNDS[code[1] - 1])
    return ", ".join(phrases)
