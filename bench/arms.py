"""The ways to spend less compute that are compared: every setting turns the plain MODEL into the one to sample with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode
from torch import Tensor

from ..jano.adapters.patch import analyze, schedule
from ..jano.config import AnalyzerConfig, SchedulerConfig
from ..jano.levels import complexity
from ..jano.levels.complexity import Features, Score
from ..jano.levels.drawing import warmup_steps
from ..jano.levels.grid import TokenGrid
from ..jano.presets import schedule_of
from ..jano.whole.control import ErrorControl
from .candidates import contrast_denoised
from .published import PUBLISHED, as_published
from .rivals import TARGETS, named
from .rivals import settings as rivals
from .stats import ranks
from .trajectory import Trajectory
from .truth import forecast_error

QUALITIES = ("fidelity", "balanced", "fast", "draft")
FEWER = (0.86, 0.75, 0.61, 0.5, 0.39)
FEWEST = (0.33, 0.25, 0.2, 0.15)
# Targets as far as the node takes them, and tolerances and EasyCache's thresholds that spend less still.
FASTER, LOOSER, EASIER = (3.0, 4.0), (0.4, 1.0), (0.5, 1.0)
# As TaylorSeer's first steps.
PACED_FROM = 3
# No transformer: regions by level and the paper's own points do not apply.
WITHOUT_TOKENS = ("patches", "clip_patches")
EASY = (0.03, 0.06, 0.1, 0.2, 0.3)
LAZY = (0.01, 0.02, 0.05, 0.1, 0.2)
SWEPT_INTERVALS = ((1, 2, 2), (1, 2, 3), (1, 2, 4), (1, 3, 6), (2, 2, 3), (2, 2, 4), (2, 3, 4))
# Shares of the regions: up to the first static, from the second on active.
SWEPT_THRESHOLDS = ((0.4, 0.9), (0.4, 0.75), (0.25, 0.5))
# Schedules in which the map matters: intervals (active, moderate, static) and thresholds.
RANKED = {
    "1/2/2, 10% active": ((1, 2, 2), {"static_threshold": 0.4, "moderate_threshold": 0.9}),
    "1/2/4, 25% active": ((1, 2, 4), {"static_threshold": 0.4, "moderate_threshold": 0.75}),
}
# Beside the rivals: up to a fifth of the compute, and samplers of one evaluation a step that need few.
EASY_TO_A_FIFTH = (0.03, 0.06, 0.1, 0.3, 0.8, 2.0)
FEW_STEP_SAMPLERS = (
    *("dpmpp_2m", "uni_pc", "uni_pc_bh2", "res_multistep", "ipndm", "ipndm_v", "deis", "lms", "gradient_estimation"),
)
# How close the reference itself is to the exact solution.
FULL_RUN = "full run"
OVERRIDDEN = AnalyzerConfig().score
# So long a settling time that a forecast is a straight line.
STRAIGHT = 1e6


@dataclass(frozen=True)
class Full:
    """What is known of the full run that a setting is compared with."""

    run: Trajectory
    grid: TokenGrid
    seed: int


Ranking = Callable[[Full], Tensor]


class AnyTarget(SchedulerConfig):
    """Ours at a target beyond what the node offers."""

    RULES: ClassVar = tuple(rule for rule in SchedulerConfig.RULES if rule[0] != ("target_speedup",))


@dataclass(frozen=True)
class Setting:
    """One point of one arm. `steps_share` is a share of the full run's steps; `ranking` puts the regions in another
    order than their scores, with the same share of every level; `every` computes every so many-th step; `sampler` is
    another one than the full run's."""

    arm: str
    name: str
    prepare: Callable[[ModelPatcher], ModelPatcher] = lambda model: model
    steps_share: float = 1.0
    ranking: Ranking | None = None
    every: int | None = None
    sampler: str | None = None


def beside_rivals() -> list[Setting]:
    """Every rival at about a half, a third and a fifth of the compute, ours at these targets, and fewer steps, by the
    full run's sampler and by others."""
    easy = [Setting("EasyCache", f"threshold {t:g}", cached(EasyCacheNode, t)) for t in EASY_TO_A_FIFTH]
    targets = [
        Setting("Jano", named(target), configured(AnalyzerConfig(), AnyTarget(target_speedup=target)))
        for target in TARGETS
    ]
    fewer = [Setting(FULL_RUN, "every step"), *fewer_steps_by(None, *FEW_STEP_SAMPLERS)]
    return [*targets, *(Setting(*rival) for rival in rivals()), *easy, *fewer]


