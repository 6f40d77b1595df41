"""A student's layers solved one after the other, each from what the student itself feeds it.

So a layer also makes up for what those before it have lost. In a block the first convolution aims at the teacher's
features between the convolutions, the second, together with the shortcut, at the block's output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .initial import Kept, in_reach, kept_rows, set_separable
from .layers import framewise
from .least_squares import NormalEquations, at, patches, random_places
from .parts import POINT, Part, Taps, is_separable
from .streaming import StreamedDecoder

MOST_UNKNOWNS = 4096
"""Of one output channel; layers with more keep the teacher's kernel. The released decoder's largest has 3457."""
PER_UNKNOWN = 24
"""Samples for each unknown, spread over the windows."""

Features = list[Tensor]
"""One for each window: (B, C, T, H, W)."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Lesson:
    """A stage on the windows: what enters the student's, and of the teacher's what enters, what its first convolution
    gives, and what comes out."""

    ours: Features
    entered: Features
    hidden: Features
    after: Features
    generator: torch.Generator

    def equations(self, inputs: list[tuple[Features, Taps]], targets: Features) -> NormalEquations:
        """Normal equations from the patches of all inputs together to the targets, at random places."""
        sizes = [features[0].shape[1] * taps.count for features, taps in inputs]
        equations = NormalEquations.of_size(sum(sizes), targets[0].shape[1])
        wanted = PER_UNKNOWN * (sum(sizes) + 1) // len(targets) + 1
        for index, target in enumerate(targets):
            places = random_places(target, wanted, self.generator)
            seen = [patches(features[index], taps, places) for features, taps in inputs]
            equations.add(torch.cat(seen, dim=1), at(target, places))
        return equations


@torch.no_grad()
def refit(
    student: StreamedDecoder,
    teacher: StreamedDecoder,
    kept: Kept,
    windows: list[Tensor],
    seed: int,
    tell: Tell = lambda name: None,
) -> None:
    """Solves all layers that the student does not share with its teacher. windows: latents, each (B, C, T, h, w)."""
    generator = torch.Generator().manual_seed(seed)
    ours = entered = [student.entered(window) for window in windows]
    for (name, stage), (_, original) in zip(student.decoder.stages(), teacher.decoder.stages(), strict=True):
        tell(name)
        hidden, after = teacher_features(original, entered)
        solve_stage(name, stage, original, Lesson(ours, entered, hidden, after, generator), kept)
        ours, entered = [stage(x) for x in ours], after


def teacher_features(stage: nn.Module, entered: Features) -> tuple[Features, Features]:
    """What a part's first convolution gives (nothing elsewhere), and a stage's outputs."""
    hidden: Features = []
    conv = stage.convs[0] if isinstance(stage, Part) else None
    hook = conv and conv.register_forward_hook(lambda module, inputs, output: hidden.append(output))
    after = [stage(x) for x in entered]
    if hook:
        hook.remove()
    return [as_clips(x, len(clips)) for x, clips in zip(hidden, entered, strict=False)], after


def as_clips(x: Tensor, batch: int) -> Tensor:
    """Frames (B * T, C, H, W) as clips (B, C, T, H, W); clips as they are."""
    return x if x.ndim == 5 else x.unflatten(0, (batch, -1)).transpose(1, 2)


def solve_stage(name: str, stage: nn.Module, original: nn.Module, lesson: Lesson, kept: Kept) -> None:
    """Sets one stage of the student; those that are as the teacher's stay so."""
    if is_separable(stage):
        solve_separable_block(stage, original, lesson)
    elif isinstance(stage, Part) and len(stage.convs) == 2:
        solve_block(stage, lesson, kept[f"{name}.hidden"], kept[name])
    elif isinstance(stage, Part) and (name in kept or name == "head"):
        solve_one(stage, lesson, kept_rows(stage, kept.get(name)))


def solve_separable_block(block: Part, original: Part, lesson: Lesson) -> None:
    acts = [block.seen(0, x) for x in lesson.ours]
    solve_separable(block, original, 0, acts, lesson.hidden, lesson)
    acts = [block.seen(1, block.convs[0](x)) for x in acts]
    skipped = lesson.ours if block.mix is None else [block.mix(block.skipped(x)) for x in lesson.ours]
    missing = [after - skip for after, skip in zip(lesson.after, skipped, strict=True)]
    solve_separable(block, original, 1, acts, missing, lesson)


