"""What each part of making a fast decoder is worth in LTX-Video's layout, on a small VAE trained for this alone.

As bench/vae_ablation.py; demo/train_ltx_vae.py takes ten minutes to make the VAE where there is none yet.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from safetensors.torch import load_file

from ..flash_vaed.distill import Plan
from ..flash_vaed.lessons import Size
from ..host.location import ROOT
from .records import save
from .vae_ablation import Subject, ablate

VAE = ROOT / "build" / "train" / "demo" / "ltx_vae.safetensors"
CLIPS = VAE.with_stem("ltx_clips")
RATIO = (0.25, 0.5)
PLAN = Plan(steps=(40, 40, 120), rate=1e-3, batch=4, size=Size(side=3, frames=2), windows=32)


def measure(args: argparse.Namespace) -> None:
    if not CLIPS.exists():
        subprocess.run([sys.executable, str(ROOT / "demo" / "train_ltx_vae.py")], check=True)
    clips = load_file(CLIPS)
    held = {"latents": clips["held_latents"], "frames": clips["held_frames"].float() / 127.5 - 1}
    save(args.out / "ltx_ablation.json", ablate(Subject(VAE, RATIO, PLAN, clips["latents"], held), args.device))
