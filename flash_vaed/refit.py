"""A student's layers solved one after the other, each from what the student itself feeds it.

So a layer also makes up for what those before it have lost. In a block the first convolution aims at the teacher's
features between the convolutions, the second, together with the shortcut, at the block's output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .initial import Kept, set_separable
from .layers import RMSNorm, SeparableCausalConv, framewise
from .least_squares import NormalEquations, at, patches, random_places
from .wan import CausalBlock, PictureBlock, Upsample, WanStudent
from .wan_teacher import run_stage, stages

MOST_UNKNOWNS = 4096
"""Of one output channel; layers with more keep the teacher's kernel. The released decoder's largest has 3457."""
PER_UNKNOWN = 24
"""Samples for each unknown, spread over the windows."""
CUBE, SQUARE, POINT = (3, 3, 3), (1, 3, 3), (1, 1, 1)

Features = list[Tensor]
"""One for each window: (B, C, T, H, W)."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Lesson:
    """A stage on the windows: what enters the student's, and of the teacher's what enters, lies between the
    convolutions of a block (elsewhere nothing), and comes out."""

    ours: Features
    entered: Features
    hidden: Features
    after: Features
    generator: torch.Generator

    def equations(self, inputs: list[tuple[Features, tuple[int, int, int]]], targets: Features) -> NormalEquations:
        """Normal equations from the patches of all inputs together to the targets, at random places."""
        sizes = [features[0].shape[1] * kernel[0] * kernel[1] * kernel[2] for features, kernel in inputs]
        equations = NormalEquations.of_size(sum(sizes), targets[0].shape[1])
        wanted = PER_UNKNOWN * (sum(sizes) + 1) // len(targets) + 1
        for index, target in enumerate(targets):
            places = random_places(target, wanted, self.generator)
            seen = [patches(features[index], kernel, places) for features, kernel in inputs]
            equations.add(torch.cat(seen, dim=1), at(target, places))
        return equations


@torch.no_grad()
def refit(
    student: WanStudent,
    teacher: WanStudent,
    kept: Kept,
    windows: list[Tensor],
    seed: int,
    tell: Tell = lambda name: None,
) -> None:
    """Solves all layers that the student does not share with its teacher. windows: latents, each (B, 16, T, h, w)."""
    generator = torch.Generator().manual_seed(seed)
    ours = entered = [student.conv2(window) for window in windows]
    for (name, stage), (_, original) in zip(stages(student.decoder), stages(teacher.decoder), strict=True):
        tell(name)
        hidden, after = teacher_features(original, entered)
        solve_stage(name, stage, original, Lesson(ours, entered, hidden, after, generator), kept)
        ours, entered = [run_stage(stage, x, {}) for x in ours], after


def teacher_features(stage: nn.Module, entered: Features) -> tuple[Features, Features]:
    """A block's features between its convolutions, none elsewhere, and a stage's outputs."""
    hidden: Features = []
    conv = stage.residual[2] if hasattr(stage, "residual") else None
    hook = conv and conv.register_forward_hook(lambda module, inputs, output: hidden.append(output))
    after = [run_stage(stage, x, {}) for x in entered]
    if hook:
        hook.remove()
    return hidden, after


def solve_stage(name: str, stage: nn.Module, original: nn.Module, lesson: Lesson, kept: Kept) -> None:
    """Sets one stage of the student; those that are as the teacher's stay so."""
    if isinstance(stage, CausalBlock):
        solve_separable_block(stage, original, lesson)
    elif isinstance(stage, PictureBlock):
        solve_picture_block(stage, lesson, kept[f"{name}.hidden"], kept[name])
    elif isinstance(stage, Upsample) and name in kept:
        solve_upsample(stage, lesson, kept[name])
    elif name == "head":
        norm, activation, conv = stage
        rescale(norm, lesson.ours, lesson.entered)
        acts = [activation(norm(x)) for x in lesson.ours]
        write(conv, *lesson.equations([(acts, CUBE)], lesson.after).solve(conv.weight.flatten(1)))


