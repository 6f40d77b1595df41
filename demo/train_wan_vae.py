"""Trains the small Wan VAE on the fixed clip latents: both halves on single frames, then the decoder's sense of time.

python demo/train_wan_vae.py --half decoder --compile
python demo/train_wan_vae.py --half encoder --compile
python demo/train_wan_vae.py --half decoder --latents 4 --steps 600 --batch 4 --rate 5e-4 --compile
Every run exports the VAE with whatever the other half has learnt so far.
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
from clip_latents import clip_latent, load_clip_basis
from clips import FRAMES_APART, LAST, random_clip_code, render_clip
from latents import CHANNELS, PATCH, TRAIN_DIR, Basis
from safetensors.torch import save_file
from torch import Tensor, nn
from train_step import append_line
from train_vae import edge_loss
from wan_vae_twin import DOWN, UP, Decoder, Encoder

VAE_PATH = Path(__file__).resolve().parent / "models" / "jano_tiny_wan_vae.safetensors"
CROP = 64
SAVE_SECONDS = 120
# the host's Wan latent format: stored latent = model latent * STD + MEAN
MEAN = (-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508)
MEAN += (0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921)
STD = (2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743)
STD += (3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160)


@dataclass(frozen=True)
class ClipPool:
    """Clips to crop from: frames (N, 3, 4T - 3, side, side) uint8 with latents (N, 16, T, side/8, side/8)."""

    frames: Tensor
    latents: Tensor


def draw_pool(count: int, side: int, length: int, basis: Basis, seed: int) -> ClipPool:
    """Draws count clips of `length` latent frames, each beginning somewhere in a full clip."""
    rng = np.random.default_rng(seed)
    frames, latents = [], []
    for _ in range(count):
        begin = int(rng.integers(LAST - length + 2))
        times = begin + np.arange(FRAMES_APART * (length - 1) + 1) / FRAMES_APART
        clip = render_clip(random_clip_code(rng), rng, side, times)
        latents.append(clip_latent(clip[::FRAMES_APART], basis))
        frames.append((clip * 255).round().astype(np.uint8).transpose(3, 0, 1, 2))
    return ClipPool(torch.from_numpy(np.stack(frames)), torch.from_numpy(np.stack(latents)).float())


def crops(pool: ClipPool, count: int) -> tuple[Tensor, Tensor]:
    """Aligned random crops: frames (count, 3, 4T - 3, CROP, CROP) in -1..1 and their latents."""
    size = CROP // PATCH
    places = torch.randint(pool.latents.shape[-1] - size + 1, (count, 2)).tolist()
    chosen = torch.randint(len(pool.frames), (count,)).tolist()
    frames, latents = [], []
    for index, (y, x) in zip(chosen, places, strict=True):
        latents.append(pool.latents[index, :, :, y : y + size, x : x + size])
        frames.append(pool.frames[index, :, :, y * PATCH : y * PATCH + CROP, x * PATCH : x * PATCH + CROP])
    return torch.stack(frames).float() / 127.5 - 1, torch.stack(latents)


def loss_of(half: str, net: nn.Module, frames: Tensor, latents: Tensor) -> Tensor:
    """The loss of one batch for either half."""
    with torch.autocast(frames.device.type, torch.bfloat16):
        if half == "encoder":
            return nn.functional.smooth_l1_loss(net(frames)[:, :CHANNELS].float(), latents, beta=0.3)
        # sampled latents are never perfect: a little noise keeps the decoder from amplifying their errors
        noise = 0.06 * torch.rand(len(latents), 1, 1, 1, 1, device=latents.device) * torch.randn_like(latents)
        out = net(latents + noise).float()
    return (out - frames).abs().mean() + 0.5 * edge_loss(out, frames)


def run(args: argparse.Namespace, net: nn.Module) -> None:
    """Trains one half, saving every two minutes."""
    basis = load_clip_basis()
    pools = [draw_pool(args.clips, side, args.latents, basis, 201 + side) for side in (256, 128)]
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.rate, betas=(0.9, 0.99), weight_decay=0.0)
    step = torch.compile(loss_of, dynamic=False) if args.compile else loss_of
    start, saved, losses = time.time(), time.time(), []
    while (share := len(losses) / args.steps) < 1:
        warm, cosine = min(1.0, (len(losses) + 1) / 50), 0.5 * (1 + math.cos(math.pi * share))
        optimizer.param_groups[0]["lr"] = args.rate * warm * (0.02 + 0.98 * cosine)
        frames, latents = (part.to(args.device) for part in crops(pools[int(len(losses) % 3 == 2)], args.batch))
        loss = step(args.half, net, frames, latents)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if len(losses) % 50 == 0:
            note = {"half": args.half, "latents": args.latents, "step": len(losses)}
            note |= {"loss": round(sum(losses[-50:]) / 50, 5), "seconds": round(time.time() - start, 1)}
            append_line(TRAIN_DIR / "wan_vae.log", json.dumps(note))
        if time.time() - saved > SAVE_SECONDS:
            saved = time.time()
            torch.save(net.state_dict(), half_path(args.half))
    torch.save(net.state_dict(), half_path(args.half))


def half_path(half: str) -> Path:
    """Where a half's weights are kept between runs."""
    return TRAIN_DIR / f"wan_vae_{half}.pt"


def load_half(half: str) -> nn.Module:
    """One half, with its trained weights if there are any."""
    net = {"decoder": Decoder, "encoder": Encoder}[half](CHANNELS)
    if half_path(half).exists():
        net.load_state_dict(torch.load(half_path(half), map_location="cpu", weights_only=True))
    return net


def attention_left_out(width: int) -> dict[str, Tensor]:
    """Weights of the middle's attention with which it adds nothing."""
    shapes = {"norm.gamma": (width, 1, 1), "to_qkv.weight": (3 * width, width, 1, 1), "to_qkv.bias": (3 * width,)}
    shapes |= {"proj.weight": (width, width, 1, 1), "proj.bias": (width,)}
    return {f"middle.1.{name}": torch.zeros(shape) for name, shape in shapes.items()}


def scaling() -> dict[str, Tensor]:
    """The VAE's two 1 x 1 x 1 convolutions: from what the sampler returns to model latents, and back."""
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    back = torch.zeros(2 * CHANNELS)
    back[:CHANNELS] = std
    return {
        "conv2.weight": torch.diag(1 / std)[:, :, None, None, None],
        "conv2.bias": -mean / std,
        "conv1.weight": torch.diag(back)[:, :, None, None, None],
        "conv1.bias": torch.cat([mean, torch.zeros(CHANNELS)]),
    }


def export(path: Path) -> None:
    """Writes both halves as the one fp16 file that the stock VAE loader reads."""
    state = scaling()
    for half, width in (("encoder", DOWN[-1]), ("decoder", UP[0])):
        weights = load_half(half).state_dict() | attention_left_out(width)
        state |= {f"{half}.{name}": value for name, value in weights.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({name: value.half().contiguous() for name, value in state.items()}, str(partial))
    partial.chmod(0o644)
    partial.replace(path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("decoder", "encoder"), default="decoder")
    parser.add_argument("--latents", type=int, default=1, help="latent frames of a training clip")
    parser.add_argument("--clips", type=int, default=250, help="training clips of either size")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    net = load_half(args.half).to(args.device)
    run(args, net)
    export(VAE_PATH)


if __name__ == "__main__":
    main()
