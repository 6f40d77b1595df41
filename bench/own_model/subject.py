"""A user's model as it will be sampled, through the host's own loaders."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields, replace
from pathlib import Path

import comfy.samplers
import comfy.sd
import comfy.utils
import folder_paths
import node_helpers
import torch
from comfy.model_patcher import ModelPatcher
from comfy.model_sampling import ModelSamplingDiscreteFlow
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from torch import Tensor

from ...host.location import USAGE, HostError
from ...jano.adapters.patch import load_model
from .. import demo_models
from .usual import Usual, usual_of

PROMPT = "a lighthouse on a rocky coast at dusk, waves breaking below, warm light in its windows, detailed photograph"
FEW_NAMES = 5
LIKE_SD = "sdxl"  # a type of the host's Load CLIP that is no type of its own


@dataclass(frozen=True)
class Subject:
    """`how` is complete; `latent` is empty, (1, channels, [frames,] height, width)."""

    name: str
    family: str
    model: ModelPatcher
    vae: comfy.sd.VAE
    positive: list
    negative: list
    latent: Tensor
    how: Usual
    seed: int


def subject_of(args: argparse.Namespace) -> Subject:
    """From the command line; HostError with a sentence where it names nothing that can be sampled."""
    if args.checkpoint is None and args.unet is None:
        if args.clip or args.vae:
            raise HostError("name the model too: --checkpoint for a file that has everything, or --unet.", USAGE)
        return _demo(args)
    model, clip, vae, name = _from_checkpoint(args) if args.unet is None else _from_parts(args)
    config = type(model.model.model_config)
    how = chosen(args, usual_of(config))
    clip = clip or _clip(args, how)
    vae = vae or _vae(args)
    return Subject(
        name,
        config.__name__,
        shifted(model, how.shift, said=args.shift is not None),
        vae,
        encoded(clip, args.prompt or PROMPT, how.guidance),
        encoded(clip, args.negative, how.guidance),
        empty_latent(model, how),
        how,
        args.seed,
    )


def _demo(args: argparse.Namespace) -> Subject:
    """The demo's tiny model, with a prompt in its own words: what this does without a model of one's own."""
    if args.model not in demo_models.KINDS:
        raise HostError(f"mine measures files, or the demo's {' and '.join(demo_models.KINDS)}.", USAGE)
    demo = demo_models.load(args.model, None, args.side)
    kind, text = demo.kind, args.prompt or demo_models.KINDS[args.model].prompts.read_text().splitlines()[0]
    size = {"width": 8 * kind.latent[-1], "height": 8 * kind.latent[-2]}
    frames = 4 * kind.latent[2] - 3 if len(kind.latent) == 5 else 1
    usual = Usual(kind.steps, kind.cfg, kind.sampler, frames=frames, shift=kind.shift, **size)
    how = replace(chosen(args, usual), shift=kind.shift, frames=frames, **size)
    sides = kind.conditioning(text), kind.conditioning("")
    family = type(demo.model.model.model_config).__name__
    return Subject(f"tiny {kind.name}", family, demo.model, demo.vae, *sides, torch.zeros(kind.latent), how, args.seed)


def chosen(args: argparse.Namespace, usual: Usual) -> Usual:
    """The family's values, but for those that the user named. HostError for names that the host does not know."""
    said = {field.name: getattr(args, field.name) for field in fields(usual) if getattr(args, field.name) is not None}
    if "steps" in said:
        said["steps"] = said["steps"][0]
    how = replace(usual, **said)
    _require(how.sampler, comfy.samplers.SAMPLER_NAMES, "sampler")
    _require(how.scheduler, comfy.samplers.SCHEDULER_NAMES, "scheduler")
    _require(how.clip_type, [*(kind.name.lower() for kind in comfy.sd.CLIPType), LIKE_SD], "clip type")
    if min(how.steps, how.width, how.height, how.frames) < 1:
        raise HostError("steps, width, height and frames must be 1 or more.", USAGE)
    return how


def _require(name: str, known: list[str], what: str) -> None:
    if name not in known:
        raise HostError(f"the host has no {what} {name!r}; choose one of {', '.join(known)}.", USAGE)


# --- files


