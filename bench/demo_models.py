"""The demo's tiny trained Flux and its VAE through the stock loading code, its prompts, and sampling with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import comfy.sample
import comfy.sd
import comfy.utils
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ..demo.nodes.text import encode, load_table
from ..demo.nodes.vocabulary import parse_prompt
from ..host.location import ROOT
from ..jano.adapters.families import family_of, grid_of
from ..jano.grid import TokenGrid
from .records import digest

FLUX = ROOT / "demo" / "models" / "jano_tiny_flux.safetensors"
VAE = ROOT / "demo" / "models" / "jano_tiny_flux_vae.safetensors"
PROMPTS = ROOT / "demo" / "prompts.txt"
LATENT = (1, 16, 64, 64)
GUIDANCE = 3.5

OnStep = Callable[[int, Tensor, Tensor, int], None]


@dataclass(frozen=True)
class Sampling:
    """How a picture is sampled; `seed` is the prompt's line number."""

    steps: int
    sampler: str = "euler"
    cfg: float = 4.0


@dataclass(frozen=True)
class Outcome:
    """One run: latent (1, 16, 64, 64), FLOPs counted while sampling, wall seconds."""

    latent: Tensor
    flops: int
    seconds: float


@dataclass(frozen=True)
class Demo:
    """`digest` tells one state of the checkpoint from another."""

    model: ModelPatcher
    vae: comfy.sd.VAE
    digest: str

    @property
    def grid(self) -> TokenGrid:
        network = self.model.model.diffusion_model
        family = family_of(network)
        return grid_of(family, network, LATENT, family.REGION)

    def picture(self, latent: Tensor) -> Tensor:
        """(1, 512, 512, 3) in 0..1."""
        return self.vae.decode(latent).float().cpu().clamp(0.0, 1.0)


def load(flux: Path | None = None) -> Demo:
    """From demo/models, or another checkpoint of the same kind."""
    flux = flux or FLUX
    state, metadata = comfy.utils.load_torch_file(str(VAE), return_metadata=True)
    vae = comfy.sd.VAE(sd=state, metadata=metadata)
    vae.throw_exception_if_invalid()
    return Demo(comfy.sd.load_diffusion_model(str(flux)), vae, digest(flux, VAE))


def prompts(count: int) -> list[str]:
    """The first lines of demo/prompts.txt, from the top again with other seeds where they do not suffice."""
    lines = [line.strip() for line in PROMPTS.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [lines[number % len(lines)] for number in range(count)]


def conditioning(text: str) -> list:
    """A prompt as the demo's node hands it to the sampler; "" is the negative one."""
    context, pooled = encode(torch.tensor([parse_prompt(text)]), load_table())
    return [[context, {"pooled_output": pooled, "guidance": GUIDANCE}]]


def sample(model: ModelPatcher, text: str, seed: int, how: Sampling, on_step: OnStep | None = None) -> Tensor:
    """KSampler's work with the scheduler "simple", from pure noise."""
    empty = torch.zeros(LATENT)
    noise = comfy.sample.prepare_noise(empty, seed)
    sides = conditioning(text), conditioning("")
    options = {"disable_pbar": True, "seed": seed, "callback": on_step}
    return comfy.sample.sample(model, noise, how.steps, how.cfg, how.sampler, "simple", *sides, empty, **options)


def metered(model: ModelPatcher, text: str, seed: int, how: Sampling, on_step: OnStep | None = None) -> Outcome:
    started = time.perf_counter()
    with FlopCounterMode(display=False) as counter:
        latent = sample(model, text, seed, how, on_step)
    return Outcome(latent, counter.get_total_flops(), time.perf_counter() - started)