def solve_separable_block(block: CausalBlock, original: nn.Module, lesson: Lesson) -> None:
    norm, activation, first, norm_2, activation_2, _, second = block.residual
    acts = [activation(norm(x)) for x in lesson.ours]
    solve_separable(first, original.residual[2], acts, lesson.hidden, lesson)
    acts = [activation_2(norm_2(first(x, {}))) for x in acts]
    skipped = lesson.ours if block.shortcut is None else [block.shortcut(x, {}) for x in lesson.ours]
    missing = [after - skip for after, skip in zip(lesson.after, skipped, strict=True)]
    solve_separable(second, original.residual[6], acts, missing, lesson)


def solve_separable(
    conv: SeparableCausalConv, original: nn.Module, inputs: Features, targets: Features, lesson: Lesson
) -> None:
    """Depthwise kernels by what their taps really see, then the mix of the channels by least squares."""
    set_separable(
        conv, original.weight, original.bias, tap_moments(inputs, lesson.generator).to(original.weight.device)
    )
    spread = [conv.depthwise_conv(x, {}) for x in inputs]
    mix = conv.pointwise_conv
    write(mix, *lesson.equations([(spread, POINT)], targets).solve(mix.weight.flatten(1)))


def tap_moments(inputs: Features, generator: torch.Generator) -> Tensor:
    """Second moments (C, 27, 27) of what the taps of a causal 3 x 3 x 3 convolution see in every channel."""
    width, count = inputs[0].shape[1], 0
    moments = torch.zeros(width, 27, 27, dtype=torch.float64)
    for x in inputs:
        places = random_places(x, PER_UNKNOWN * 28 // len(inputs) + 1, generator)
        taps = patches(x, CUBE, places).unflatten(1, (width, 27)).double()
        moments += torch.einsum("scx,scy->cxy", taps, taps).cpu()
        count += len(places)
    return moments / count


def solve_picture_block(block: PictureBlock, lesson: Lesson, hidden_kept: list[int], after_kept: list[int]) -> None:
    norm, activation, first, norm_2, activation_2, _, second = block.residual
    rescale(norm, lesson.ours, lesson.entered)
    acts = [framewise(x, lambda frames: activation(norm(frames))) for x in lesson.ours]
    targets = [features[:, hidden_kept] for features in lesson.hidden]
    write(first, *lesson.equations([(acts, SQUARE)], targets).solve(first.weight.flatten(1)))
    hidden = [framewise(x, first) for x in acts]
    rescale(norm_2, hidden, lesson.hidden)
    acts = [framewise(x, lambda frames: activation_2(norm_2(frames))) for x in hidden]
    prior = torch.cat([second.weight.flatten(1), block.shortcut.weight.flatten(1)], dim=1)
    targets = [features[:, after_kept] for features in lesson.after]
    weight, bias = lesson.equations([(acts, SQUARE), (lesson.ours, POINT)], targets).solve(prior)
    inner, outer = weight.split([second.weight[0].numel(), block.shortcut.weight[0].numel()], dim=1)
    write(second, inner, bias)
    write(block.shortcut, outer, torch.zeros_like(bias))


def rescale(norm: RMSNorm, ours: Features, theirs: Features) -> None:
    """A norm over fewer channels sees another size: gamma makes up for the usual ratio of the two."""
    ratios = [
        (our.square().mean(1) / their.square().mean(1).clamp_min(1e-12)).sqrt().flatten()
        for our, their in zip(ours, theirs, strict=True)
    ]
    norm.gamma.mul_(torch.cat(ratios).median())


def solve_upsample(stage: Upsample, lesson: Lesson, kept: list[int]) -> None:
    """The convolution behind the doubling of height and width."""
    conv = stage.resample[1]
    if conv.weight[0].numel() > MOST_UNKNOWNS:
        return
    timed = lesson.ours if stage.time_conv is None else [stage.in_time(x, {}) for x in lesson.ours]
    doubled = [F.interpolate(x, scale_factor=(1.0, 2.0, 2.0), mode="nearest-exact") for x in timed]
    targets = [features[:, kept] for features in lesson.after]
    write(conv, *lesson.equations([(doubled, SQUARE)], targets).solve(conv.weight.flatten(1)))


def write(conv: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """Puts a solution (M, N), (M,) into a convolution."""
    conv.weight.copy_(weight.reshape(conv.weight.shape))
    conv.bias.copy_(bias)
