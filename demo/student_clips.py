"""Drawn clips with the latents that the tiny Wan's VAE makes of them, for the fast decoder to learn from.

    python demo/student_clips.py --count 16 --seed 12 --out build/clips.safetensors

The file holds frames (N, F, side, side, 3) uint8 and latents (N, 16, T, side/8, side/8).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from clips import FRAMES_APART, LAST, random_clip_code, render_clip
from latents import CHANNELS
from safetensors.torch import load_file, save_file
from torch import Tensor
from train_wan_vae import MEAN, STD, VAE_PATH
from wan_vae_twin import Encoder

SIDE, LATENTS = 128, 5


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
    encoder.load_state_dict({name: state[f"encoder.{name}"].float() for name in encoder.state_dict()})
    return encoder.eval()


@torch.no_grad()
def encode(encoder: Encoder, frames: Tensor) -> Tensor:
    """Frames (F, H, W, 3) uint8 -> the latent (16, T, H/8, W/8) that the host's VAE makes of them."""
    pictures = frames[::FRAMES_APART].movedim(-1, 1).float() / 127.5 - 1
    latents = encoder(pictures.unsqueeze(2))[:, :CHANNELS, 0].movedim(0, 1)
    return latents * torch.tensor(STD).view(-1, 1, 1, 1) + torch.tensor(MEAN).view(-1, 1, 1, 1)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    encoder = load_encoder(load_file(VAE_PATH))
    frames = draw_frames(args.count, args.seed)
    save_file({"frames": frames, "latents": torch.stack([encode(encoder, clip) for clip in frames])}, str(args.out))


if __name__ == "__main__":
    main()
