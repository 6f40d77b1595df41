"""The demo's tiny trained models and their VAEs through the stock loaders, their prompts, and sampling with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import comfy.sample
import comfy.sd
import comfy.utils
import torch
from comfy.model_patcher import ModelPatcher
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ..demo.nodes.clip_vocabulary import parse_clip_prompt
from ..demo.nodes.text import encode, encode_clip, load_table
from ..demo.nodes.vocabulary import parse_prompt
from ..host.location import ROOT
from ..jano.adapters.latents import grid_of
from ..jano.levels.grid import TokenGrid
from .convolution import OneDnnConvolutions
from .records import digest

MODELS = ROOT / "demo" / "models"
GUIDANCE = 3.5

OnStep = Callable[[int, Tensor, Tensor, int], None]


def flux_conditioning(text: str) -> list:
    """A prompt as the demo's node hands it to the sampler; "" is the negative one."""
    context, pooled = encode(torch.tensor([parse_prompt(text)]), load_table())
    return [[context, {"pooled_output": pooled, "guidance": GUIDANCE}]]


def wan_conditioning(text: str) -> list:
    """The same for clips."""
    return [[encode_clip(torch.tensor([parse_clip_prompt(text)]), load_table()), {}]]


@dataclass(frozen=True)
class Kind:
    """What the demo fixes for a model: prompts (a file of lines), latent and conditioning, sampler, CFG and steps; the
    shift of its sigmas (None: the model's own), the pixels of a latent cell's side, and the Heun steps that count as
    the exact solution (None: too dear); the grain of a bed of patches."""

    name: str
    prompts: Path | None
    latent: tuple[int, ...]
    conditioning: Callable[[str], list]
    sampler: str
    cfg: float
    steps: int
    shift: float | None = None
    cell: int = 8
    exact_steps: int | None = None
    grain: float | None = None

    def at(self, side: int) -> Kind:
        """The same for square pictures of `side` pixels."""
        return replace(self, latent=(*self.latent[:-2], side // self.cell, side // self.cell))


KINDS = {
    "flux": Kind("flux", ROOT / "demo" / "prompts.txt", (1, 16, 64, 64), flux_conditioning, "euler", 4.0, 28),
    "wan": Kind(
        "wan", ROOT / "demo" / "clip_prompts.txt", (1, 16, 9, 32, 32), wan_conditioning, "uni_pc", 5.0, 30, 8.0
    ),
}


@dataclass(frozen=True)
class Sampling:
    """How a picture is sampled; the seed is the prompt's line number. After `last_step` the noise is left in."""

    steps: int
    sampler: str
    cfg: float
    last_step: int | None = None


@dataclass(frozen=True)
class Outcome:
    """One run: latent, FLOPs (of a bed of patches evaluations) counted while sampling, wall seconds."""

    latent: Tensor
    flops: int
    seconds: float


@dataclass(frozen=True)
class Demo:
    """`digest` tells one state of the checkpoint from another."""

    kind: Kind
    model: ModelPatcher
    vae: comfy.sd.VAE
    digest: str

    @property
    def side(self) -> int:
        """Pixels."""
        return self.kind.cell * self.kind.latent[-1]

    @property
    def grid(self) -> TokenGrid:
        return grid_of(self.model.model.diffusion_model, self.kind.latent, (0, 0, 0))

    def picture(self, latent: Tensor) -> Tensor:
        """(frames, height, width, 3) in 0..1."""
        with OneDnnConvolutions():
            picture = self.vae.decode(latent).float().cpu().clamp(0.0, 1.0)
        return picture.flatten(0, -4)

    @contextmanager
    def meter(self) -> Iterator[Callable[[], int]]:
        """What is spent while open, as a function to ask afterwards: FLOPs."""
        with FlopCounterMode(display=False) as counter:
            yield counter.get_total_flops

    def prompts(self, count: int) -> list[str]:
        """The first lines of the prompts' file, from the top again with other seeds where they do not suffice."""
        lines = [line.strip() for line in self.kind.prompts.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [lines[number % len(lines)] for number in range(count)]

    def sample(
        self,
        text: str,
        seed: int,
        how: Sampling,
        on_step: OnStep | None = None,
        model: ModelPatcher | None = None,
        drawn: int | None = None,
    ) -> Tensor:
        """KSampler's work with the scheduler "simple", from pure noise; `model` in place of the plain one, and `drawn`
        the seed of what the sampler draws."""
        empty = torch.zeros(self.kind.latent)
        noise = comfy.sample.prepare_noise(empty, seed)
        sides = self.kind.conditioning(text), self.kind.conditioning("")
        settings = (how.steps, how.cfg, how.sampler, "simple")
        options = {
            "disable_pbar": True,
            "seed": seed if drawn is None else drawn,
            "callback": on_step,
            "last_step": how.last_step,
        }
        return comfy.sample.sample(model or self.model, noise, *settings, *sides, empty, **options)


def load(name: str = "flux", file: Path | None = None, side: int | None = None) -> Demo:
    """From demo/models, or another checkpoint of the same kind; `side` is the picture's in pixels."""
    kind = KINDS[name] if side is None else KINDS[name].at(side)
    file, vae_file = file or MODELS / f"jano_tiny_{name}.safetensors", MODELS / f"jano_tiny_{name}_vae.safetensors"
    state, metadata = comfy.utils.load_torch_file(str(vae_file), return_metadata=True)
    vae = comfy.sd.VAE(sd=state, metadata=metadata)
    vae.throw_exception_if_invalid()
    model = comfy.sd.load_diffusion_model(str(file))
    if kind.shift is not None:
        model = ModelSamplingSD3().patch(model, kind.shift)[0]
    return Demo(kind, model, vae, digest(file, vae_file))


def metered(
    demo: Demo, text: str, seed: int, how: Sampling, on_step: OnStep | None = None, model: ModelPatcher | None = None
) -> Outcome:
    started = time.perf_counter()
    with demo.meter() as spent:
        latent = demo.sample(text, seed, how, on_step, model)
    return Outcome(latent, spent(), time.perf_counter() - started)
