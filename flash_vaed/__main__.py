"""Makes a fast decoder from a VAE in the layout of Wan 2.1 or of LTX-Video 0.9. Run it in the folder of this pack.

    python -m flash_vaed --vae wan_2.1_vae.safetensors --out my_fast_decoder.safetensors --clips output/latents/*.latent
    python -m flash_vaed --vae ... --out ... --clips *.webp --device cuda --steps 20000
    python -m flash_vaed --vae ltx-video-2b-v0.9.safetensors --keep 0.25 0.25 --window 8 3 --out ... --clips ...

Clips are latents as the node Save Latent writes them (or safetensors with one tensor), or pictures and animations,
which ComfyUI's VAE encodes: COMFYUI_PATH says where ComfyUI is, if this pack is not in its custom_nodes. A run that was
interrupted goes on when it is started again. Nothing is downloaded or overwritten.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from .account import markdown
from .compress import Recipe
from .distill import Plan, phase_steps
from .lessons import Size
from .make import Order, make_student
from .streaming import StreamedDecoder
from .teachers import teacher_from
from .weights import read_metadata, read_weights, vae_in

PACK = Path(__file__).resolve().parents[1]
RECIPE, PLAN, SIZE = Recipe(), Plan(), Size()
LINE_EVERY = 10.0
"""Seconds between lines of progress."""
LATENT_SUFFIXES = (".latent", ".safetensors")
OLD_LATENT_SCALE = 1 / 0.18215
"""Save Latent's first format divided by the scale of Stable Diffusion's latents."""


def parse_args(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m flash_vaed", None, __doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--vae", type=Path, required=True, help="the VAE to learn from")
    parser.add_argument("--out", type=Path, required=True, help="the file to make, .safetensors")
    parser.add_argument("--clips", type=Path, nargs="+", required=True, help="latents, or pictures and animations")
    parser.add_argument("--keep", type=float, nargs=2, default=RECIPE.ratio, metavar=("FINE", "FINEST"))
    parser.add_argument("--explained", type=float, default=RECIPE.explained, help="share of variance, not --keep")
    parser.add_argument("--steps", type=int, default=sum(PLAN.steps))
    parser.add_argument("--rate", type=float, default=PLAN.rate)
    parser.add_argument("--batch", type=int, default=PLAN.batch)
    parser.add_argument("--window", type=int, nargs=2, default=(SIZE.side, SIZE.frames), metavar=("SIDE", "LATENTS"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--lpips", type=Path, help="weights of LPIPS (AlexNet) as safetensors")
    args = parser.parse_args(arguments)
    if args.out.suffix != ".safetensors":
        parser.error(f"--out must end in .safetensors, but is {args.out}")
    for path in (args.vae, *args.clips, *([args.lpips] if args.lpips else [])):
        if not path.is_file():
            parser.error(f"there is no file {path}")
    try:
        torch.empty(0, device=args.device)
    except (RuntimeError, AssertionError) as error:
        parser.error(f"--device: {str(error).splitlines()[0]}")
    return args


def order_of(args: argparse.Namespace) -> Order:
    recipe = Recipe(tuple(args.keep), args.explained, seed=args.seed)
    return Order(
        args.out, recipe, Plan(phase_steps(args.steps), args.rate, args.batch, Size(*args.window), seed=args.seed)
    )


def read_clips(paths: list[Path], vae: Path, device: str) -> list[Tensor]:
    """All clips as latents (C, T, h, w)."""
    latents = [path for path in paths if path.suffix in LATENT_SUFFIXES]
    pictures = [path for path in paths if path.suffix not in LATENT_SUFFIXES]
    clips = [clip for path in latents for clip in read_latents(path)]
    if pictures:
        encode = host_encoder(vae, device)
        clips += [encoded(path, encode) for path in pictures]
    return clips


def read_latents(path: Path) -> list[Tensor]:
    """The clips of one file. ValueError with a sentence where it does not hold one latent of clips."""
    tensors = read_weights(path)
    old = "latent_tensor" in tensors and "latent_format_version_0" not in tensors
    found = [value.float() for name, value in tensors.items() if name != "latent_format_version_0"]
    if len(found) != 1:
        raise ValueError(f"{path} holds {len(found)} tensors, not one latent: write it with Save Latent.")
    if found[0].ndim != 5:
        raise ValueError(
            f"The latent in {path} has the shape {tuple(found[0].shape)}, and whether that is a clip or a batch of "
            "pictures is not known: write it as (batch, channels, time, height, width), with a time of 1 for pictures."
        )
    return list(found[0] * (OLD_LATENT_SCALE if old else 1.0))


def encoded(path: Path, encode: Callable[[Tensor], Tensor]) -> Tensor:
    """The latent (C, T, h, w) of a picture or an animation. ValueError with a sentence where there is none."""
    frames = read_frames(path)
    try:
        return encode(frames)[0].float().cpu()
    except Exception as error:  # whatever the host's encoder does with pictures of unforeseen sizes
        size = f"{frames.shape[2]} x {frames.shape[1]}"
        raise ValueError(f"The VAE cannot encode {path} ({size} pixels): {in_one_line(error)}") from error


def read_frames(path: Path) -> Tensor:
    """A picture or an animation as frames (F, H, W, 3) in 0 to 1. ValueError with a sentence if it is none."""
    from PIL import Image, ImageSequence

    try:
        with Image.open(path) as picture:
            frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(picture)]
    except Exception as error:  # PIL raises errors of many kinds at what is no picture
        raise ValueError(f"{path} is neither a latent nor a picture: {in_one_line(error)}") from error
    data = torch.stack([torch.frombuffer(bytearray(frame.tobytes()), dtype=torch.uint8) for frame in frames])
    return data.reshape(len(frames), frames[0].height, frames[0].width, 3).float() / 255


def in_one_line(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0] if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}, {lines[0]}"


def host_encoder(vae: Path, device: str) -> Callable[[Tensor], Tensor]:
    """ComfyUI's encoder of the VAE. ValueError with a sentence where there is no ComfyUI, or no encoder."""
    folder = Path(os.environ.get("COMFYUI_PATH") or PACK.parents[1])
    if not (folder / "comfy" / "sd.py").is_file():
        raise ValueError(f"There is no ComfyUI in {folder} to encode pictures with: set COMFYUI_PATH, or give latents.")
    weights = dict(vae_in(read_weights(vae)))
    # The host would make an encoder of random weights in LTX-Video's layout.
    if not any(name.startswith("encoder.") for name in weights):
        raise ValueError(f"{vae} has no encoder, so it cannot encode pictures: give latents, or the whole VAE.")
    # In front of this pack, whose folder `nodes` must not hide the host's module of that name.
    sys.path.insert(0, str(folder))
    from comfy.cli_args import args

    args.cpu = device == "cpu"
    from comfy.sd import VAE

    try:
        loaded = VAE(sd=weights, metadata=read_metadata(vae))
        loaded.throw_exception_if_invalid()
    except Exception as error:  # the host has no errors of its own for files that it does not know
        raise ValueError(
            f"ComfyUI cannot load {vae} to encode pictures with ({in_one_line(error)}): give latents."
        ) from error
    return torch.inference_mode()(loaded.encode)


