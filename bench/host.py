"""ComfyUI inside this process, without its server. `enter` comes before any import of comfy."""

from __future__ import annotations

import logging
import os
import sys

import torch

from ..host.location import HostError, chosen_host, is_comfyui


def best_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def enter(device: str, torch_attention: bool = False, keep_weights: bool = True) -> None:
    """Put the chosen ComfyUI first on the path and bind it to `device` ("cpu" or "cuda"). HostError without one.

    `torch_attention` is the host's --use-pytorch-cross-attention, its choice on a GPU anyway. With
    `keep_weights` they stay on the GPU, where they are measured; else the host moves them as it does for its users.
    """
    folder = chosen_host().folder
    if not is_comfyui(folder):
        raise HostError(f"there is no ComfyUI in {folder}: run `make host`, or set COMFYUI_PATH.")
    if device == "cuda" and not torch.cuda.is_available():
        raise HostError("torch sees no CUDA device here: leave out --device cuda.")
    sys.path.insert(0, str(folder))
    from comfy.cli_args import args

    args.cpu = device == "cpu"
    args.use_pytorch_cross_attention = torch_attention
    args.highvram = keep_weights and device == "cuda"
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    logging.getLogger().setLevel(logging.ERROR)


def describe(device: str) -> dict[str, object]:
    """Where and with what a measurement was made, for its JSON."""
    from comfyui_version import __version__

    name = torch.cuda.get_device_name() if device == "cuda" else _processor()
    return {
        "device": device,
        "device_name": name,
        "torch": torch.__version__,
        "comfyui": __version__,
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "CPU"
