"""One seed sampled in full and in every quality, on the host's own way from noise to pictures.

All samplings come first and the decoding after them: a VAE may push the model out of the memory, and the next sampling
would be charged for its coming back. For the same reason one step is sampled before any clock runs.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterable
from dataclasses import dataclass, replace

import comfy.model_management
import comfy.model_patcher
import comfy.samplers
from comfy.model_patcher import ModelPatcher
from comfy_extras import nodes_custom_sampler
from torch import Tensor

import nodes

from ..account import now
from ..config import ReferenceConfig
from ..presets import schedule_of
from ..sentences import say
from ..show.quality import compare
from ..show.sweep import FULL, Sweep, SweepRow
from .inputs import (
    choice_of,
    conditioning_of,
    model_of,
    number_of,
    samples_of,
    sigmas_of,
    told_number,
    wire_of,
)
from .latents import batch_of
from .model_name import model_named
from .patch import schedule, without_jano
from .sampler_name import shown_name
from .settings import KEY, report_of, settings_of

STACKED = say("stacked")
NO_MEMORY = say("out_of_memory")
NOT_FINITE = say("not_finite_picture")
MOST_SEED, MOST_STEPS, MOST_CFG = 2**64 - 1, 10_000, 100  # as the node's widgets
MOST_LETTERS = 120  # of another's error, in a sentence of ours
SAMPLERS, SCHEDULERS = tuple(comfy.samplers.KSampler.SAMPLERS), tuple(comfy.samplers.KSampler.SCHEDULERS)


@dataclass(frozen=True)
class Sampling:
    """What the host's SamplerCustomAdvanced takes."""

    noise: object
    guider: object
    sampler: object
    sigmas: Tensor
    latent: dict

    @property
    def model(self) -> ModelPatcher:
        """The guider's model, with what the guider adds to its options."""
        model = self.guider.model_patcher.clone()
        model.model_options = comfy.model_patcher.create_model_options_clone(self.guider.model_options)
        return model

    def on(self, model: ModelPatcher) -> Sampling:
        """The same with another model."""
        guider = copy.copy(self.guider)
        guider.model_patcher, guider.model_options = model, model.model_options
        return replace(self, guider=guider)

    def run(self) -> dict:
        """The LATENT, with the host's previews, and ended when the user interrupts it."""
        node = nodes_custom_sampler.SamplerCustomAdvanced
        return node.execute(self.noise, self.guider, self.sampler, self.sigmas, self.latent).args[0]


def guided(model: object, positive: object, negative: object, cfg: float) -> object:
    """The guider of a KSampler; without a negative prompt that of a graph with the host's BasicGuider."""
    if positive is None:
        raise ValueError("Jano Sweep: connect model and positive, as to a KSampler, or a guider in their place.")
    conditioning_of(positive, "positive")
    if negative is None:
        return nodes_custom_sampler.BasicGuider.execute(model_of(model), positive).args[0]
    number_of(cfg, "cfg", 0, MOST_CFG)
    return nodes_custom_sampler.CFGGuider.execute(
        model_of(model), positive, conditioning_of(negative, "negative"), cfg
    ).args[0]


def sampling_of(
    guider: object,
    latent: object,
    noise: object | None,
    sampler: object | None,
    sigmas: Tensor | None,
    seed: int,
    steps: int,
    sampler_name: str,
    scheduler: str,
    denoise: float,
) -> Sampling:
    """What is connected, and for what is not the widgets of a KSampler in its place."""
    samples_of(latent)
    wire_of(guider, "guider", "a guider node's GUIDER output", "model_patcher", "model_options", "sample")
    model_of(guider.model_patcher)
    if noise is None:
        number_of(seed, "seed", 0, MOST_SEED, whole=True)
        noise = nodes_custom_sampler.RandomNoise.execute(seed).args[0]
    if sampler is None:
        choice_of(sampler_name, "sampler_name", comfy.samplers.KSampler.SAMPLERS)
        sampler = comfy.samplers.sampler_object(sampler_name)
    if sigmas is None:
        number_of(steps, "steps", 1, MOST_STEPS, whole=True)
        number_of(denoise, "denoise", 0, 1)
        choice_of(scheduler, "scheduler", comfy.samplers.KSampler.SCHEDULERS)
        model = guider.model_patcher
        sigmas = comfy.samplers.KSampler(model, steps, model.load_device, sampler_name, scheduler, denoise).sigmas.cpu()
    wire_of(noise, "noise", "a node's NOISE output", "generate_noise", "seed")
    wire_of(sampler, "sampler", "a node's SAMPLER output", "sample")
    return Sampling(noise, guider, sampler, sigmas_of(sigmas), latent)