def fewer_steps_by(*samplers: str | None) -> Iterator[Setting]:
    for sampler, target in product(samplers, TARGETS):
        arm = "fewer steps" if sampler is None else f"fewer steps, {sampler}"
        yield Setting(arm, f"{1 / target:.0%} of the steps", steps_share=1 / target, sampler=sampler)


def settings(family: str, sweep: bool) -> list[Setting]:
    """Of a model of this family, "flux" or "wan"; on the beds of patches only what saves whole steps. `sweep`
    adds points to the host's caches and to ours, and everything that regions by level can be set to."""
    if family in WITHOUT_TOKENS:
        rivals = [*fewer_steps(FEWEST), *host_caches(sweep, EASIER), *paced_forecasts()]
        return [*rivals, *ours(sweep, FASTER, LOOSER), *paced_ours()]
    rivals = [*fewer_steps(), *host_caches(sweep), *whole_step_forecasts(), *published(family)]
    return [*rivals, *ours(sweep), *parts_of_ours(), *([*rankings(), *swept()] if sweep else ())]


def fewer_steps(more: tuple[float, ...] = ()) -> list[Setting]:
    return [Setting("fewer steps", f"{share:.0%} of the steps", steps_share=share) for share in (*FEWER, *more)]


def host_caches(sweep: bool, easier: tuple[float, ...] = ()) -> list[Setting]:
    """The host's own nodes at their default start and end, thresholds swept."""
    between = [0.04, 0.08, 0.15, 0.5] if sweep else []
    easy = [
        Setting("EasyCache", f"threshold {threshold:g}", cached(EasyCacheNode, threshold))
        for threshold in sorted({*EASY, *between, *easier})
    ]
    lazy = [
        Setting("LazyCache", f"threshold {threshold:g}", cached(LazyCacheNode, threshold))
        for threshold in sorted([*LAZY, *between])
    ]
    return easy + lazy


def cached(node: type, threshold: float) -> Callable[[ModelPatcher], ModelPatcher]:
    return lambda model: node.execute(with_own_input(model), threshold, 0.15, 0.95, False).result[0]


def with_own_input(model: ModelPatcher) -> ModelPatcher:
    """A clone whose transformer gets a copy of x. EasyCache adds to its input in place, and in fp32 that input is the
    very tensor from which the host computes x0 afterwards; with a 16-bit model it is a copy."""

    def copied(executor: Callable, x: Tensor, *args, **kwargs) -> Tensor:
        return executor(x.clone(), *args, **kwargs)

    clone = model.clone()
    clone.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "jano_bench", copied)
    return clone


def published(family: str) -> list[Setting]:
    points = PUBLISHED[family]
    return [Setting("Jano as published", point, configured(*as_published(family, point))) for point in points]


def configured(analyzer: AnalyzerConfig, scheduler: SchedulerConfig) -> Callable[[ModelPatcher], ModelPatcher]:
    return lambda model: schedule(analyze(model, analyzer), scheduler)


def ours(sweep: bool, targets: tuple[float, ...] = (), looser: tuple[float, ...] = ()) -> list[Setting]:
    """The presets, and tolerances between them: no more points than the host's caches are given."""
    presets = [
        Setting("Jano", quality, lambda model, q=quality: schedule(model, schedule_of(q, {}), preset=True))
        for quality in QUALITIES
    ]
    presets += [Setting("Jano", f"target {speedup:g}x", with_target(speedup)) for speedup in (2.0, *targets)]
    tolerances = (0.01, 0.03, 0.1, 0.4) if sweep else looser
    return presets + [Setting("Jano", f"tolerance {t:g}", with_tolerance(t)) for t in tolerances]


def with_tolerance(tolerance: float, **more: object) -> Callable[[ModelPatcher], ModelPatcher]:
    return configured(AnalyzerConfig(), SchedulerConfig(tolerance=tolerance, **more))


def with_target(speedup: float) -> Callable[[ModelPatcher], ModelPatcher]:
    return configured(AnalyzerConfig(), SchedulerConfig(target_speedup=speedup))


def parts_of_ours() -> list[Setting]:
    """What each idea is worth: without the repair, without the line, at a fixed rate, and with regions by level."""
    without = [
        Setting("Jano without repair", f"tolerance {t:g}", with_tolerance(t, correct=False)) for t in (0.02, 0.06, 0.2)
    ]
    held = [
        Setting("Jano without forecast", f"tolerance {t:g}", with_tolerance(t, forecast="hold")) for t in (0.06, 0.2)
    ]
    uniform = [Setting("Jano at a fixed rate", f"every {k}", with_intervals(k, k, k)) for k in (2, 3)]
    regions = [
        Setting("Jano by regions", f"intervals {i}", with_intervals(*i)) for i in ((1, 2, 2), (1, 2, 4), (2, 3, 4))
    ]
    return without + held + uniform + regions