def solve_separable(
    block: Part, original: Part, place: int, inputs: Features, targets: Features, lesson: Lesson
) -> None:
    """Depthwise kernels by what their taps really see, then the mix of the channels by least squares."""
    conv, full = block.convs[place], original.convs[place]
    moments = tap_moments(inputs, block.taps, lesson.generator).to(full.weight.device)
    set_separable(conv, in_reach(full.weight, original.taps, block.taps), full.bias, moments)
    spread = [conv.spread(x) for x in inputs]
    _, mix = conv.two
    write(mix, *lesson.equations([(spread, POINT)], targets).solve(mix.weight.flatten(1)))


def tap_moments(inputs: Features, taps: Taps, generator: torch.Generator) -> Tensor:
    """Second moments (C, K, K) of what a convolution's K taps see in every channel."""
    width, count = inputs[0].shape[1], 0
    moments = torch.zeros(width, taps.count, taps.count, dtype=torch.float64)
    for x in inputs:
        places = random_places(x, PER_UNKNOWN * (taps.count + 1) // len(inputs) + 1, generator)
        seen = patches(x, taps, places).unflatten(1, (width, taps.count)).double()
        moments += torch.einsum("scx,scy->cxy", seen, seen).cpu()
        count += len(places)
    return moments / count


def solve_block(block: Part, lesson: Lesson, hidden_kept: list[int], after_kept: list[int]) -> None:
    """A pruned block: its first convolution, then the second with the shortcut."""
    first, second = block.convs
    rescale(block, 0, lesson.ours, lesson.entered)
    acts = [block.seen(0, x) for x in lesson.ours]
    solve(first, lesson, [(acts, block.taps)], [features[:, hidden_kept] for features in lesson.hidden])
    hidden = [convolved(first, x) for x in acts]
    rescale(block, 1, hidden, lesson.hidden)
    acts = [block.seen(1, x) for x in hidden]
    skipped = [block.skipped(x) for x in lesson.ours]
    prior = torch.cat([second.weight.flatten(1), block.mix.weight.flatten(1)], dim=1)
    targets = [features[:, after_kept] for features in lesson.after]
    weight, bias = lesson.equations([(acts, block.taps), (skipped, POINT)], targets).solve(prior)
    inner, outer = weight.split([second.weight[0].numel(), block.mix.weight[0].numel()], dim=1)
    write(second, inner, bias)
    write(block.mix, outer, torch.zeros_like(bias))


def solve_one(part: Part, lesson: Lesson, rows: list[int] | None) -> None:
    """A part of one convolution."""
    rescale(part, 0, lesson.ours, lesson.entered)
    targets = lesson.hidden if rows is None else [features[:, rows] for features in lesson.hidden]
    solve(part.convs[0], lesson, [([part.seen(0, x) for x in lesson.ours], part.taps)], targets)


def solve(conv: nn.Module, lesson: Lesson, inputs: list[tuple[Features, Taps]], targets: Features) -> None:
    if conv.weight[0].numel() <= MOST_UNKNOWNS:
        write(conv, *lesson.equations(inputs, targets).solve(conv.weight.flatten(1)))


def convolved(conv: nn.Module, x: Tensor) -> Tensor:
    """A clip behind a block's convolution, which may be one of single frames."""
    return framewise(x, conv) if isinstance(conv, nn.Conv2d) else conv(x)


def rescale(part: Part, place: int, ours: Features, theirs: Features) -> None:
    """A norm over fewer channels sees another size: its weights make up for the usual ratio of the two."""
    if not part.norms:
        return
    ratios = [
        (our.square().mean(1) / their.square().mean(1).clamp_min(1e-12)).sqrt().flatten()
        for our, their in zip(ours, theirs, strict=True)
    ]
    part.norms[place].gamma.mul_(torch.cat(ratios).median())


def write(conv: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """Puts a solution (M, N), (M,) into a convolution."""
    conv.weight.copy_(weight.reshape(conv.weight.shape))
    conv.bias.copy_(bias)
