"""From a teacher and some latents to an untrained student: selection of channels, operators, first weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .initial import Kept, slice_student
from .least_squares import rank_one_energy
from .parts import is_separable
from .refit import Tell, refit
from .selection import Moments, explained_share, filled, pixels, rank_at_random, rank_by_norm, rank_channels
from .streaming import StreamedDecoder
from .teachers import family_of

PIXELS = 4096
"""Of every window and place; 16 windows make 65,536 samples of at most 192 channels."""
SELECTIONS = ("greedy", "norm", "random")


@dataclass(frozen=True)
class Recipe:
    """How a student is made.

    ratio: share of the channels kept at four and at eight times the latent's size (the released decoders': 1/8 of
    Wan's, 1/4 of LTX-Video's).
    explained: instead of a ratio, the share of every place's variance that the kept channels explain; 0 is off.
    """

    ratio: tuple[float, float] = (0.125, 0.125)
    explained: float = 0.0
    selection: str = "greedy"
    refit: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Made:
    """A student, the channels it keeps, R^2 by place, and by deep block the energy that separable kernels keep."""

    student: StreamedDecoder
    kept: Kept
    explained: dict[str, float]
    rank_one: dict[str, float]


def compress(teacher: StreamedDecoder, windows: list[Tensor], recipe: Recipe, tell: Tell = lambda name: None) -> Made:
    """A student of the teacher, by what the teacher does with these latents, each (B, C, T, h, w), as the host has
    them."""
    tell("statistics")
    family, covariances = family_of(teacher), measure(teacher, windows, recipe.seed)
    orders = {place: ranking(place, teacher, covariances[place], recipe) for place in family.places}
    widths = chosen_widths(teacher, covariances, recipe)
    kept = {place: filled(orders[place], width, len(covariances[place])) for place, width in widths.items()}
    student = pruned(teacher, kept).to(windows[0].device)
    slice_student(student, teacher, kept, covariances)
    if recipe.refit:
        refit(student, teacher, kept, windows, recipe.seed, tell)
    explained = {place: explained_share(covariances[place], kept[place]) for place in family.places}
    return Made(student, kept, explained, separability(student, teacher))


def pruned(teacher: StreamedDecoder, kept: Kept) -> StreamedDecoder:
    """A student with as many channels as are kept, its weights yet to be set."""
    family = family_of(teacher)
    fine, finest = (len(kept[places[0]]) for places in (family.fine, family.finest))
    return family.student(dataclasses.replace(teacher.widths, fine=fine, finest=finest))


@torch.no_grad()
def measure(teacher: StreamedDecoder, windows: list[Tensor], seed: int) -> dict[str, Tensor]:
    """Covariances (C, C) of the teacher's channels at every place where some are left out."""
    generator = torch.Generator().manual_seed(seed)
    moments: dict[str, Moments] = {}

    def record(place: str) -> Callable:
        def hook(module: object, inputs: object, output: Tensor) -> None:
            samples = pixels(output, PIXELS, generator)
            moments.setdefault(place, Moments.of_width(samples.shape[1])).add(samples)

        return hook

    parts, places = dict(teacher.decoder.stages()), family_of(teacher).places
    hooked = {
        place: parts[place] if place in parts else parts[place.removesuffix(".hidden")].convs[0] for place in places
    }
    hooks = [part.register_forward_hook(record(place)) for place, part in hooked.items()]
    for window in windows:
        teacher(window)
    for hook in hooks:
        hook.remove()
    return {place: moments[place].covariance() for place in places}


def ranking(place: str, teacher: StreamedDecoder, covariance: Tensor, recipe: Recipe) -> tuple[int, ...]:
    """The channels of a place, those to keep first."""
    if recipe.selection == "greedy":
        return rank_channels(covariance).order
    if recipe.selection == "random":
        return rank_at_random(len(covariance), recipe.seed + family_of(teacher).places.index(place))
    return rank_by_norm(producing_weight(teacher, place))


def producing_weight(teacher: StreamedDecoder, place: str) -> Tensor:
    """The kernel whose outputs are a place's channels, (C, rows for each, ...)."""
    part = dict(teacher.decoder.stages())[place.removesuffix(".hidden")]
    weight = part.convs[0 if place.endswith(".hidden") else -1].weight
    return weight.unflatten(0, (-1, part.rows))


def chosen_widths(teacher: StreamedDecoder, covariances: dict[str, Tensor], recipe: Recipe) -> dict[str, int]:
    """Channels to keep by place: one number for each of the two stages, as the student's layout wants it."""
    widths, family = {}, family_of(teacher)
    full = (teacher.widths.fine, teacher.widths.finest)
    for places, width, ratio in zip((family.fine, family.finest), full, recipe.ratio, strict=True):
        kept = max(1, round(width * ratio))
        if recipe.explained:
            kept = max(rank_channels(covariances[place]).width_for(recipe.explained) for place in places)
        widths |= dict.fromkeys(places, kept)
    return widths


def separability(student: StreamedDecoder, teacher: StreamedDecoder) -> dict[str, float]:
    """Where the student's blocks are separable, how much of the teacher's kernels' energy such a one can keep."""
    parts = dict(teacher.decoder.stages())
    names = [name for name, part in student.decoder.stages() if is_separable(part)]
    return {name: rank_one_energy(parts[name].convs[0].weight) for name in names}
