"""Wan 2.1 and 2.2 (T2V, I2V, 5B, VACE, camera): one stream [reference, video, more]; text by cross-attention.

The text's keys and values are the same in every step, but they are not cached: projecting 512 tokens takes 2048 d^2
operations a block, of the N (12 d^2 + 4 d f + 4 N d + 2048 d) of a full step (f: width of the feed-forward). That is
0.05 % for the 1.3B at 832 x 480 and 0.03 % for the 14B at 1280 x 720, both at 81 frames; 0.2 % and 0.1 % of a step
that computes a quarter of the tokens. The cache would take 94 MB and 419 MB per conditioning (16 bit).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..latents import WAN
from .taps import Tap, scatter
from .tokens import BlockPass, TokenRows

NAME = "Wan"
MODELS = WAN


def width(model: nn.Module) -> int:
    """Channels of one key or value over all heads."""
    return model.dim


def num_front(model: nn.Module, conds: dict) -> int:
    """Tokens of a full reference image, which stand in front of the video's."""
    reference = conds.get("reference_latent")
    if reference is None or getattr(model, "ref_conv", None) is None:
        return 0
    return (reference.shape[-2] // model.patch_size[1]) * (reference.shape[-1] // model.patch_size[2])


def taps(model: nn.Module) -> list[Tap]:
    leaves = [_leave_first, *[_leave] * (len(model.blocks) - 1)]
    return [
        Tap(("block", i), block, _attentions(block), _enter, leave)
        for i, (block, leave) in enumerate(zip(model.blocks, leaves, strict=True))
    ]


def _attentions(block: nn.Module) -> int:
    """Over the tokens themselves, over the text, and over a picture where the model takes one."""
    return 3 if hasattr(getattr(block, "cross_attn", None), "k_img") else 2


def _enter(arguments: dict, block: BlockPass) -> None:
    rows, x = block.rows, arguments["x"]
    rows.settle(rows.num_front, x.shape[1] - rows.num_front)
    if not rows.partial:
        return
    block.residual = x
    arguments["x"] = x.index_select(1, rows.joint)
    arguments["freqs"] = rows.gather_joint(arguments["freqs"], 1)
    arguments["e"] = _modulation(rows, arguments["e"])


def _modulation(rows: TokenRows, e: Tensor) -> Tensor:
    """Modulation of the computed tokens. One per clip stays as it is; one per frame (5B) is spread over the tokens
    the way the host does, which counts every token of the sequence."""
    if e.ndim < 4 or e.shape[1] == 1:
        return e
    per_frame = -(-rows.layout.length // e.shape[1])
    return rows.once(e, lambda: e.index_select(1, torch.div(rows.joint, per_frame, rounding_mode="floor")))


def _leave(block: BlockPass, x: Tensor) -> Tensor:
    return scatter(block.residual, block.rows.joint, x)


def _leave_first(block: BlockPass, x: Tensor) -> Tensor:
    """VACE keeps the first block's input for its own blocks: that one is not written into."""
    return block.residual.index_copy(1, block.rows.joint, x)
