"""A student before any training: what it shares with its teacher is copied, the rest cut out of the teacher's kernels.

`Kept` says which of the teacher's channels a student's layer stands for, by place (family.py).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .least_squares import rank_one_kernels
from .parts import Part, Separable, Taps, is_separable
from .selection import reconstruction
from .streaming import StreamedDecoder

Kept = dict[str, list[int]]


@torch.no_grad()
def slice_student(student: StreamedDecoder, teacher: StreamedDecoder, kept: Kept, moments: dict[str, Tensor]) -> None:
    """The training-free student of the paper: copied, separated, cut. moments: covariances (C, C) by place."""
    copy_shared(student, teacher)
    before = ""
    for (name, part), (_, original) in zip(student.decoder.stages(), teacher.decoder.stages(), strict=True):
        if is_separable(part):
            separate(part, original)
        elif isinstance(part, Part) and len(part.convs) == 2:
            cut_block(part, original, name, before, kept, moments)
        elif isinstance(part, Part) and not kept.keys().isdisjoint((name, before)):
            cut_norms(part, original, [kept.get(before)])
            cut(part.convs[0], original.convs[0], kept_rows(part, kept.get(name)), kept.get(before))
        before = name


@torch.no_grad()
def copy_shared(student: StreamedDecoder, teacher: StreamedDecoder) -> None:
    """Every tensor that has the same name and shape in both: first convolutions, attention, doubling of time, norms."""
    theirs = teacher.state_dict()
    for name, value in student.state_dict().items():
        if name in theirs and theirs[name].shape == value.shape:
            value.copy_(theirs[name])


def separate(part: Part, original: Part) -> None:
    """A block's full convolutions as separable ones, the shortcut exactly."""
    for conv, full in zip(part.convs, original.convs, strict=True):
        set_separable(conv, in_reach(full.weight, original.taps, part.taps), full.bias)
    if part.mix is not None:
        set_separable(part.mix, original.mix.weight, original.mix.bias)
        depthwise, pointwise = part.mix.two
        pointwise.weight.data.mul_(depthwise.weight.reshape(1, -1, 1, 1, 1))
        depthwise.weight.data.fill_(1.0)


@torch.no_grad()
def set_separable(conv: Separable, weight: Tensor, bias: Tensor, tap_moments: Tensor | None = None) -> None:
    """The separable convolution closest to a full one."""
    (depthwise, pointwise), kernels = conv.two, rank_one_kernels(weight, tap_moments)
    for layer, kernel in zip((depthwise, pointwise), kernels, strict=True):
        layer.weight.copy_(kernel.reshape(layer.weight.shape))
    depthwise.bias.zero_()
    pointwise.bias.copy_(bias)


def in_reach(weight: Tensor, theirs: Taps, ours: Taps) -> Tensor:
    """A kernel (O, C, kt, kh, kw) for taps that reach less far ahead: the later ones meet the last that is seen.

    Exact where nothing moves.
    """
    late = theirs.after - ours.after
    if late <= 0:
        return weight
    seen = F.pad(weight[:, :, :-late], (0, 0, 0, 0, late, 0))
    seen[:, :, -1] += weight[:, :, -late:].sum(2)
    return seen


@torch.no_grad()
def cut(conv: nn.Module, original: nn.Module, rows: list[int] | None, columns: list[int] | None) -> None:
    """Some outputs and inputs of a teacher's kernel, None: all; where the student's has no time, the sum over time.

    The sum is exact where nothing moves.
    """
    kept = original.weight if columns is None else original.weight[:, columns]
    kept, bias = (value if rows is None else value[rows] for value in (kept, original.bias))
    conv.weight.copy_(kept.sum(2) if kept.ndim > conv.weight.ndim else kept)
    conv.bias.copy_(bias)


@torch.no_grad()
def cut_norms(part: Part, original: Part, kept: list[list[int] | None]) -> None:
    """The weights of the norms ahead of a part's convolutions."""
    for norm, full, columns in zip(part.norms, original.norms, kept, strict=False):
        gamma = full.gamma if columns is None else full.gamma[columns]
        norm.gamma.copy_(gamma.reshape(norm.gamma.shape))


def kept_rows(part: Part, channels: list[int] | None) -> list[int] | None:
    """Which of a kernel's rows make these channels."""
    return channels and [part.rows * channel + row for channel in channels for row in range(part.rows)]


@torch.no_grad()
def cut_block(part: Part, original: Part, name: str, before: str, kept: Kept, moments: dict[str, Tensor]) -> None:
    """A pruned block, its shortcut from the channels that come in to those that go out."""
    into, hidden, after = kept.get(before), kept[f"{name}.hidden"], kept[name]
    cut_norms(part, original, [into, hidden])
    cut(part.convs[0], original.convs[0], hidden, into)
    cut(part.convs[1], original.convs[1], after, hidden)
    shortcut, bias = whole_shortcut(part, original, into, moments.get(before), len(moments[name]))
    if into is not None:
        shortcut = shortcut @ reconstruction(moments[before], into)
    part.mix.weight.copy_(shortcut[after].reshape(part.mix.weight.shape))
    part.mix.bias.copy_(bias[after])


def whole_shortcut(
    part: Part, original: Part, into: list[int] | None, moments: Tensor | None, width: int
) -> tuple[Tensor, Tensor]:
    """The teacher's shortcut as a mix of all channels: (C, C') in float64 and (C,).

    Where the student alone has a norm there, it is taken for one by the channels' usual size.
    """
    if original.mix is not None:
        cut_layer_norm(part.mix_norm, original.mix_norm, into)
        return original.mix.weight.flatten(1).double().cpu(), original.mix.bias
    size = 1.0 if part.mix_norm is None else moments.diagonal()[into].mean().sqrt()
    return size * torch.eye(width, dtype=torch.float64), torch.zeros(width)


def cut_layer_norm(norm: nn.Module, original: nn.Module, columns: list[int] | None) -> None:
    for value, full in zip(norm.parameters(), original.parameters(), strict=True):
        value.copy_(full if columns is None else full[columns])
