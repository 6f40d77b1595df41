"""What a user can say about their model on the command line; whatever is not said is the family's usual value."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Beside those of other parts: --checkpoint, --model, --steps, --cfg, --sampler, --shift, --device, --out."""
    group = parser.add_argument_group("mine: your own model, by path or by its name in ComfyUI's models folder")
    group.add_argument("--unet", type=Path, help="a diffusion model; --checkpoint for a file that has everything")
    group.add_argument("--clip", type=Path, nargs="+", help="text encoder(s), where the checkpoint has none")
    group.add_argument("--clip-type", help="as in the host's Load CLIP (flux, wan, qwen_image ...)")
    group.add_argument("--vae", type=Path, help="a VAE, where the checkpoint has none")
    group.add_argument("--weight-dtype", default="default", help="as in the host's Load Diffusion Model")
    group.add_argument("--prompt", help="what to make")
    group.add_argument("--negative", default="", help="the negative prompt, used where CFG is above 1")
    group.add_argument("--scheduler", help="of the host")
    group.add_argument("--guidance", type=float, help="as in FluxGuidance, for distilled models")
    group.add_argument("--width", type=int, help="in pixels")
    group.add_argument("--height", type=int, help="in pixels")
    group.add_argument("--frames", type=int, help="of a clip")
    group.add_argument("--seed", type=int, default=42)
