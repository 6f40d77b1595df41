"""Samples the tiny Flux with the host's own classes and loaders: a contact sheet, and how hard its sampling is.

    python demo/sample_sheet.py                 # demo/contact_sheet.jpg, first 16 prompts
    python demo/sample_sheet.py --hardness      # also demo/hardness.json: 28 against 14 steps, same seeds
Set COMFYUI_PATH for a host elsewhere than .comfyui/.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import torch
from nodes.text import encode, load_table
from nodes.vocabulary import parse_prompt
from PIL import Image, ImageDraw
from torch import Tensor

DEMO = Path(__file__).resolve().parent
FLUX, VAE = DEMO / "models" / "jano_tiny_flux.safetensors", DEMO / "models" / "jano_tiny_flux_vae.safetensors"
GUIDANCE = 3.5
CELL = 320


def add_host() -> None:
    """Makes the host importable, on the CPU where there is no GPU; last on the path, behind our own `nodes`."""
    found = sorted((DEMO.parent / ".comfyui").glob("ComfyUI-*"))
    path = os.environ.get("COMFYUI_PATH") or (str(found[-1]) if found else "")
    if not path:
        raise SystemExit("No ComfyUI found: run `make host`, or set COMFYUI_PATH.")
    sys.path.append(path)
    from comfy.cli_args import args

    args.cpu = not torch.cuda.is_available()


def load_models(flux: Path, vae: Path) -> tuple[Any, Any]:
    """The host's model patcher and VAE, as UNETLoader and VAELoader make them."""
    import comfy.sd
    import comfy.utils

    state, metadata = comfy.utils.load_torch_file(str(vae), return_metadata=True)
    decoder = comfy.sd.VAE(sd=state, metadata=metadata)
    decoder.throw_exception_if_invalid()
    return comfy.sd.load_diffusion_model(str(flux)), decoder


def conditioning(text: str) -> list:
    """A prompt as the demo node gives it to the sampler."""
    context, pooled = encode(torch.tensor([parse_prompt(text)]), load_table())
    return [[context, {"pooled_output": pooled, "guidance": GUIDANCE}]]


def sample(model: Any, text: str, steps: int, cfg: float, seed: int) -> Tensor:
    """KSampler's euler/simple from pure noise -> latent (1, 16, 64, 64)."""
    import comfy.sample

    empty = torch.zeros(1, 16, 64, 64)
    noise = comfy.sample.prepare_noise(empty, seed)
    positive, negative = conditioning(text), conditioning("")
    return comfy.sample.sample(
        model, noise, steps, cfg, "euler", "simple", positive, negative, empty, disable_pbar=True, seed=seed
    )


def psnr(first: Tensor, second: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of two pictures in 0..1."""
    return -10 * math.log10(max((first - second).square().mean().item(), 1e-10))


def save_sheet(pictures: list[Tensor], labels: list[str], path: Path) -> None:
    """Pictures (H, W, 3) in 0..1 with their prompts below, four a row, as a JPEG."""
    rows = math.ceil(len(pictures) / 4)
    sheet = Image.new("RGB", (4 * CELL, rows * (CELL + 30)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        x, y = index % 4 * CELL, index // 4 * (CELL + 30)
        cell = Image.fromarray((picture.clamp(0, 1) * 255).round().byte().numpy())
        sheet.paste(cell.resize((CELL, CELL), Image.Resampling.LANCZOS), (x, y))
        half = label.find(", ", len(label) // 2) + 1 or len(label)
        draw.multiline_text((x + 4, y + CELL + 2), label[:half] + "\n" + label[half:].strip(), fill="black", spacing=1)
    sheet.save(path, quality=88)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--steps", type=int, default=28)
    parser.add_argument("--cfg", type=float, default=4.0)
    parser.add_argument("--hardness", action="store_true", help="also sample with half the steps and compare")
    parser.add_argument("--flux", type=Path, default=FLUX)
    parser.add_argument("--vae", type=Path, default=VAE)
    parser.add_argument("--out", type=Path, default=DEMO / "contact_sheet.jpg")
    return parser.parse_args()


@torch.inference_mode()
def main() -> None:
    """Command line."""
    args = parse_args()
    add_host()
    model, vae = load_models(args.flux, args.vae)
    prompts = [line.strip() for line in (DEMO / "prompts.txt").read_text().splitlines() if line.strip()][: args.count]
    pictures, figures = [], []
    for seed, prompt in enumerate(prompts):
        pictures.append(vae.decode(sample(model, prompt, args.steps, args.cfg, seed))[0].float().cpu())
        if args.hardness:
            coarse = vae.decode(sample(model, prompt, args.steps // 2, args.cfg, seed))[0].float().cpu()
            figures.append(round(psnr(pictures[-1], coarse), 2))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_sheet(pictures, prompts, args.out)
    if args.hardness:
        note = {
            "what": f"PSNR in dB of {args.steps // 2} against {args.steps} euler steps, same seeds (0..), 512 x 512",
            "command": "python demo/sample_sheet.py --hardness",
            "weights_sha256": hashlib.sha256(args.flux.read_bytes()).hexdigest(),
            "cfg": args.cfg,
            "mean_db": round(sum(figures) / len(figures), 2),
            "per_prompt_db": dict(zip(prompts, figures, strict=True)),
        }
        args.out.with_name("hardness.json").write_text(json.dumps(note, indent=1) + "\n")
        print(f"mean {note['mean_db']} dB, from {min(figures)} to {max(figures)}")


if __name__ == "__main__":
    main()
