"""Flux.1 (dev, schnell, Kontext), Flux.2 and Chroma: double blocks on (text, image), single blocks on [text, image]."""

from __future__ import annotations

import comfy.ldm.chroma.model
import comfy.ldm.flux.model
from torch import Tensor, nn

from .taps import Tap, scatter
from .tokens import BlockPass

NAME = "Flux"
MODELS = (comfy.ldm.flux.model.Flux, comfy.ldm.chroma.model.Chroma)


def width(model: nn.Module) -> int:
    """Channels of one key or value over all heads."""
    return model.hidden_size


def num_front(model: nn.Module, conds: dict) -> int:
    """Image tokens in front of the latent's own: none, references follow them."""
    return 0


def taps(model: nn.Module) -> list[Tap]:
    double = [Tap(("double", i), block, 1, _enter_double, _leave_double) for i, block in enumerate(model.double_blocks)]
    single = [Tap(("single", i), block, 1, _enter_single, _leave_single) for i, block in enumerate(model.single_blocks)]
    return double + single


def _enter_double(arguments: dict, block: BlockPass) -> None:
    rows, img = block.rows, arguments["img"]
    rows.settle(arguments["txt"].shape[1], img.shape[1])
    if not rows.partial:
        return
    block.residual = img
    arguments["img"] = img.index_select(1, rows.image)
    arguments["pe"] = rows.gather_joint(arguments["pe"], 2)
    if arguments.get("modulation_dims_img") is not None:
        arguments["modulation_dims_img"] = rows.ranges(arguments["modulation_dims_img"], 0)


def _leave_double(block: BlockPass, output: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    img, txt = output
    return scatter(block.residual, block.rows.image, img), txt


def _enter_single(arguments: dict, block: BlockPass) -> None:
    rows, x = block.rows, arguments["x"]
    num_text = arguments["transformer_options"]["img_slice"][0]  # the double blocks may all be left out
    rows.settle(num_text, x.shape[1] - num_text)
    if not rows.partial:
        return
    block.residual = x
    arguments["x"] = x.index_select(1, rows.joint)
    arguments["pe"] = rows.gather_joint(arguments["pe"], 2)
    if arguments.get("modulation_dims") is not None:
        arguments["modulation_dims"] = rows.ranges(arguments["modulation_dims"], num_text)


def _leave_single(block: BlockPass, x: Tensor) -> Tensor:
    return scatter(block.residual, block.rows.joint, x)
