"""What a training run carries: weights, their running average, optimizer states; saving, exporting, meeting a peer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

STALE_SECONDS = 120


@dataclass
class TrainState:
    """A run between two steps; pictures counts the training pictures (or clips) seen."""

    model: nn.Module
    average: dict[str, Tensor]
    optimizers: list[torch.optim.Optimizer]
    pictures: int = 0


def split_parameters(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Matrices inside the blocks (for Muon) and everything else (for AdamW)."""
    inner = [p for name, p in model.named_parameters() if "blocks." in name and p.ndim == 2]
    outer = [p for name, p in model.named_parameters() if "blocks." not in name or p.ndim != 2]
    return inner, outer


def new_state(model: nn.Module) -> TrainState:
    """A run at its start: Muon for the block matrices and AdamW for the rest; rates are set at every step."""
    inner, outer = split_parameters(model)
    muon = torch.optim.Muon(inner, lr=1e-3, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW(outer, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)
    return TrainState(model, {name: value.clone() for name, value in model.state_dict().items()}, [muon, adamw])


def write(content: dict, path: Path) -> None:
    """torch.save that never leaves half a file."""
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.replace(path)


def save_state(state: TrainState, path: Path) -> None:
    """Writes a resumable checkpoint."""
    optimizers = [optimizer.state_dict() for optimizer in state.optimizers]
    rest = {"average": state.average, "optimizers": optimizers, "pictures": state.pictures}
    write({"model": state.model.state_dict(), **rest}, path)


def load_state(state: TrainState, path: Path, device: str) -> None:
    """Continues from a checkpoint."""
    stored = torch.load(path, map_location=device, weights_only=True)
    state.model.load_state_dict(stored["model"])
    state.average, state.pictures = stored["average"], stored["pictures"]
    for optimizer, content in zip(state.optimizers, stored["optimizers"], strict=True):
        optimizer.load_state_dict(content)


@torch.no_grad()
def follow(state: TrainState, decay: float) -> None:
    """Moves the running average of the weights towards the model."""
    for name, value in state.model.state_dict().items():
        state.average[name].lerp_(value, 1 - decay)


@torch.no_grad()
def meet(state: TrainState, side: int, own: Path, peer: Path) -> None:
    """Local SGD through files: leaves our weights, and averages with the peer's if they are fresh and of this size."""
    write({"model": state.model.state_dict(), "side": side}, own)
    if not peer.exists() or time.time() - peer.stat().st_mtime > STALE_SECONDS:
        return
    stored = torch.load(peer, map_location="cpu", weights_only=True)
    if stored["side"] == side:
        for name, value in state.model.state_dict().items():
            value.lerp_(stored["model"][name].to(value.device), 0.5)


def export(average: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Writes the averaged weights as the fp16 checkpoint that the stock loader reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({name: value.half().contiguous().cpu() for name, value in average.items()}, str(partial), metadata)
    partial.chmod(0o644)
    partial.replace(path)