def whole_step_forecasts(more: tuple[int, ...] = ()) -> list[Setting]:
    """Every k-th step computed, a full line in between: the first order of the published whole-step forecasts."""
    rival = {"settling": STRAIGHT, "correct": False}
    return [Setting("whole-step forecast", f"every {k}", with_intervals(k, k, k, **rival)) for k in (2, 3, 4, *more)]


def paced_forecasts() -> list[Setting]:
    """The same where no transformer is: every k-th step after the first ones, whatever the errors."""
    line = with_tolerance(1.0, settling=STRAIGHT, correct=False)
    return [Setting("whole-step forecast", f"every {k}", line, every=k) for k in (2, 3, 4, 5, 6)]


def paced_ours() -> list[Setting]:
    """What the control is worth: our forecast and repair at a fixed rate, and without the repair."""
    repaired, alone = with_tolerance(1.0), with_tolerance(1.0, correct=False)
    return [
        *(Setting("Jano at a fixed rate", f"every {k}", repaired, every=k) for k in (2, 3)),
        *(Setting("Jano at a fixed rate", f"every {k}, without repair", alone, every=k) for k in (2, 3)),
    ]


@contextmanager
def paced(every: int | None) -> Iterator[None]:
    """While open, our control computes the first PACED_FROM steps, every `every`-th afterwards, and the last ones."""
    original = ErrorControl.due

    def due(control: ErrorControl, step: int) -> bool:
        return step < PACED_FROM or step >= control._end or (step - PACED_FROM) % every == every - 1

    if every is not None:
        ErrorControl.due = due
    try:
        yield
    finally:
        ErrorControl.due = original


def with_intervals(active: int, moderate: int, static: int, **more: object) -> Callable[[ModelPatcher], ModelPatcher]:
    intervals = {"active_interval": active, "moderate_interval": moderate, "static_interval": static}
    return configured(AnalyzerConfig(), SchedulerConfig(**intervals, **more))


def rankings() -> list[Setting]:
    """Schedules with the same level shares under other maps: by chance, by a region's contrast after the warm-up, and
    by what only the full run knows."""
    orders: dict[str, Ranking | None] = {
        "own map": None,
        "random map": by_chance,
        "contrast map": by_contrast,
        "oracle map": by_truth,
    }
    return [
        Setting(f"Jano, {name}", schedule_name, with_intervals(*intervals, **thresholds), ranking=order)
        for name, order in orders.items()
        for schedule_name, (intervals, thresholds) in RANKED.items()
    ]


def by_chance(full: Full) -> Tensor:
    return torch.rand(full.grid.num_regions, generator=torch.Generator().manual_seed(full.seed))


def by_contrast(full: Full) -> Tensor:
    warmup = warmup_steps(AnalyzerConfig().warmup, full.run.num_steps, AnalyzerConfig().score)
    return contrast_denoised(full.run.warmup(warmup), full.grid)


def by_truth(full: Full) -> Tensor:
    return forecast_error(full.run, full.grid)


def swept() -> list[Setting]:
    """Intervals (active, moderate, static) x thresholds x forecast."""
    found = []
    for intervals, thresholds, forecast in product(SWEPT_INTERVALS, SWEPT_THRESHOLDS, ("linear", "hold")):
        more = dict(zip(("static_threshold", "moderate_threshold"), thresholds, strict=True), forecast=forecast)
        found.append(Setting("Jano, swept", f"{intervals} {thresholds} {forecast}", with_intervals(*intervals, **more)))
    return found


@contextmanager
def ranked(ranking: Ranking | None, full: Full) -> Iterator[None]:
    """While open, the default score gives its values to the regions in the order of `ranking`."""
    original = complexity.SCORE_FUNCTIONS[OVERRIDDEN]
    if ranking is not None:
        complexity.SCORE_FUNCTIONS[OVERRIDDEN] = reordered(original, ranking(full))
    try:
        yield
    finally:
        complexity.SCORE_FUNCTIONS[OVERRIDDEN] = original


def reordered(score: Score, order: Tensor) -> Score:
    def instead(features: Features, grid: TokenGrid, temporal_weight: float) -> Tensor:
        values = score(features, grid, temporal_weight).sort().values
        return values[ranks(order).round().long().to(values.device)]

    return instead
