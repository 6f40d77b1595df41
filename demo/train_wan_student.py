"""Makes the tiny Wan's fast decoder: its VAE's decoder compressed and distilled (flash_vaed) on drawn clips.

    OMP_NUM_THREADS=1 python demo/train_wan_student.py

An interrupted run goes on where it was. The file must not be there yet: move the old one away first.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from clips import FRAMES_APART, LAST, random_clip_code, render_clip
from latents import CHANNELS, TRAIN_DIR
from safetensors.torch import load_file
from torch import Tensor
from train_step import append_line
from train_wan_vae import MEAN, STD, VAE_PATH
from wan_vae_twin import Encoder

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from flash_vaed.compress import Recipe  # noqa: E402
from flash_vaed.distill import Plan  # noqa: E402
from flash_vaed.lessons import Size  # noqa: E402
from flash_vaed.make import Order, make_student  # noqa: E402

STUDENT_PATH = VAE_PATH.with_name("jano_tiny_wan_fast_decoder.safetensors")
RECIPE = Recipe(ratio=(0.25, 0.5))
PLAN = Plan(steps=(400, 300, 900), rate=1e-3, batch=4, size=Size(side=8, frames=4))
SIDE, LATENTS = 128, 5
LINE_EVERY = 20


def draw_frames(count: int, seed: int, side: int = SIDE, latents: int = LATENTS) -> Tensor:
    """Clips (count, 4 * latents - 3, side, side, 3) uint8, each beginning somewhere in a full clip."""
    rng = np.random.default_rng(seed)
    clips = []
    for _ in range(count):
        times = rng.uniform(0, LAST - latents + 1) + np.arange(FRAMES_APART * (latents - 1) + 1) / FRAMES_APART
        clips.append((render_clip(random_clip_code(rng), rng, side, times) * 255).round().astype(np.uint8))
    return torch.from_numpy(np.stack(clips))


def load_encoder(state: dict[str, Tensor]) -> Encoder:
    """The VAE's encoder, which looks at single frames."""
    encoder = Encoder(CHANNELS)
    wanted = encoder.state_dict()
    encoder.load_state_dict({name: state[f"encoder.{name}"].float() for name in wanted})
    return encoder.eval()


@torch.no_grad()
def encode(encoder: Encoder, frames: Tensor) -> Tensor:
    """Frames (T', H, W, 3) uint8 -> the latent (16, T, H/8, W/8) that the host's VAE makes of them."""
    pictures = frames[::FRAMES_APART].movedim(-1, 1).float() / 127.5 - 1
    latents = encoder(pictures.unsqueeze(2))[:, :CHANNELS, 0].movedim(0, 1)
    return latents * torch.tensor(STD).view(-1, 1, 1, 1) + torch.tensor(MEAN).view(-1, 1, 1, 1)


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
    make_student(state, clips, Order(args.out, RECIPE, PLAN), torch.device(args.device), tell=tell)


if __name__ == "__main__":
    main()