def sweep(sampling: Sampling, vae: object, qualities: Iterable[str], **facts: object) -> tuple[Sweep, list]:
    """Sample in full and in every quality, decode, and compare: the sweep and, row by row, the pictures (frames,
    height, width, 3), None where there are none. `facts` are told with those that are seen here."""
    wire_of(vae, "vae", "a node's VAE output", "decode")
    if len(sampling.sigmas) < 2:
        raise ValueError("Jano Sweep: there is no step to sample; steps must be 1 or more, and denoise above 0.")
    given = sampling.model
    settings, bare = settings_of(given), without_jano(given)
    models = {FULL: bare, **{name: _accelerated(bare, name, settings.references) for name in qualities}}
    _warm_up(sampling.on(bare))
    made = {name: _sampled(name, sampling.on(model)) for name, model in models.items()}
    pictures = [None if latent is None else _decoded(vae, latent) for _, latent in made.values()]
    full = _required(pictures[0])
    rows = [_compared(row, full, picture) for (row, _), picture in zip(made.values(), pictures, strict=True)]
    pictures = [None if row.seconds is None else picture for row, picture in zip(rows, pictures, strict=True)]
    seen = _facts(sampling, bare, full)
    return Sweep({**seen, **facts}, rows, STACKED if settings.scheduler is not None else ""), pictures


def _accelerated(bare: ModelPatcher, quality: str, references: ReferenceConfig) -> ModelPatcher:
    return schedule(bare, schedule_of(quality, {}), preset=True, references=references)


def _warm_up(sampling: Sampling) -> None:
    """One evaluation that nobody is charged for: weights are loaded, kernels chosen and compiled. With Euler, since
    not every sampler can do with a single step."""
    euler = comfy.samplers.sampler_object("euler")
    replace(sampling, sampler=euler, sigmas=sampling.sigmas[:2].clone()).run()


def _sampled(name: str, sampling: Sampling) -> tuple[SweepRow, dict | None]:
    """A row without its comparison, and the latent. What does not fit into the memory is a row that says so, but for
    full: without it there is nothing to compare with."""
    model = sampling.guider.model_patcher
    started = now(model.load_device)
    try:
        latent = sampling.run()
    except Exception as error:
        if name == FULL or not _is_out_of_memory(error):
            raise
        latent = None
    if latent is None:  # the error is gone by now, and with it what it held on to
        _free_memory()
        return SweepRow(name, reason=NO_MEMORY), None
    seconds = now(model.load_device) - started
    if model.get_attachment(KEY) is None:
        return SweepRow(name, seconds), latent
    report = report_of(model, samples_of(latent))
    reason = say("several", parts=list(report.fallbacks)) if report.fallbacks else ""
    return SweepRow(name, seconds, report.computed_token_fraction, reason=reason), latent


def _is_out_of_memory(error: Exception) -> bool:
    """As the host tells it; older ones have no function for that."""
    told = getattr(comfy.model_management, "is_oom", None)
    return told(error) if told else isinstance(error, comfy.model_management.OOM_EXCEPTION)


def _free_memory() -> None:
    gc.collect()
    comfy.model_management.soft_empty_cache()


def _decoded(vae: object, latent: dict) -> Tensor:
    """The pictures; ValueError with a sentence where the VAE is another model's."""
    try:
        return nodes.VAEDecode().decode(vae, latent)[0][..., :3].cpu()
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        if _is_out_of_memory(error):
            raise
        told = str(error).partition("\n")[0].rstrip(".")[:MOST_LETTERS]
        raise ValueError(f"Jano Sweep: the VAE cannot decode what this model makes ({told}).") from error


def _required(full: Tensor) -> Tensor:
    """Full, with which everything is compared; ValueError where it cannot be."""
    if not bool(full.isfinite().all()):
        raise ValueError(
            "Jano Sweep: the picture in full holds values that are not finite numbers, so it was not sampled or "
            "decoded right, and there is nothing to compare with."
        )
    return full


def _compared(row: SweepRow, full: Tensor, picture: Tensor | None) -> SweepRow:
    """With how close it came; what is not finite is no picture, and ends nothing."""
    if row.name == FULL or picture is None:
        return row
    if not bool(picture.isfinite().all()):
        return SweepRow(row.name, reason=NOT_FINITE)
    return replace(row, closeness=compare(full, picture))


def _facts(sampling: Sampling, model: ModelPatcher, full: Tensor) -> dict[str, object]:
    count, height, width = full.shape[:3]
    batch = batch_of(sampling.latent["samples"])
    frames = count // batch
    device = comfy.model_management.get_torch_device_name(model.load_device)
    return {
        "model": model_named(model),
        "size": f"{width} x {height}" + (f" x {frames}" if frames > 1 else ""),
        "batch": batch,
        "steps": len(sampling.sigmas) - 1,
        "sampler": shown_name(sampling.sampler),
        "cfg": told_number(sampling.guider, "cfg"),
        "seed": told_number(sampling.noise, "seed"),
        "device": device.partition(" : ")[0],
    }
