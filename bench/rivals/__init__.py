"""Other ways to leave steps out of a run, as published: each a plain reimplementation from its paper's description.

One file a method; `skipping.py` is where all of them enter the host. Every one has settings that compute about a half,
a third and a fifth of the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from . import meancache, seacache, spectrum, taylor
from .skipping import Make, Prepare, skipping

TARGETS = (2.0, 3.0, 5.0)
# The two growths that were published or are in use; "target" solves for one.
PUBLISHED_GROWTHS = (0.75, 0.25)
MIXES = (0.5, 1.0)
# Expected changes of the output; what they compute depends on the model, so that shares are taken between them.
THRESHOLDS = (0.1, 0.2, 0.4, 0.8, 1.6)

Rival = tuple[str, str, Prepare]
"""Arm, setting, and what makes it of a MODEL."""


def settings() -> list[Rival]:
    """Every rival at every setting."""
    made = [*spectra(), *taylors(), *meancaches(), *seacaches()]
    return [(arm, name, skipping(make)) for arm, name, make in made]


def named(target: float) -> str:
    return f"target {target:g}x"


def spectra() -> Iterator[tuple[str, str, Make]]:
    for mix in MIXES:
        for target in TARGETS:
            plan = _planned(spectrum.for_target, target)
            yield f"Spectrum, w {mix:g}", named(target), _spectrum(plan, mix)
        for growth in PUBLISHED_GROWTHS:
            plan = _planned(spectrum.computed_steps, growth)
            yield f"Spectrum, w {mix:g}", f"window 2 + {growth:g}", _spectrum(plan, mix)


def _planned(plan: Callable[[int, float], list[int]], value: float) -> Callable[[int], list[int]]:
    return lambda num_steps: plan(num_steps, value)


def _spectrum(plan: Callable[[int], list[int]], mix: float) -> Make:
    return lambda sigmas: spectrum.Spectrum(_steps(sigmas), plan(_steps(sigmas)), mix)


def taylors() -> Iterator[tuple[str, str, Make]]:
    for order, exact in ((1, False), (2, False), (2, True)):
        for target in TARGETS:
            arm = f"TaylorSeer, order {order}" + (", exact" if exact else "")
            yield arm, named(target), _taylor(target, order, exact)


def _taylor(target: float, order: int, exact: bool) -> Make:
    return lambda sigmas: taylor.Taylor(taylor.for_target(_steps(sigmas), target), order, exact)


def meancaches() -> Iterator[tuple[str, str, Make]]:
    for target, count in meancache.PLAN_FOR.items():
        yield "MeanCache", named(target), _meancache(meancache.QWEN_IMAGE_2512[count])


def _meancache(plan: meancache.Plan) -> Make:
    return lambda sigmas: meancache.MeanCache(sigmas, plan.at(_steps(sigmas)))


def seacaches() -> Iterator[tuple[str, str, Make]]:
    for threshold in THRESHOLDS:
        yield "SeaCache", f"threshold {threshold:g}", _seacache(threshold)


def _seacache(threshold: float) -> Make:
    return lambda sigmas: seacache.SeaCache(sigmas, threshold)


def _steps(sigmas: Sequence[float]) -> int:
    return len(sigmas) - 1
