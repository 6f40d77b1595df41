"""Samples the tiny Wan with the host's own classes and loaders: a contact sheet of clips, and how hard they are.

    python demo/clip_sheet.py                 # demo/wan_contact_sheet.jpg, first 8 prompts of clip_prompts.txt
    python demo/clip_sheet.py --hardness      # also demo/wan_hardness.json: 30 against 15 steps, same seeds
Set COMFYUI_PATH for a host elsewhere than .comfyui/.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from nodes.clip_vocabulary import parse_clip_prompt
from nodes.text import encode_clip, load_table
from PIL import Image, ImageDraw
from sample_sheet import DEMO, add_host, load_models, psnr
from torch import Tensor

WAN, VAE = DEMO / "models" / "jano_tiny_wan.safetensors", DEMO / "models" / "jano_tiny_wan_vae.safetensors"
LATENT = (1, 16, 9, 32, 32)
SHOWN = (0, 8, 16, 24, 32)
CELL = 192


def add_quick_host() -> None:
    """As add_host, with the host's own options for attention and VAE that are several times faster without a GPU."""
    add_host()
    from comfy.cli_args import args

    args.use_pytorch_cross_attention = args.bf16_vae = True


def conditioning(text: str) -> list:
    """A prompt as the demo node gives it to the sampler."""
    return [[encode_clip(torch.tensor([parse_clip_prompt(text)]), load_table()), {}]]


def sample(model: Any, text: str, steps: int, cfg: float, seed: int) -> Tensor:
    """KSampler's uni_pc/simple from pure noise -> latent (1, 16, 9, 32, 32)."""
    import comfy.sample

    empty = torch.zeros(LATENT)
    noise = comfy.sample.prepare_noise(empty, seed)
    positive, negative = conditioning(text), conditioning("")
    return comfy.sample.sample(
        model, noise, steps, cfg, "uni_pc", "simple", positive, negative, empty, disable_pbar=True, seed=seed
    )


def decode(vae: Any, latent: Tensor) -> Tensor:
    """Latent of one clip -> frames (33, 256, 256, 3) in 0..1."""
    return vae.decode(latent)[0].float().cpu().clamp(0, 1)


def save_clips(clips: list[Tensor], labels: list[str], path: Path) -> None:
    """Five frames of every clip in a row under its prompt, as a JPEG."""
    sheet = Image.new("RGB", (len(SHOWN) * CELL, len(clips) * (CELL + 18)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (clip, label) in enumerate(zip(clips, labels, strict=True)):
        top = row * (CELL + 18)
        draw.text((4, top + 3), label, fill="black")
        for column, index in enumerate(SHOWN):
            frame = Image.fromarray((clip[index] * 255).round().byte().numpy())
            sheet.paste(frame.resize((CELL, CELL), Image.Resampling.LANCZOS), (column * CELL, top + 18))
    sheet.save(path, quality=88)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--cfg", type=float, default=5.0)
    parser.add_argument("--hardness", action="store_true", help="also sample with half the steps and compare")
    parser.add_argument("--wan", type=Path, default=WAN)
    parser.add_argument("--vae", type=Path, default=VAE)
    parser.add_argument("--out", type=Path, default=DEMO / "wan_contact_sheet.jpg")
    return parser.parse_args()


@torch.inference_mode()
def main() -> None:
    """Command line."""
    args = parse_args()
    add_quick_host()
    model, vae = load_models(args.wan, args.vae)
    prompts = [line.strip() for line in (DEMO / "clip_prompts.txt").read_text().splitlines() if line.strip()]
    clips, figures = [], []
    for seed, prompt in enumerate(prompts[: args.count]):
        clips.append(decode(vae, sample(model, prompt, args.steps, args.cfg, seed)))
        if args.hardness:
            coarse = decode(vae, sample(model, prompt, args.steps // 2, args.cfg, seed))
            figures.append(round(psnr(clips[-1], coarse), 2))
    save_clips(clips, prompts[: args.count], args.out)
    if args.hardness:
        note = {
            "what": f"PSNR in dB of {args.steps // 2} against {args.steps} uni_pc steps, same seeds (0..)",
            "command": "python demo/clip_sheet.py --hardness",
            "weights_sha256": hashlib.sha256(args.wan.read_bytes()).hexdigest(),
            "cfg": args.cfg,
            "mean_db": round(sum(figures) / len(figures), 2),
            "per_prompt_db": dict(zip(prompts, figures, strict=False)),
        }
        args.out.with_name("wan_hardness.json").write_text(json.dumps(note, indent=1) + "\n")
        print(f"mean {note['mean_db']} dB, from {min(figures)} to {max(figures)}")


if __name__ == "__main__":
    main()
