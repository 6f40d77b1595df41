"""Every constant of the control, the repair and the presets at half and at twice its value.

    python bench/run.py constants --model patches [--prompts 8]
    python bench/run.py constants --model flux [--prompts 4]    # the tiny one, 256 pixels, 28 steps

Closeness is to the full run. With a target the cost stays what it was, so that dB can be compared as they are; with a
preset both move. Rows carry the digest of the engine's source: after a change of it all is measured anew.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..host.location import ROOT
from ..jano import presets
from ..jano.adapters.patch import analyze, schedule
from ..jano.adapters.settings import report_of
from ..jano.config import AnalyzerConfig, SchedulerConfig
from ..jano.forecast import repair
from ..jano.presets import schedule_of
from ..jano.whole import control, errors
from .demo_models import Demo, Sampling
from .patches.bed import Bed
from .patches.loop import Loop, closeness, pictures_in_full
from .quality import loaded
from .records import Lines, engine

FILE = "constants.jsonl"
KEY = ("model", "code", "constant", "factor", "way", "prompt")
PROMPTS = {"patches": 8, "flux": 4}
FLUX_SIDE = 256
DEFAULTS = SchedulerConfig()


@dataclass(frozen=True)
class Way:
    """How a run is made; where that is dear, of so many prompts only."""

    name: str
    config: Callable[[], SchedulerConfig]
    sampler: str = "euler"
    prompts: int | None = None


HALF = Way("target 2x", lambda: SchedulerConfig(target_speedup=2.0))
THIRD = Way("target 3x", lambda: SchedulerConfig(target_speedup=3.0))
PRESET = {quality: Way(quality, lambda q=quality: schedule_of(q, {})) for quality in presets.PRESETS}
AHEAD = Way("balanced, heunpp2", PRESET["balanced"].config, "heunpp2", prompts=3)
TARGETED, USUAL = (HALF, THIRD), (HALF, THIRD, PRESET["balanced"])
# Two of them are borders of one ramp, which must not cross.
BORDERS = ("SWINGING", "AGREEING")


@dataclass(frozen=True)
class Constant:
    """`owner` holds the values of `names`, which are moved together; None are settings that a schedule begins with.
    `factors` are what they are tried at; without one they are not moved, and `why` says it."""

    room: str
    owner: dict | None
    names: tuple[str, ...]
    ways: tuple[Way, ...] = TARGETED
    factors: tuple[float, ...] = (0.5, 2.0)
    why: str = ""

    @property
    def name(self) -> str:
        return f"{self.room}: {' and '.join(self.names)}"

    @property
    def values(self) -> tuple[float, ...]:
        return tuple(getattr(DEFAULTS, name) if self.owner is None else self.owner[name] for name in self.names)

    def at(self, factor: float) -> tuple[float, ...]:
        """Counts stay counts, of one at least."""
        return tuple(
            max(1, round(value * factor)) if isinstance(value, int) else value * factor for value in self.values
        )


GOES_ON = "only a run that goes on from another one has it (docs/numbers.md, two experts)"


def every() -> list[Constant]:
    # With a target the tolerance is solved in the measure of the errors, which thus decide nothing.
    of_presets_too = (
        "ORDER",
        "FADING",
        "MEMORY",
        "LONGEST_GAP",
        "FEWEST_FULL_STEPS",
        "MOST_FULL_STEPS",
        "STEPS_PER_FULL_STEP",
    )
    of_budgets = ("FEWEST_OF_A_BUDGET", "SHARE_OF_A_BUDGET", "TIMES_ROOT_OF_A_BUDGET")
    in_control, in_repair = ("whole/control.py", vars(control)), ("forecast/repair.py", vars(repair))
    return [
        *(Constant(*in_control, (name,), USUAL) for name in of_presets_too),
        *(Constant(*in_control, (name,)) for name in of_budgets),
        Constant(*in_control, ("SLACK",), (THIRD,)),
        Constant(*in_control, ("BISECTIONS",), (THIRD,)),
        Constant(*in_control, ("LOOK",), (AHEAD,)),
        *(Constant(*in_control, (name,), (), (), GOES_ON) for name in ("STEPS_FOR_A_LINE", "CAUTION")),
        *(Constant(*in_repair, (name,)) for name in ("RESPONSE", "MEMORY")),
        Constant(*in_repair, BORDERS),
        Constant(*in_repair, ("SWINGING",), factors=(2.0,), why="its half lies above AGREEING"),
        Constant(*in_repair, ("AGREEING",), factors=(0.5,), why="its double lies below SWINGING"),
        Constant("whole/errors.py", vars(errors), ("SMALLEST_ERROR",), (PRESET["balanced"],)),
        Constant("whole/errors.py", vars(errors), ("UNCOUNTED",), (), (), "a mark, no size"),
        *(Constant("presets.py", presets._TOLERANCE, (name,), (PRESET[name],)) for name in presets.PRESETS),
        *(Constant("config.py", None, (name,)) for name in ("settling", "cooldown")),
    ]


@contextmanager
def instead(constant: Constant, values: Sequence[float]) -> Iterator[None]:
    """While open, the constant has these values."""
    before, owner = constant.values, constant.owner
    if owner is not None:
        owner.update(zip(constant.names, values, strict=True))
    try:
        yield
    finally:
        if owner is not None:
            owner.update(zip(constant.names, before, strict=True))


def measure(args: argparse.Namespace) -> None:
    if args.model == "flux":
        args.side = args.side or FLUX_SIDE
    demo, lines = loaded(args), Lines(args.out / FILE, KEY)
    with torch.inference_mode():
        bench = Bench(demo, lines, list(enumerate(demo.prompts(args.prompts or PROMPTS[args.model]))))
        for way in (*USUAL, *(way for way in PRESET.values() if way not in USUAL), AHEAD):
            bench.measure("", 1.0, way, way.config())
        for constant in every():
            for factor in constant.factors:
                values = constant.at(factor)
                with instead(constant, values):
                    for way in constant.ways:
                        bench.measure(constant.name, factor, way, config_of(way, constant, values))


def config_of(way: Way, constant: Constant, values: Sequence[float]) -> SchedulerConfig:
    more = {} if constant.owner is not None else dict(zip(constant.names, values, strict=True))
    return replace(way.config(), **more)


def code() -> str:
    """The digest of all source that holds a constant."""
    return engine(ROOT / "jano" / "presets.py", ROOT / "jano" / "config.py")


class Bench:
    """The runs of one model. Those of a bed by Euler go side by side in a plain loop."""

    def __init__(self, demo: Demo, lines: Lines, prompts: Sequence[tuple[int, str]]) -> None:
        self._demo, self._lines, self._prompts = demo, lines, prompts
        self._loop = Loop(demo, demo.kind.steps, demo.kind.cfg) if isinstance(demo, Bed) else None
        self._full: dict[str, dict[int, Tensor]] = {}
        self._code = code()

    def measure(self, constant: str, factor: float, way: Way, config: SchedulerConfig) -> None:
        """What is not in the file yet; `factor` is that of the constant's value."""
        about = {"model": self._demo.digest, "code": self._code, "constant": constant, "factor": factor}
        about |= {"way": way.name, "kind": self._demo.kind.name}
        missing = [
            prompt
            for prompt in self._prompts[: way.prompts]
            if self._lines.find({**about, "prompt": prompt[0]}) is None
        ]
        if not missing:
            return
        print(f"{constant or 'as it is'} x {factor:g}, {way.name}", file=sys.stderr, flush=True)
        full = self._pictures_in_full(way)
        for (seed, _), (share, picture) in zip(missing, self._runs(missing, way, config), strict=True):
            found = {"share": round(share, 4), "psnr_db": round(min(100.0, closeness(full[seed], picture)), 3)}
            self._lines.add({**about, "prompt": seed, **found})

    def _pictures_in_full(self, way: Way) -> dict[int, Tensor]:
        prompts = self._prompts[: way.prompts]
        if way.sampler not in self._full:
            self._full[way.sampler] = (
                pictures_in_full(self._loop, prompts)
                if self._is_looped(way.sampler)
                else {seed: self._sampled(seed, text, way.sampler)[1] for seed, text in prompts}
            )
        return self._full[way.sampler]

    def _is_looped(self, sampler: str) -> bool:
        return self._loop is not None and sampler == "euler"

    def _runs(
        self, prompts: Sequence[tuple[int, str]], way: Way, config: SchedulerConfig
    ) -> Iterator[tuple[float, Tensor]]:
        """The share of the steps that each computed, and its picture."""
        if not self._is_looped(way.sampler):
            yield from (self._sampled(seed, text, way.sampler, config) for seed, text in prompts)
            return
        paths = [self._loop.begin(text, seed, config) for seed, text in prompts]
        pictures = self._loop.run(paths)
        yield from (
            (len(path.computed) / self._loop.num_steps, picture) for path, picture in zip(paths, pictures, strict=True)
        )

    def _sampled(
        self, seed: int, text: str, sampler: str, config: SchedulerConfig | None = None
    ) -> tuple[float, Tensor]:
        model = self._demo.model if config is None else schedule(analyze(self._demo.model, AnalyzerConfig()), config)
        how = Sampling(self._demo.kind.steps, sampler, self._demo.kind.cfg)
        latent = self._demo.sample(text, seed, how, model=model)
        share = 1.0 if config is None else report_of(model, latent).computed_token_fraction
        return share, self._demo.picture(latent)
