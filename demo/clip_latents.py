"""Data sets of clip latents: as latents.py for pictures, with an axis of time.

One latent frame stands for four pixel frames (the first for one alone), and holds the last of them: projected like a
picture, so that a picture is a clip of one frame and only nine of 33 frames need drawing. What lies between two latent
frames is left to the decoder, which sees both.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from clips import LATENT_FRAMES, leave_unsaid, random_clip_code, render_clip
from latents import CHANNELS, PATCH, TRAIN_DIR, Basis, fit_basis, patches_of, project
from nodes.clip_vocabulary import CLIP_CODE_LEN

GROWTH = 0.25
"""A steeper fall of the channels' sizes than for pictures: what is large in a frame is learnt first."""


def load_clip_basis(folder: Path = TRAIN_DIR) -> Basis:
    """Reads the basis of clips, fitting it first if needed."""
    path = folder / "clip_basis.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(7)
        frames = [render_clip(random_clip_code(rng), rng, side, [rng.uniform(0, 8)])[0] for side in (128, 256) * 300]
        patches = [patches_of(frame).reshape(-1, PATCH * PATCH * 3)[:: frame.shape[0] // 64] for frame in frames]
        np.savez(path, **vars(fit_basis(np.concatenate(patches), GROWTH)))
    stored = np.load(path)
    return Basis(**{name: stored[name] for name in ("mean", "axes", "back", "gain")})


def clip_latent(frames: np.ndarray, basis: Basis) -> np.ndarray:
    """Frames (T, H, W, 3) at the times of latent frames -> model-space latent (16, T, H/8, W/8)."""
    return np.stack([project(frame, basis) for frame in frames], axis=1)


def open_clips(folder: Path, side: int, part: int, count: int, mode: str) -> tuple[np.memmap, np.memmap]:
    """Memory maps: latents (count, 16, LATENT_FRAMES, side/8, side/8) fp16, said codes (count, CLIP_CODE_LEN) int8."""
    shape = (count, CHANNELS, LATENT_FRAMES, side // PATCH, side // PATCH)
    latents = np.memmap(folder / f"clips{side}.{part}.f16", np.float16, mode, shape=shape)
    codes = np.memmap(folder / f"clip_codes{side}.{part}.i8", np.int8, mode, shape=(count, CLIP_CODE_LEN))
    return latents, codes


def write_clips(folder: Path, side: int, part: int, count: int) -> None:
    """Draws count clips into one part."""
    basis = load_clip_basis(folder)
    rng = np.random.default_rng([side, part, LATENT_FRAMES])
    latents, codes = open_clips(folder, side, part, count, "w+")
    for index in range(count):
        code = random_clip_code(rng)
        latents[index] = clip_latent(render_clip(code, rng, side, range(LATENT_FRAMES)), basis)
        codes[index] = leave_unsaid(code, rng)
    (folder / f"clip_part{side}.{part}.json").write_text(json.dumps({"count": count}))


def load_clips(folder: Path, side: int) -> list[tuple[np.memmap, np.memmap]]:
    """All finished parts of one size, left on disk."""
    pairs = []
    for note in sorted(folder.glob(f"clip_part{side}.*.json")):
        part = int(note.name.split(".")[1])
        pairs.append(open_clips(folder, side, part, json.loads(note.read_text())["count"], "r"))
    if not pairs:
        raise FileNotFoundError(f"No {side} px clips in {folder}: run `demo/clip_latents.py --side {side}` first.")
    return pairs


def main() -> None:
    """Command line: draws one part of the data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=128, choices=(128, 256))
    parser.add_argument("--part", type=int, default=0, help="part number, also the random seed")
    parser.add_argument("--count", type=int, default=4000, help="clips in this part")
    args = parser.parse_args()
    write_clips(TRAIN_DIR, args.side, args.part, args.count)


if __name__ == "__main__":
    main()
