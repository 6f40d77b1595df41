"""Trains the tiny Flux on scene latents by flow matching.

python demo/latents.py --side 256 --part 0 --count 4000      # first, several parts
python demo/train_flux.py --side 256 --minutes 50
python demo/train_flux.py --side 512 --minutes 20 --resume   # finish at full size
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import torch
from flux_twin import FluxTwin, Shape, rope_table, token_places
from latents import TRAIN_DIR, load_parts
from nodes.text import NUM_TOKENS, encode, load_table
from safetensors.torch import save_file
from torch import Tensor

MODEL_PATH = Path(__file__).resolve().parent / "models" / "jano_tiny_flux.safetensors"
NOISE_SHIFT = {128: 0.0, 256: 0.4, 512: 0.9}
"""Mean of the logit of t: larger pictures need more noise to hide the same layout."""


def split_parameters(model: FluxTwin) -> tuple[list[Tensor], list[Tensor]]:
    """Matrices inside the blocks (for Muon) and everything else (for AdamW)."""
    named = list(model.named_parameters())
    inner = [p for name, p in named if "_blocks." in name and p.ndim == 2]
    outer = [p for name, p in named if not ("_blocks." in name and p.ndim == 2)]
    return inner, outer


def new_optimizers(model: FluxTwin, rate: float) -> list[torch.optim.Optimizer]:
    """Muon at the given rate for block matrices, AdamW for the rest."""
    inner, outer = split_parameters(model)
    muon = torch.optim.Muon(inner, lr=rate, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    return [muon, torch.optim.AdamW(outer, lr=rate, betas=(0.9, 0.98), weight_decay=0.0)]


def set_rate(optimizers: list[torch.optim.Optimizer], first: float, last: float, share: float, step: int) -> None:
    """Short warm-up, then half a cosine from the first to the last rate as share goes 0..1."""
    rate = min(1.0, (step + 1) / 100) * (last + (first - last) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def noised(latents: Tensor, shift: float) -> tuple[Tensor, Tensor, Tensor]:
    """Latents (B, C, h, w) -> noised input, times t (B,) and the target noise - latent."""
    count = latents.shape[0]
    # stratified over the batch: steadier losses for the same number of pictures
    even = (torch.arange(count, device=latents.device) + torch.rand(count, device=latents.device)) / count
    t = torch.sigmoid(shift + 1.15 * torch.special.ndtri(even.clamp(1e-4, 1 - 1e-4)))
    noise = torch.randn_like(latents)
    weight = t[:, None, None, None]
    return latents * (1 - weight) + noise * weight, t, noise - latents


@torch.no_grad()
def follow(average: dict[str, Tensor], model: FluxTwin, decay: float) -> None:
    """Moves the running average of the weights towards the model."""
    for name, value in model.state_dict().items():
        average[name].lerp_(value, 1 - decay)


def save_state(path: Path, model: FluxTwin, average: dict[str, Tensor], optimizers: list, progress: dict) -> None:
    """Writes a resumable checkpoint atomically."""
    state = {"model": model.state_dict(), "average": average, "optimizers": [o.state_dict() for o in optimizers]}
    partial = path.with_suffix(".partial")
    torch.save({**state, **progress}, partial)
    partial.replace(path)


def export(average: dict[str, Tensor], path: Path) -> None:
    """Writes the averaged weights as the fp16 checkpoint that the stock loader reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({name: value.half().contiguous().cpu() for name, value in average.items()}, str(partial))
    partial.chmod(0o644)
    partial.replace(path)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=256, choices=(128, 256, 512), help="64, 256 or 1024 tokens")
    parser.add_argument("--minutes", type=float, default=50.0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--last-rate", type=float, default=1e-3)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--depth-single", type=int, default=7)
    parser.add_argument("--decay", type=float, default=0.998, help="of the running average of the weights")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--fp32", action="store_true", help="no bf16 autocast")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--resume", action="store_true", help="start from build/train/<name>.pt")
    parser.add_argument("--name", default="flux")
    parser.add_argument("--export", action="store_true", help="write demo/models/ at every save")
    parser.add_argument("--limit", type=int, default=0, help="use only this many scenes")
    return parser.parse_args()


def main() -> None:
    """Command line: trains until the minutes are spent."""
    args = parse_args()
    torch.manual_seed(int(time.time()))
    model = FluxTwin(Shape(args.hidden, args.depth, args.depth_single)).to(args.device)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    optimizers = new_optimizers(model, args.rate)
    pictures, state_path = 0, TRAIN_DIR / f"{args.name}.pt"
    if args.resume:
        state = torch.load(state_path, map_location=args.device, weights_only=True)
        model.load_state_dict(state["model"])
        average, pictures = state["average"], state["pictures"]
        for optimizer, stored in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)
    train(args, model, average, optimizers, pictures, state_path)


def train(
    args: argparse.Namespace, model: FluxTwin, average: dict[str, Tensor], optimizers: list, pictures: int, path: Path
) -> None:
    """The loop: draws batches, steps, logs, saves every few minutes."""
    latents, codes = (torch.from_numpy(a[: args.limit or None]) for a in load_parts(TRAIN_DIR, args.side))
    table = load_table().to(args.device)
    rows = args.side // 16
    places = rope_table(token_places(rows, rows, 32 / rows, NUM_TOKENS).to(args.device))
    run = torch.compile(model) if args.compile else model
    start, saved, step, losses = time.time(), time.time(), 0, []
    with (TRAIN_DIR / f"{args.name}.log").open("a") as log:
        while (elapsed := time.time() - start) < 60 * args.minutes:
            set_rate(optimizers, args.rate, args.last_rate, elapsed / (60 * args.minutes), step)
            picked = torch.randint(len(latents), (args.batch,))
            said = codes[picked] * (torch.rand(args.batch, 1) > 0.12)
            context, pooled = encode(said.to(args.device), table)
            x, t, target = noised(latents[picked].to(args.device).float(), NOISE_SHIFT[args.side])
            with torch.autocast(torch.device(args.device).type, torch.bfloat16, enabled=not args.fp32):
                loss = (run(x, t, context, pooled, places).float() - target).square().mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            follow(average, model, min(args.decay, (step + 1) / (step + 10) if not args.resume else 1.0))
            step, pictures = step + 1, pictures + args.batch
            losses.append(loss.item())
            if step % 50 == 0:
                mean = sum(losses) / len(losses)
                note = {"pictures": pictures, "loss": round(mean, 4), "seconds": round(elapsed, 1), "side": args.side}
                log.write(json.dumps(note) + "\n")
                log.flush()
                losses = []
            if time.time() - saved > 180:
                saved = time.time()
                save_state(path, model, average, optimizers, {"pictures": pictures})
                if args.export:
                    export(average, MODEL_PATH)
    save_state(path, model, average, optimizers, {"pictures": pictures})
    if args.export:
        export(average, MODEL_PATH)


if __name__ == "__main__":
    main()
