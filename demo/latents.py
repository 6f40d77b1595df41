"""The latent space: a fixed linear projection (PCA) of 8 x 8 RGB patches to 16 channels, and data sets of such latents.

Fixing the latents first lets the flux model and the VAE be trained independently of each other.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nodes.vocabulary import CODE_LEN
from safetensors.numpy import load_file
from scenes import leave_unsaid, random_code, render

PATCH = 8
CHANNELS = 16
TRAIN_DIR = Path(__file__).resolve().parents[1] / "build" / "train" / "demo"
BASIS_PATH = Path(__file__).resolve().parent / "models" / "jano_tiny_latents.safetensors"


@dataclass(frozen=True)
class Basis:
    """mean (192,), axes (192, 16) to unit-variance coefficients, back (16, 192), gain (16,) applied after asinh."""

    mean: np.ndarray
    axes: np.ndarray
    back: np.ndarray
    gain: np.ndarray


def patches_of(picture: np.ndarray) -> np.ndarray:
    """Picture (H, W, 3) -> patches (H/8, W/8, 192)."""
    rows, columns = picture.shape[0] // PATCH, picture.shape[1] // PATCH
    split = picture.reshape(rows, PATCH, columns, PATCH, 3)
    return split.transpose(0, 2, 1, 3, 4).reshape(rows, columns, PATCH * PATCH * 3)


def fit_basis(patches: np.ndarray, growth: float = 1 / 6) -> Basis:
    """Patches (N, 192) -> the basis; a channel's size grows only slowly with its variance, so that none is drowned."""
    mean = patches.mean(0)
    values, vectors = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
    values, vectors = values[::-1][:CHANNELS], vectors[:, ::-1][:, :CHANNELS]
    axes, back = vectors / np.sqrt(values), (vectors * np.sqrt(values)).T
    gain = values**growth
    size = np.arcsinh((patches - mean) @ axes) * gain
    gain = gain / np.sqrt(np.mean(size**2))
    return Basis(*(array.astype(np.float32) for array in (mean, axes, back, gain)))


def project(picture: np.ndarray, basis: Basis) -> np.ndarray:
    """Picture (H, W, 3) in 0..1 -> model-space latent (16, H/8, W/8); asinh tames the heavy tails of edges."""
    return (np.arcsinh((patches_of(picture) - basis.mean) @ basis.axes) * basis.gain).transpose(2, 0, 1)


def unproject(latent: np.ndarray, basis: Basis) -> np.ndarray:
    """Latent (16, h, w) -> the patch-wise reconstruction (8h, 8w, 3)."""
    channels, rows, columns = latent.shape
    flat = np.sinh(latent.transpose(1, 2, 0).reshape(-1, channels) / basis.gain) @ basis.back + basis.mean
    split = flat.reshape(rows, columns, PATCH, PATCH, 3).transpose(0, 2, 1, 3, 4)
    return np.clip(split.reshape(rows * PATCH, columns * PATCH, 3), 0, 1)


def load_basis() -> Basis:
    """The basis that the tiny Flux and its VAE were trained with. It is kept: the scenes that it was fitted to, of
    eight kinds of things, are no longer drawn (commit d04ca53 still does), and of today's another one comes out."""
    return Basis(**load_file(str(BASIS_PATH)))


def open_part(folder: Path, side: int, part: int, count: int, mode: str) -> tuple[np.memmap, np.memmap]:
    """Memory maps of one part: latents (count, 16, side/8, side/8) fp16 and said codes (count, CODE_LEN) int8."""
    grid = side // PATCH
    latents = np.memmap(folder / f"latents{side}.{part}.f16", np.float16, mode, shape=(count, CHANNELS, grid, grid))
    codes = np.memmap(folder / f"codes{side}.{part}.i8", np.int8, mode, shape=(count, CODE_LEN))
    return latents, codes


def write_part(folder: Path, side: int, part: int, count: int) -> None:
    """Draws count scenes into one part."""
    basis = load_basis()
    rng = np.random.default_rng([side, part])
    latents, codes = open_part(folder, side, part, count, "w+")
    for index in range(count):
        code = random_code(rng)
        latents[index] = project(render(code, rng, side), basis)
        codes[index] = leave_unsaid(code, rng)
    (folder / f"part{side}.{part}.json").write_text(json.dumps({"count": count}))


def load_parts(folder: Path, side: int) -> tuple[np.ndarray, np.ndarray]:
    """All finished parts of one size, in memory: latents (N, 16, g, g) fp16, codes (N, CODE_LEN) int8."""
    pairs = []
    for note in sorted(folder.glob(f"part{side}.*.json")):
        part = int(note.name.split(".")[1])
        pairs.append(open_part(folder, side, part, json.loads(note.read_text())["count"], "r"))
    if not pairs:
        raise FileNotFoundError(f"No {side} px scenes in {folder}: run `python demo/latents.py --side {side}` first.")
    return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])


def main() -> None:
    """Command line: draws one part of the data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=256, choices=(128, 256, 512))
    parser.add_argument("--part", type=int, default=0, help="part number, also the random seed")
    parser.add_argument("--count", type=int, default=4000, help="scenes in this part")
    args = parser.parse_args()
    write_part(TRAIN_DIR, args.side, args.part, args.count)


if __name__ == "__main__":
    main()
