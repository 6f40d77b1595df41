"""From a teacher and some latents to an untrained student: selection of channels, operators, first weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .initial import FINE, FINEST, PLACES, Kept, slice_student
from .least_squares import rank_one_energy
from .refit import Tell, refit
from .selection import Moments, explained_share, filled, pixels, rank_at_random, rank_by_norm, rank_channels
from .wan import WanStudent
from .wan_teacher import stages

PIXELS = 4096
"""Of every window and place; 16 windows make 65,536 samples of at most 192 channels."""
SELECTIONS = ("greedy", "norm", "random")


@dataclass(frozen=True)
class Recipe:
    """How a student is made.

    ratio: share of the channels kept at four and at eight times the latent's size (the released decoder's is 1/8).
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

    student: WanStudent
    kept: Kept
    explained: dict[str, float]
    rank_one: dict[str, float]


def compress(teacher: WanStudent, windows: list[Tensor], recipe: Recipe, tell: Tell = lambda name: None) -> Made:
    """A student of the teacher, by what the teacher does with these latents, each (B, 16, T, h, w), not normalised."""
    tell("statistics")
    covariances = measure(teacher, windows, recipe.seed)
    orders = {place: ranking(place, teacher, covariances[place], recipe) for place in PLACES}
    widths = chosen_widths(teacher, covariances, recipe)
    kept = {place: filled(orders[place], width, len(covariances[place])) for place, width in widths.items()}
    fine, finest = widths[FINE[0]], widths[FINEST[0]]
    student = WanStudent(dataclasses.replace(teacher.widths, fine=fine, finest=finest)).to(windows[0].device)
    slice_student(student, teacher, kept, covariances)
    if recipe.refit:
        refit(student, teacher, kept, windows, recipe.seed, tell)
    explained = {place: explained_share(covariances[place], kept[place]) for place in PLACES}
    return Made(student, kept, explained, separability(teacher))


@torch.no_grad()
def measure(teacher: WanStudent, windows: list[Tensor], seed: int) -> dict[str, Tensor]:
    """Covariances (C, C) of the teacher's channels at every place where some are left out."""
    generator = torch.Generator().manual_seed(seed)
    moments: dict[str, Moments] = {}

    def record(place: str) -> Callable:
        def hook(module: object, inputs: object, output: Tensor) -> None:
            samples = pixels(output, PIXELS, generator)
            moments.setdefault(place, Moments.of_width(samples.shape[1])).add(samples)

        return hook

    parts = dict(stages(teacher.decoder))
    hooked = {
        place: parts[place] if place in parts else parts[place[: -len(".hidden")]].residual[2] for place in PLACES
    }
    hooks = [part.register_forward_hook(record(place)) for place, part in hooked.items()]
    for window in windows:
        teacher(window)
    for hook in hooks:
        hook.remove()
    return {place: moments[place].covariance() for place in PLACES}


def ranking(place: str, teacher: WanStudent, covariance: Tensor, recipe: Recipe) -> tuple[int, ...]:
    """The channels of a place, those to keep first."""
    if recipe.selection == "greedy":
        return rank_channels(covariance).order
    if recipe.selection == "random":
        return rank_at_random(len(covariance), recipe.seed + PLACES.index(place))
    return rank_by_norm(producing_weight(teacher, place))


def producing_weight(teacher: WanStudent, place: str) -> Tensor:
    """The kernel whose outputs are a place's channels."""
    stage = dict(stages(teacher.decoder))[place.removesuffix(".hidden")]
    if hasattr(stage, "resample"):
        return stage.resample[1].weight
    return stage.residual[2 if place.endswith(".hidden") else 6].weight


def chosen_widths(teacher: WanStudent, covariances: dict[str, Tensor], recipe: Recipe) -> dict[str, int]:
    """Channels to keep by place: one number for each of the two stages, as the student's layout wants it."""
    widths = {}
    full = (teacher.widths.fine, teacher.widths.finest)
    for places, width, ratio in zip((FINE, FINEST), full, recipe.ratio, strict=True):
        kept = max(1, round(width * ratio))
        if recipe.explained:
            kept = max(rank_channels(covariances[place]).width_for(recipe.explained) for place in places)
        widths |= dict.fromkeys(places, kept)
    return widths


def separability(teacher: WanStudent) -> dict[str, float]:
    """For the deep blocks, how much of their kernels' energy a separable convolution can keep."""
    names = ("middle.0", "middle.2", *(f"upsamples.{place}" for place in (0, 1, 2, 4, 5, 6)))
    parts = dict(stages(teacher.decoder))
    return {name: rank_one_energy(parts[name].residual[2].weight) for name in names}
