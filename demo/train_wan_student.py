"""Makes the tiny Wan's fast decoder: its VAE's decoder compressed and trained (flash_vaed) on drawn clips.

    OMP_NUM_THREADS=1 python demo/train_wan_student.py

An interrupted run goes on where it was. The file must not be there yet: move the old one away first.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch
from latents import TRAIN_DIR
from safetensors.torch import load_file
from student_clips import draw_frames, encode, load_encoder
from train_step import append_line
from train_wan_vae import VAE_PATH

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from flash_vaed.compress import Recipe  # noqa: E402
from flash_vaed.distill import Plan  # noqa: E402
from flash_vaed.lessons import Size  # noqa: E402
from flash_vaed.make import Order, make_student  # noqa: E402
from flash_vaed.teachers import teacher_from  # noqa: E402

STUDENT_PATH = VAE_PATH.with_name("jano_tiny_wan_fast_decoder.safetensors")
RECIPE = Recipe(ratio=(0.25, 0.5))
PLAN = Plan(steps=(400, 200, 1200), rate=1e-3, batch=2, size=Size(side=8, frames=3), round_steps=128)
LINE_EVERY = 20


def tell(step: int, steps: int, what: str, loss: float | None) -> None:
    """A line in the log now and then."""
    if loss is None or step % LINE_EVERY == 0:
        told = "" if loss is None else f" loss {loss:.4f}"
        append_line(TRAIN_DIR / "wan_student.log", f"{time.time():.0f} {step}/{steps} {what}{told}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=256)
    parser.add_argument("--out", type=Path, default=STUDENT_PATH)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    TRAIN_DIR.mkdir(parents=True, exist_ok=True)
    state = load_file(VAE_PATH)
    encoder = load_encoder(state)
    clips = [encode(encoder, frames) for frames in draw_frames(args.clips, seed=11)]
    make_student(teacher_from(state), clips, Order(args.out, RECIPE, PLAN), torch.device(args.device), tell=tell)


if __name__ == "__main__":
    main()