def read_teacher(path: Path) -> StreamedDecoder:
    """The decoder to learn from, by its file."""
    weights = vae_in(read_weights(path))
    try:
        config = json.loads(read_metadata(path).get("config", "{}")).get("vae")
    except (json.JSONDecodeError, AttributeError) as error:
        raise ValueError(f"{path} has a configuration in its metadata that cannot be read.") from error
    return teacher_from(weights, config)


@dataclass
class Terminal:
    """Plain lines of progress: one every few seconds, and one whenever something else begins."""

    start: float = field(default_factory=time.monotonic)
    said: float = -LINE_EVERY
    last: str = ""

    def __call__(self, step: int, steps: int, what: str, loss: float | None) -> None:
        now = time.monotonic() - self.start
        if what != self.last or now - self.said >= LINE_EVERY:
            told = "" if loss is None else f"  loss {loss:.4f}"
            sys.stderr.write(f"{now:7.0f} s  {step:6} of {steps}  {what}{told}\n")
            self.said, self.last = now, what


def perceptual_of(path: Path, device: str) -> Callable[[Tensor, Tensor], Tensor]:
    """LPIPS with the user's weights."""
    from jano.show.lpips import FILE, complaint, lpips

    weights = {name: value.float().to(device) for name, value in read_weights(path).items()}
    if wrong := complaint(weights):
        raise ValueError(wrong.replace(f"models/{FILE}", str(path)) + ".")
    return partial(lpips, weights=weights)


def main(arguments: list[str]) -> int:
    args = parse_args(arguments)
    try:
        teacher = read_teacher(args.vae)
        clips = [clip.clone() for clip in read_clips(args.clips, args.vae, args.device)]
        perceptual = args.lpips and perceptual_of(args.lpips, args.device)
        device = torch.device(args.device)
        report = make_student(teacher, clips, order_of(args), device, perceptual, Terminal())
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. The same command goes on where the training was.\n")
        return 130
    sys.stdout.write(markdown(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
