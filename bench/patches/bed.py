"""The bed as the measurements use it: prompts that stand for some of the pictures, sampling, pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ..demo_models import Demo, Kind
from ..records import digest_of_text
from . import denoiser
from .host_model import conditioning, patcher
from .pictures import Pictures, installed, read

SIDE, CLIP_SIDE, FRAMES = 48, 32, 5
# Of FLUX.1-dev at 1024 pixels (mu 1.15) and of SD 3.
SHIFT = 3.0
# So hard that half of 50 Euler steps keeps 15 to 20 dB, as on FLUX.1-dev, Wan 2.1 14B and HunyuanVideo.
CFG, STEPS = 4.0, 50
# Deviation of the kernel around every picture, in -1..1: four of 255 shades. Chosen where the error of x0 over sigma is
# nearest to Qwen-Image's (CALIBRATION.md; 0, 3 and 6 shades are further off), before anything was judged with it.
GRAIN = 4 / 127.5
# Cells of a real latent's side (1024 pixels): their mean over the place of one of ours has so many times less noise, so
# that a picture shows itself at as high a sigma as there. Without, one sees a tenth as much of it at sigma 0.9.
REAL_CELLS = 128
# Pictures that a prompt stands for: those most like one picture of the set, seen at COARSE x COARSE pixels.
LIKE, COARSE = 64, 1
# Numbers of neighbouring prompts lie far apart in the set's order: the golden ratio, as a share of the set.
APART = 0.618034
# Heun steps of the exact solution.
EXACT_STEPS = 100


@dataclass(frozen=True)
class Bed(Demo):
    """The demo's interface over the closed form: no weights, no VAE. Latents are pixels in -1..1 times `scale`."""

    pictures: Pictures
    scale: float

    def picture(self, latent: Tensor) -> Tensor:
        clip = latent if latent.ndim == 5 else latent.unsqueeze(2)
        return clip[0].movedim(0, -1).div(self.scale).add(1.0).div(2.0).clamp(0.0, 1.0)

    @contextmanager
    def meter(self) -> Iterator[Callable[[], int]]:
        """Evaluations in place of FLOPs: a real model's steps cost the same early and late, these do not."""
        model = self.model.model.diffusion_model
        before = model.evaluations
        yield lambda: model.evaluations - before

    def prompts(self, count: int) -> list[str]:
        names = self.pictures.names
        return [f"like {names[round(number * APART * len(names)) % len(names)]}" for number in range(count)]


def load(name: str = "patches", side: int | None = None, shift: float | None = None, grain: float | None = None) -> Bed:
    """`name` is "patches" or "clip_patches". HostError without the host's template packages."""
    clips, shift = name == "clip_patches", SHIFT if shift is None else shift
    pictures = read(installed(), side or (CLIP_SIDE if clips else SIDE), FRAMES if clips else 1)
    return bed_of(pictures, name, shift, GRAIN if grain is None else grain)


def bed_of(pictures: Pictures, name: str = "patches", shift: float = SHIFT, grain: float = GRAIN) -> Bed:
    frames, _, side, _ = pictures.values.shape[1:]
    latent = (1, 3, side, side) if frames == 1 else (1, 3, frames, side, side)
    scale = REAL_CELLS / side / float(pictures.values.std())  # real latents have a variance of one
    asked = partial(asked_for, pictures)
    kind = Kind(name, None, latent, asked, "euler", CFG, STEPS, shift, cell=1, exact_steps=EXACT_STEPS, grain=grain)
    made = f"{pictures.digest} {denoiser.SIZES} {denoiser.OVERLAP} {shift} {scale:.4f} {LIKE} {COARSE}"
    digest = digest_of_text(f"{made} {grain:.4f}" if grain else made)
    return Bed(kind, patcher(pictures.values * scale, shift, grain * scale), None, digest, pictures, scale)


def asked_for(pictures: Pictures, text: str) -> list:
    """The conditioning of "like <name of a picture>"; of "" all pictures alike."""
    if not text:
        return conditioning(torch.ones(len(pictures.names), dtype=torch.bool))
    return conditioning(like(pictures, pictures.names.index(text.removeprefix("like "))))


def like(pictures: Pictures, number: int) -> Tensor:
    """(N,) bool: the LIKE pictures that are closest to this one from afar."""
    coarse = adaptive_avg_pool2d(pictures.values.flatten(1, 2), COARSE).flatten(1)
    distances = (coarse - coarse[number]).square().sum(1)
    chosen = torch.zeros(len(pictures.names), dtype=torch.bool)
    chosen[distances.argsort(stable=True)[:LIKE]] = True
    return chosen
