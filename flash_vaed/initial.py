"""A student before any training: what it shares with its teacher is copied, the rest cut out of the teacher's kernels.

`Kept` says which of the teacher's channels a student's layer stands for, by the name of a place: "upsamples.8" (a
stage's output), "upsamples.8.hidden" (between a block's convolutions) and so on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import SeparableCausalConv
from .least_squares import rank_one_kernels
from .selection import reconstruction
from .wan import CausalBlock, PictureBlock, WanStudent

Kept = dict[str, list[int]]

FINE = ("upsamples.7", *(f"upsamples.{place}{part}" for place in (8, 9, 10) for part in (".hidden", "")))
FINEST = ("upsamples.11", *(f"upsamples.{place}{part}" for place in (12, 13, 14) for part in (".hidden", "")))
PLACES = (*FINE, *FINEST)
"""Where channels are left out: at four times the latent's size, and at eight."""
BEFORE = {f"upsamples.{place}": f"upsamples.{place - 1}" for place in (8, 9, 10, 11, 12, 13, 14)}
CONVS = ((0, 2), (3, 6))
"""A block's residual branch: the place of each norm and of the convolution behind it."""


@torch.no_grad()
def copy_shared(student: WanStudent, teacher: WanStudent) -> None:
    """Every tensor that has the same name and shape in both: first convolutions, attention, doubling of time, norms."""
    theirs = teacher.state_dict()
    for name, value in student.state_dict().items():
        if name in theirs and theirs[name].shape == value.shape:
            value.copy_(theirs[name])


@torch.no_grad()
def set_separable(conv: SeparableCausalConv, weight: Tensor, bias: Tensor, tap_moments: Tensor | None = None) -> None:
    """The separable convolution closest to a full one."""
    depthwise, pointwise = rank_one_kernels(weight, tap_moments)
    conv.depthwise_conv.weight.copy_(depthwise)
    conv.depthwise_conv.bias.zero_()
    conv.pointwise_conv.weight.copy_(pointwise.reshape(conv.pointwise_conv.weight.shape))
    conv.pointwise_conv.bias.copy_(bias)


def separate(block: CausalBlock, original: nn.Module) -> None:
    """A block's full convolutions as separable ones, the shortcut exactly."""
    for _, place in CONVS:
        set_separable(block.residual[place], original.residual[place].weight, original.residual[place].bias)
    if block.shortcut is not None:
        set_separable(block.shortcut, original.shortcut.weight, original.shortcut.bias)
        scale = block.shortcut.depthwise_conv.weight.clone()
        block.shortcut.depthwise_conv.weight.data.fill_(1.0)
        block.shortcut.pointwise_conv.weight.data.mul_(scale.reshape(1, -1, 1, 1, 1))


@torch.no_grad()
def cut(conv: nn.Module, weight: Tensor, bias: Tensor, rows: list[int], columns: list[int]) -> None:
    """Some outputs and inputs of a teacher's kernel; where the student's has no time, the sum over time.

    The sum is exact where nothing moves.
    """
    kept = weight[rows][:, columns]
    conv.weight.copy_(kept.sum(2) if kept.ndim > conv.weight.ndim else kept)
    conv.bias.copy_(bias[rows])


@torch.no_grad()
def flatten_block(block: PictureBlock, original: nn.Module, name: str, kept: Kept, covariance: Tensor) -> None:
    """A pruned block of single frames, its shortcut from the channels that come in to those that go out."""
    before, hidden, after = kept[BEFORE[name]], kept[f"{name}.hidden"], kept[name]
    for (norm, conv), columns, rows in zip(CONVS, (before, hidden), (hidden, after), strict=True):
        block.residual[norm].gamma.copy_(original.residual[norm].gamma[columns][..., 0])
        cut(block.residual[conv], original.residual[conv].weight, original.residual[conv].bias, rows, columns)
    rebuilt = reconstruction(covariance, before)[after]
    block.shortcut.weight.copy_(rebuilt.reshape(block.shortcut.weight.shape))
    block.shortcut.bias.zero_()


@torch.no_grad()
def slice_student(student: WanStudent, teacher: WanStudent, kept: Kept, moments: dict[str, Tensor]) -> None:
    """The training-free student of the paper: copied, separated, cut. moments: covariances (C, C) by place."""
    ours, theirs = student.decoder, teacher.decoder
    copy_shared(student, teacher)
    for part, original in zip((*ours.middle, *ours.upsamples), (*theirs.middle, *theirs.upsamples), strict=True):
        if isinstance(part, CausalBlock):
            separate(part, original)
    for place, columns in ((7, None), (11, kept["upsamples.10"])):
        conv, original = ours.upsamples[place].resample[1], theirs.upsamples[place].resample[1]
        every = list(range(original.weight.shape[1]))
        cut(conv, original.weight, original.bias, kept[f"upsamples.{place}"], columns or every)
    for name, before in BEFORE.items():
        place = int(name.partition(".")[2])
        if isinstance(ours.upsamples[place], PictureBlock):
            flatten_block(ours.upsamples[place], theirs.upsamples[place], name, kept, moments[before])
    last = kept["upsamples.14"]
    ours.head[0].gamma.copy_(theirs.head[0].gamma[last])
    colours = list(range(theirs.head[2].weight.shape[0]))
    cut(ours.head[2], theirs.head[2].weight, theirs.head[2].bias, colours, last)
