"""What fast decoders save at their real widths: operations for a frame, time and, on a GPU, memory; random weights.

Speed does not depend on what the weights are. All decoders of a model take turns in one process, at the size of a clip
on a GPU and of a scrap of one on a CPU.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import comfy.ops
import torch
from comfy.ldm.lightricks.vae.causal_video_autoencoder import VideoVAE
from comfy.ldm.wan.vae import WanVAE
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from ..flash_vaed.ltx import LTXStudent
from ..flash_vaed.wan import WanStudent
from .host import describe
from .records import Row, save
from .stats import median
from .timing import against, interleaved, timer_name

OPERATIONS = comfy.ops.disable_weight_init
LIGHTVAE_WIDTH = 24


@dataclass(frozen=True)
class Model:
    """A video model's VAE and what decodes in its place; latents (channels, T, H, W)."""

    name: str
    decoders: dict[str, Callable[[], nn.Module]]
    clip: tuple[int, ...]
    """81 frames at 480 x 832."""
    scrap: tuple[int, ...]
    """9 frames of 128 x 128."""
    step: int
    """Frames for every latent but the first."""


def wan_vae(width: int) -> WanVAE:
    return WanVAE(width, 16, [1, 2, 4, 4], 2, [], [False, True, True])


MODELS = (
    Model(
        "Wan 2.1",
        {
            "VAE": lambda: wan_vae(96),
            "Flash-VAED": lambda: WanStudent(operations=OPERATIONS),
            "Flash-VAED, upsampling in two steps": lambda: WanStudent(operations=OPERATIONS, naive=True),
            "the VAE's layout at LightVAE's width": lambda: wan_vae(LIGHTVAE_WIDTH),
        },
        (16, 21, 60, 104),
        (16, 3, 16, 16),
        4,
    ),
    Model(
        "LTX-Video 0.9",
        {"VAE": lambda: VideoVAE(0), "Flash-VAED": lambda: LTXStudent(operations=OPERATIONS)},
        (128, 11, 15, 26),
        (128, 2, 4, 4),
        8,
    ),
)


def measure(args: argparse.Namespace) -> None:
    with torch.inference_mode():
        models = [measure_model(model, args.device, args.rounds) for model in MODELS]
    about = {**describe(args.device), "clock": timer_name(args.device), "rounds": args.rounds}
    save(args.out / f"vae_decoders_{args.device}.json", {**about, "models": models})


def measure_model(model: Model, device: str, rounds: int) -> Row:
    torch.manual_seed(0)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    shape = model.clip if device == "cuda" else model.scrap
    made = {name: filled(make(), device, dtype) for name, make in model.decoders.items()}
    z = torch.randn(1, *shape).to(device, dtype)
    sides = {name: lambda decoder=decoder: decoder.decode(z) for name, decoder in made.items()}
    peaks = {name: peak_bytes(side, device) for name, side in sides.items()}  # and everything has run once
    seconds = interleaved(sides, rounds, device)
    rows = [
        {
            "decoder": name,
            "parameters": decoder_parameters(made[name]),
            "flops_a_frame": flops_a_frame(make, model.clip),
            "seconds": median(seconds[name]),
            "times_as_fast": against(seconds, "VAE", name),
            "peak_bytes": peaks[name],
        }
        for name, make in model.decoders.items()
    ]
    frames, height, width = frames_of(made["Flash-VAED"], shape)
    return {"model": model.name, "frames": frames, "height": height, "width": width, "dtype": str(dtype), "rows": rows}


def filled(decoder: nn.Module, device: str, dtype: torch.dtype) -> nn.Module:
    """With weights of ordinary sizes: what memory held before may be denormal, which is slow."""
    for name, value in decoder.state_dict().items():
        value.normal_(std=1 / math.sqrt(max(1, math.prod(value.shape[1:]))))
        if name.endswith(("gamma", "norm3.weight")):
            value.add_(1)
    return decoder.to(device, dtype).eval()


def frames_of(decoder: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    return decoder.decode_output_shape(torch.Size((1, *shape)))[2:]


def decoder_parameters(module: nn.Module) -> int:
    return sum(value.numel() for name, value in module.named_parameters() if name.startswith(("decoder.", "conv2.")))


def peak_bytes(decode: Callable[[], Tensor], device: str) -> int | None:
    """The most memory of the GPU beside what was in use before; None on a CPU."""
    if device != "cuda":
        decode()
        return None
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    decode()
    return torch.cuda.max_memory_allocated() - before


def flops_a_frame(make: Callable[[], nn.Module], clip: tuple[int, ...]) -> float:
    """Of the whole clip; nothing is computed for that."""
    with FakeTensorMode(), FlopCounterMode(display=False) as counter:
        frames = make().decode(torch.empty(1, *clip))
    return counter.get_total_flops() / frames.shape[2]
