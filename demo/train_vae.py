"""Trains the TAESD-style VAE: a decoder from the fixed latents to pixels, and an encoder that regresses them.

python demo/train_vae.py --half decoder --minutes 10
python demo/train_vae.py --half encoder --minutes 4
Either run exports the VAE with whatever the other half has learnt so far.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from latents import CHANNELS, PATCH, TRAIN_DIR, Basis, load_basis, project
from safetensors.torch import save_file
from scenes import random_code, render
from torch import Tensor, nn
from vae_twin import new_decoder, new_encoder

VAE_PATH = Path(__file__).resolve().parent / "models" / "jano_tiny_flux_vae.safetensors"
# the host's flux latent format: model latent = (stored - shift) * scale; the decoder is trained on model latents
LATENT_SCALE, LATENT_SHIFT = 0.3611, 0.1159
CROP = 64


@dataclass(frozen=True)
class Pool:
    """Scenes to crop from: pictures (N, 3, side, side) uint8 with latents (N, 16, side/8, side/8)."""

    pictures: Tensor
    latents: Tensor


def draw_pool(count: int, side: int, basis: Basis, seed: int) -> Pool:
    """Draws count scenes of one size."""
    rng = np.random.default_rng(seed)
    pictures = np.empty((count, side, side, 3), np.float32)
    for index in range(count):
        pictures[index] = render(random_code(rng), rng, side)
    latents = np.stack([project(picture, basis) for picture in pictures])
    as_bytes = torch.from_numpy((pictures * 255).round().astype(np.uint8)).permute(0, 3, 1, 2).contiguous()
    return Pool(as_bytes, torch.from_numpy(latents))


def crops(pool: Pool, count: int) -> tuple[Tensor, Tensor]:
    """Aligned random crops: pictures (count, 3, CROP, CROP) in 0..1 and their latents (count, 16, CROP/8, CROP/8)."""
    size = CROP // PATCH
    places = torch.randint(pool.latents.shape[-1] - size + 1, (count, 2)).tolist()
    chosen = torch.randint(len(pool.pictures), (count,)).tolist()
    pictures, latents = [], []
    for index, (y, x) in zip(chosen, places, strict=True):
        latents.append(pool.latents[index, :, y : y + size, x : x + size])
        pictures.append(pool.pictures[index, :, y * PATCH : y * PATCH + CROP, x * PATCH : x * PATCH + CROP])
    return torch.stack(pictures).float() / 255, torch.stack(latents)


def edge_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and vertical gradients."""
    across = (made.diff(dim=-1) - wanted.diff(dim=-1)).abs().mean()
    return across + (made.diff(dim=-2) - wanted.diff(dim=-2)).abs().mean()


def loss_of(half: str, net: nn.Module, pictures: Tensor, latents: Tensor, device: str) -> Tensor:
    """The loss of one batch for either half."""
    kind = torch.device(device).type
    if half == "encoder":
        with torch.autocast(kind, torch.bfloat16):
            out = net(pictures)
        return nn.functional.smooth_l1_loss(out.float(), latents, beta=0.3)
    # sampled latents are never perfect: a little noise keeps the decoder from amplifying their errors
    noisy = latents + 0.06 * torch.rand(len(latents), 1, 1, 1, device=device) * torch.randn_like(latents)
    with torch.autocast(kind, torch.bfloat16):
        out = net(noisy)
    return (out.float() - pictures).abs().mean() + 0.5 * edge_loss(out.float(), pictures)


def run(half: str, minutes: float, batch: int, rate: float, device: str, net: nn.Module) -> None:
    """Trains one half until its minutes are spent, saving every two minutes."""
    basis = load_basis()
    pools = [draw_pool(160, 512, basis, 101), draw_pool(160, 256, basis, 102)]
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
    start, saved, step, losses = time.time(), time.time(), 0, []
    with (TRAIN_DIR / "vae.log").open("a") as log:
        while (elapsed := time.time() - start) < 60 * minutes:
            share = min(elapsed / (60 * minutes), 1.0)
            warm, cosine = min(1.0, (step + 1) / 50), 0.5 * (1 + math.cos(math.pi * share))
            optimizer.param_groups[0]["lr"] = rate * warm * (0.02 + 0.98 * cosine)
            pictures, latents = crops(pools[int(step % 3 == 2)], batch)
            pictures = pictures.to(device, memory_format=torch.channels_last)
            loss = loss_of(half, net, pictures, latents.to(device), device)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            step += 1
            losses.append(loss.item())
            if step % 50 == 0:
                mean = sum(losses) / len(losses)
                note = {"half": half, "step": step, "loss": round(mean, 5), "seconds": round(elapsed, 1)}
                log.write(json.dumps(note) + "\n")
                log.flush()
                losses = []
            if time.time() - saved > 120:
                saved = time.time()
                torch.save(net.state_dict(), TRAIN_DIR / f"vae_{half}.pt")
    torch.save(net.state_dict(), TRAIN_DIR / f"vae_{half}.pt")


def load_half(half: str) -> nn.Sequential:
    """One half, with its trained weights if there are any."""
    net = {"decoder": new_decoder, "encoder": new_encoder}[half](CHANNELS)
    path = TRAIN_DIR / f"vae_{half}.pt"
    if path.exists():
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return net


def export(path: Path) -> None:
    """Writes both halves as the one fp16 file that the stock VAE loader reads."""
    state = {"vae_scale": torch.tensor(LATENT_SCALE), "vae_shift": torch.tensor(LATENT_SHIFT)}
    for half in ("encoder", "decoder"):
        weights = load_half(half).state_dict()
        state |= {f"taesd_{half}.{name}": value.half().contiguous() for name, value in weights.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(state, str(partial))
    partial.chmod(0o644)
    partial.replace(path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("decoder", "encoder"), default="decoder")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    net = load_half(args.half).to(args.device, memory_format=torch.channels_last)
    run(args.half, args.minutes, args.batch, args.rate, args.device, net)
    export(VAE_PATH)


if __name__ == "__main__":
    main()
