"""Pairs of scenes that differ in one thing, as latents: the ground that the edit models are trained and measured on.

python demo/edits.py --part 0 --count 6000      # training pairs; part 1: 8000
python demo/edits.py --held-out 64              # the first pairs of those that no model was trained on
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from canvas import Array, Rng
from latents import CHANNELS, PATCH, TRAIN_DIR, Basis, load_basis, project
from nodes.vocabulary import BACKGROUNDS, CODE_LEN, COLOURS, GROUNDS, NOUNS
from safetensors.numpy import save_file
from scenes import Streams, draw, leave_unsaid, random_code

SIDE = 128
NUM_PICTURES = 4
"""Of one pair: before, after, and two more scenes that carry what the edit brings in."""
COLOUR_EDITS = 0.5
"""The rest is half backgrounds, half grounds."""
HELD_OUT_FILE = "edits.held_out.safetensors"
TRAINING, HELD_OUT = 1, 2
"""First number of a pair's seed: no pair of one is in the other."""


@dataclass(frozen=True)
class Edit:
    """Scene codes before and after, the place in the code that changes, and the seeds of layout, background, ground."""

    before: list[int]
    after: list[int]
    place: int
    seeds: tuple[int, int, int]


def random_edit(rng: Rng) -> Edit:
    """Another colour of one thing, another background or another ground."""
    before = random_code(rng)
    if rng.random() < COLOUR_EDITS:
        place, count = int(rng.choice(np.arange(4, CODE_LEN, 3))), len(COLOURS)
    else:
        place = int(rng.integers(2))
        count = (len(BACKGROUNDS), len(GROUNDS))[place]
    after = list(before)
    after[place] = (before[place] - 1 + int(rng.integers(1, count))) % count + 1
    return Edit(before, after, place, tuple(int(seed) for seed in rng.integers(2**31, size=3)))


def draw_seeded(code: list[int], seeds: tuple[int, int, int]) -> Array:
    """A scene whose parts have random numbers of their own, (SIDE, SIDE, 3)."""
    return draw(code, Streams(*(np.random.default_rng(seed) for seed in seeds)), SIDE)


def carrier(edit: Edit, rng: Rng) -> Array:
    """Another scene with what the edit brings in: its background or ground with the very same clouds or waves, or a
    thing of the same kind in the new colour."""
    code, seeds = random_code(rng), [int(seed) for seed in rng.integers(2**31, size=3)]
    if edit.place < 2:
        code[edit.place] = edit.after[edit.place]
        seeds[1 + edit.place] = edit.seeds[1 + edit.place]
        return draw_seeded(code, tuple(seeds))
    noun, own = edit.after[edit.place - 2], edit.place - 2
    code[own], code[edit.place] = noun, edit.after[edit.place]
    other = 2 if own == 5 else 5
    if code[other] == noun:
        code[other] = noun % len(NOUNS) + 1
    return draw_seeded(code, tuple(seeds))


def pictures_of(edit: Edit, rng: Rng) -> list[Array]:
    """Before, after, and two carriers, each (SIDE, SIDE, 3)."""
    pair = [draw_seeded(code, edit.seeds) for code in (edit.before, edit.after)]
    return pair + [carrier(edit, rng) for _ in range(NUM_PICTURES - 2)]


def said_codes(edit: Edit, rng: Rng) -> list[list[int]]:
    """What the prompts say of the picture after, and of the one before (for the edit turned round): some is left
    unsaid as in `latents.py`, never what changes."""
    said = []
    for code in (edit.after, edit.before):
        partial = leave_unsaid(code, rng)
        partial[edit.place] = code[edit.place]
        said.append(partial)
    return said


def pair_of(split: int, number: int) -> tuple[Edit, list[Array], list[list[int]]]:
    """Pair `number` of TRAINING or HELD_OUT: the edit, its pictures, what is said of after and before."""
    rng = np.random.default_rng([split, number])
    edit = random_edit(rng)
    return edit, pictures_of(edit, rng), said_codes(edit, rng)


def latents_of(pictures: list[Array], basis: Basis) -> Array:
    """-> (pictures, CHANNELS, SIDE / 8, SIDE / 8), model space."""
    return np.stack([project(picture, basis) for picture in pictures])


def open_part(folder: Path, part: int, count: int, mode: str) -> tuple[np.memmap, np.memmap, np.memmap]:
    """Memory maps of one part: latents (count, NUM_PICTURES, 16, 16, 16) fp16, said codes (count, 2, CODE_LEN) and
    changed places (count,) int8."""
    grid = SIDE // PATCH
    shape = (count, NUM_PICTURES, CHANNELS, grid, grid)
    latents = np.memmap(folder / f"edits.{part}.f16", np.float16, mode, shape=shape)
    codes = np.memmap(folder / f"edits.{part}.codes.i8", np.int8, mode, shape=(count, 2, CODE_LEN))
    places = np.memmap(folder / f"edits.{part}.places.i8", np.int8, mode, shape=(count,))
    return latents, codes, places


def write_part(folder: Path, part: int, count: int) -> None:
    """Draws `count` training pairs into one part."""
    folder.mkdir(parents=True, exist_ok=True)
    basis = load_basis()
    latents, codes, places = open_part(folder, part, count, "w+")
    for index in range(count):
        edit, pictures, said = pair_of(TRAINING, part * 1_000_000 + index)
        latents[index] = latents_of(pictures, basis)
        codes[index], places[index] = said, edit.place
    (folder / f"edits.{part}.json").write_text(json.dumps({"count": count}))


def load_parts(folder: Path) -> tuple[Array, Array, Array]:
    """All finished parts, in memory: latents, said codes, changed places."""
    notes = sorted(folder.glob("edits.*.json"))
    if not notes:
        raise FileNotFoundError(f"No pairs in {folder}: run `python demo/edits.py` first.")
    parts = [open_part(folder, int(n.name.split(".")[1]), json.loads(n.read_text())["count"], "r") for n in notes]
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def write_held_out(folder: Path, count: int) -> None:
    """The first `count` held-out pairs in one file: latents (count, NUM_PICTURES, 16, 16, 16), said codes of after and
    before (count, 2, CODE_LEN), changed places (count,)."""
    folder.mkdir(parents=True, exist_ok=True)
    basis = load_basis()
    pairs = [pair_of(HELD_OUT, number) for number in range(count)]
    # contiguous: safetensors writes the memory as it lies
    latents = np.ascontiguousarray([latents_of(pictures, basis) for _, pictures, _ in pairs], np.float32)
    codes, places = np.array([said for *_, said in pairs]), np.array([edit.place for edit, *_ in pairs])
    save_file({"latents": latents, "codes": codes, "places": places}, str(folder / HELD_OUT_FILE))


def main() -> None:
    """Command line: draws one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", type=int, default=0, help="part number, also the random seed")
    parser.add_argument("--count", type=int, default=6000, help="pairs in this part")
    parser.add_argument("--held-out", type=int, default=0, metavar="PAIRS", help="draw held-out pairs instead")
    args = parser.parse_args()
    if args.held_out:
        write_held_out(TRAIN_DIR, args.held_out)
    else:
        write_part(TRAIN_DIR, args.part, args.count)


if __name__ == "__main__":
    main()