def found(name: Path, folder: str) -> str:
    """The path of a file that is named by its path, or by its name in a folder of ComfyUI's models."""
    if name.expanduser().is_file():
        return _readable(name.expanduser())
    if path := folder_paths.get_full_path(folder, str(name)):
        return _readable(Path(path))
    there = folder_paths.get_filename_list(folder)
    more = f" and {len(there) - FEW_NAMES} more" if len(there) > FEW_NAMES else ""
    has = f"which has {', '.join(there[:FEW_NAMES])}{more}" if there else "which has none"
    raise HostError(f"there is no file {name}, nor one of that name in models/{folder}, {has}.", USAGE)


def _readable(path: Path) -> str:
    if path.suffix == ".gguf":
        raise HostError(f"{path.name} is a GGUF file, which needs a custom node; name a safetensors file.", USAGE)
    return str(path)


def _from_checkpoint(args: argparse.Namespace) -> tuple:
    path = found(args.checkpoint, "checkpoints")
    with _told(path, "checkpoint"):
        folders = folder_paths.get_folder_paths("embeddings")
        model, clip, vae = comfy.sd.load_checkpoint_guess_config(path, embedding_directory=folders)[:3]
    if model is None:
        raise HostError(f"{Path(path).name} holds no diffusion model.", USAGE)
    return model, None if args.clip else clip, None if args.vae else vae, Path(path).name


def _from_parts(args: argparse.Namespace) -> tuple:
    path = found(args.unet, "diffusion_models")
    with _told(path, "diffusion model"):
        return load_model(path, args.weight_dtype), None, None, Path(path).name


def _clip(args: argparse.Namespace, how: Usual) -> comfy.sd.CLIP:
    if not args.clip:
        raise HostError("no text encoder was named, and the file has none: --clip with one or more.", USAGE)
    paths = [found(name, "text_encoders") for name in args.clip]
    with _told(", ".join(paths), "text encoder"):
        kind = getattr(comfy.sd.CLIPType, how.clip_type.upper(), comfy.sd.CLIPType.STABLE_DIFFUSION)
        return comfy.sd.load_clip(paths, folder_paths.get_folder_paths("embeddings"), kind)


def _vae(args: argparse.Namespace) -> comfy.sd.VAE:
    if args.vae is None:
        raise HostError("no VAE was named, and the file has none: --vae.", USAGE)
    path = found(args.vae, "vae")
    with _told(path, "VAE"):
        state, metadata = comfy.utils.load_torch_file(path, return_metadata=True)
        vae = comfy.sd.VAE(sd=state, metadata=metadata)
        vae.throw_exception_if_invalid()
    return vae


def told_first(error: Exception) -> str:
    """The first sentence of what an error says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0].removesuffix(".") + "."


class _told:
    """Whatever a loader stumbles over becomes one sentence."""

    def __init__(self, path: str, what: str) -> None:
        self._path, self._what = path, what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: Exception | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, HostError):
            raise HostError(f"{self._path} does not load as a {self._what}: {told_first(error)}", USAGE) from error


# --- what is sampled


def shifted(model: ModelPatcher, shift: float | None, said: bool) -> ModelPatcher:
    """With another shift of its sigmas; a family's usual one only where the model has one."""
    if shift is None:
        return model
    if not isinstance(model.get_model_object("model_sampling"), ModelSamplingDiscreteFlow):
        if said:
            raise HostError("this model has no shift to set: leave out --shift.", USAGE)
        return model
    multiplier = (model.model.model_config.sampling_settings or {}).get("multiplier", 1000)
    return ModelSamplingSD3().patch(model, shift, multiplier)[0]


def encoded(clip: comfy.sd.CLIP, text: str, guidance: float | None) -> list:
    conditioning = clip.encode_from_tokens_scheduled(clip.tokenize(text))
    if guidance is None:
        return conditioning
    return node_helpers.conditioning_set_values(conditioning, {"guidance": guidance})


def empty_latent(model: ModelPatcher, how: Usual) -> Tensor:
    """As the family's own node makes it, by what the host knows of its latents."""
    format_ = model.get_model_object("latent_format")
    if format_.latent_dimensions == 1:
        raise HostError("this model makes sound, which this does not measure.", USAGE)
    scale = format_.spacial_downscale_ratio
    if how.width % scale or how.height % scale:
        raise HostError(f"width and height must be multiples of {scale} with this model.", USAGE)
    frames = [(how.frames - 1) // format_.temporal_downscale_ratio + 1] if format_.latent_dimensions == 3 else []
    return torch.zeros([1, format_.latent_channels, *frames, how.height // scale, how.width // scale])
