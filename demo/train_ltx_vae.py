"""Trains a small decoder in the layout of LTX-Video 0.9's VAE on drawn clips, for `python bench/run.py ltx_ablation`.

    OMP_NUM_THREADS=1 python demo/train_ltx_vae.py --minutes 18

Its latents are a fixed projection (PCA) of 32 x 32 RGB patches of every eighth frame to 128 channels; what lies between
is left to the decoder, which sees both. The clips are soft and slow, so that so few numbers can say what is in them:
128 components keep 33.7 dB of held-out key frames, 24.0 dB of those of sharp clips. The decoder begins at 22.3 dB on
held-out clips and 18 minutes of one core bring it to 22.5; from random weights it came to 15.2.
Nothing is shipped: the decoder and the clips to judge it by go to build/.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from clips import LAST, random_clip_code, render_clip
from latents import TRAIN_DIR
from safetensors.torch import save_file
from torch import Tensor
from train_step import append_line
from train_vae import edge_loss

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from begin_ltx_vae import begin  # noqa: E402

from flash_vaed.ltx import LTXStudent, LTXWidths  # noqa: E402
from flash_vaed.ltx_teacher import blocks_in_full  # noqa: E402

WIDTHS = LTXWidths(latent=128, deep=96, fine=32, finest=16)
PATCH, FRAMES, SIDE, LATENTS = 32, 8, 128, 3
SOFT = 4
"""Clips are drawn so many times smaller."""
FRAMES_APART = 8
"""Frames in clips.py's unit of time: half as fast as the demo's clips."""
BEGIN_ON = 240
"""Pictures from which the first weights are solved."""
VAE_PATH = TRAIN_DIR / "ltx_vae.safetensors"
GROWTH = 1 / 6
"""A channel's size grows only slowly with its variance, so that none is drowned; as in latents.py."""
SHOWN = 2
"""Latents of a training window: nine frames."""


def draw_frames(count: int, seed: int) -> Tensor:
    """Clips (count, 3, 8 * LATENTS - 7, SIDE, SIDE) uint8, each beginning somewhere in a full clip."""
    rng, clips = np.random.default_rng(seed), []
    length = FRAMES * (LATENTS - 1) + 1
    for _ in range(count):
        begin = rng.uniform(0, LAST - (length - 1) / FRAMES_APART)
        clips.append(render_clip(random_clip_code(rng), rng, SIDE // SOFT, begin + np.arange(length) / FRAMES_APART))
    return torch.stack([enlarged(torch.from_numpy(clip)) for clip in clips])


def enlarged(clip: Tensor) -> Tensor:
    """Frames (F, h, w, 3) in 0 to 1 as a clip (3, F, SIDE, SIDE) uint8."""
    frames = torch.nn.functional.interpolate(clip.movedim(-1, 1), (SIDE, SIDE), mode="bicubic")
    return frames.clamp(0, 1).mul(255).round().to(torch.uint8).transpose(0, 1)


def patches_of(clips: Tensor) -> Tensor:
    """Every eighth frame of clips (N, 3, F, H, W) uint8 as patches (N, T, H/32, W/32, 3072) in -1 to 1."""
    frames = clips[:, :, ::FRAMES].float() / 127.5 - 1
    split = frames.unflatten(4, (-1, PATCH)).unflatten(3, (-1, PATCH))
    return split.permute(0, 2, 3, 5, 1, 4, 6).flatten(4)


class Projection:
    """mean (3072,), axes (3072, 128) to unit-variance coefficients, and a size for each channel."""

    def __init__(self, patches: Tensor) -> None:
        self.mean = patches.mean(0)
        values, vectors = torch.linalg.eigh((patches - self.mean).T.cov())
        values, vectors = values.flip(0)[: WIDTHS.latent], vectors.flip(1)[:, : WIDTHS.latent]
        self.axes = vectors / values.sqrt()
        self.size = values**GROWTH / (torch.asinh((patches - self.mean) @ self.axes)).std(0)
        self.std = values**GROWTH

    def __call__(self, clips: Tensor) -> Tensor:
        """Clips as the sampler's latents (N, 128, T, H/32, W/32), each channel of unit variance."""
        coefficients = torch.asinh((patches_of(clips) - self.mean) @ self.axes) * self.size / self.std
        return coefficients.movedim(-1, 1)


def batch_of(frames: Tensor, latents: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Windows of SHOWN latents: frames (count, 3, F, H, W) in -1 to 1, and their latents."""
    chosen = torch.randint(len(frames), (count,), generator=generator)
    begin = int(torch.randint(LATENTS - SHOWN + 1, (1,), generator=generator))
    shown = frames[chosen, :, begin * FRAMES : (begin + SHOWN - 1) * FRAMES + 1].float() / 127.5 - 1
    return shown, latents[chosen, :, begin : begin + SHOWN]


def train(model: LTXStudent, frames: Tensor, latents: Tensor, args: argparse.Namespace) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, betas=(0.9, 0.99), weight_decay=0.0)
    generator, start, losses = torch.Generator().manual_seed(0), time.time(), []
    while (share := (time.time() - start) / (60 * args.minutes)) < 1:
        warm, cosine = min(1.0, (len(losses) + 1) / 100), 0.5 * (1 + math.cos(math.pi * share))
        optimizer.param_groups[0]["lr"] = args.rate * warm * (0.02 + 0.98 * cosine)
        shown, z = batch_of(frames, latents, args.batch, generator)
        out = model(z)
        loss = (out - shown).abs().mean() + 0.5 * edge_loss(out, shown)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if len(losses) % 20 == 0:
            note = {
                "step": len(losses),
                "loss": round(sum(losses[-20:]) / 20, 5),
                "seconds": round(time.time() - start),
            }
            append_line(TRAIN_DIR / "ltx_vae.log", json.dumps(note))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=18.0)
    parser.add_argument("--clips", type=int, default=160)
    parser.add_argument("--held", type=int, default=12)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1e-4)
    args = parser.parse_args()
    TRAIN_DIR.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    frames, held = draw_frames(args.clips, 21), draw_frames(args.held, 22)
    project = Projection(patches_of(frames).flatten(0, 3))
    model = LTXStudent(WIDTHS)
    blocks_in_full(model.decoder, WIDTHS)
    model.latents_std.copy_(project.std)
    pictures = frames[:, :, ::FRAMES].transpose(1, 2).flatten(0, 1)[:BEGIN_ON, :, None]
    begin(model, pictures.float() / 127.5 - 1, project(pictures))
    train(model, frames, project(frames), args)
    save_file(model.state_dict(), str(VAE_PATH))
    clips = {"latents": project(frames), "held_frames": held, "held_latents": project(held)}
    save_file({name: value.contiguous() for name, value in clips.items()}, str(VAE_PATH.with_stem("ltx_clips")))


if __name__ == "__main__":
    main()
