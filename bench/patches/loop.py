"""Runs of the bed in a plain loop, many at once: the product's engine for each of them, the closed form for all.

A step of 16 runs together costs about a fifth of 16 steps one by one, since the set is read once (48 pixels, one core).
The engine is the product's own (jano/whole/engine.py), entered as its adapters do; that it comes to the host's picture
is tested (tests/host/test_bench_oracle.py). Euler, CFG, pictures alone.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import comfy.sample
import comfy.samplers
import torch
from torch import Tensor

from ...jano.account import Account
from ...jano.adapters.repaired import repair_for
from ...jano.adapters.samplers import LEFT_BY_A_REPAIR
from ...jano.clock import Clock
from ...jano.config import SchedulerConfig
from ...jano.sampler import SamplerTraits
from ...jano.show.quality import psnr
from ...jano.show.report import RunReport
from ...jano.whole.engine import WholeSteps
from ..trajectory import sigmas_of
from .bed import Bed

# Pictures that are asked for at once: more come out of the processor's cache.
AT_ONCE = 64
KEY = "bed"
# From the seed of a run's noise to that of the noise that nudges it: none of the prompts' own.
OTHER_SEED = 100_000
FIRST_STEPS = (0, 1)
"""A line needs two predictions: whatever a plan says, these are computed."""


@dataclass
class Path:
    """One run, up to the step that comes next: `x` (1, 3, side, side), and the steps that were computed. `asked`
    (2, N) is the logarithm of every picture's share under the prompt and without it; without an `engine` every step is
    computed."""

    x: Tensor
    asked: Tensor
    engine: WholeSteps | None = None
    computed: list[int] = field(default_factory=list)


class Loop:
    """Sampling with `steps` steps of Euler and this guidance. What all runs share is made once."""

    def __init__(self, bed: Bed, steps: int, cfg: float) -> None:
        self._bed, self._cfg = bed, cfg
        self._denoiser = bed.model.model.diffusion_model.denoiser
        self.sigmas = sigmas_of(bed, steps)
        self._clock, self._grid = Clock(tuple(self.sigmas.tolist())), bed.grid
        self._account = Account(RunReport("bed", steps), self._grid)
        self._euler = comfy.samplers.ksampler("euler")

    @property
    def num_steps(self) -> int:
        return self._clock.num_steps

    def begin(
        self,
        text: str,
        seed: int,
        config: SchedulerConfig | None = None,
        rate: float | None = None,
        nudge: float = 0.0,
    ) -> Path:
        """A run before its first step, in full without a `config`; `rate` is the error rate of a run that it goes on
        from, `nudge` the share (root mean square) of its noise that is another seed's."""
        x = math.sqrt(1.0 - nudge**2) * self._noise(seed) + nudge * self._noise(seed + OTHER_SEED)
        x = x * self.sigmas[0]
        sides = [self._bed.kind.conditioning(side)[0][0][:, 0] for side in (text, "")]
        return Path(x, torch.cat(sides), config and self._engine(config, rate))

    def _noise(self, seed: int) -> Tensor:
        return comfy.sample.prepare_noise(torch.zeros(self._bed.kind.latent), seed)

    def _engine(self, config: SchedulerConfig, rate: float | None) -> WholeSteps:
        repair = repair_for(config, self._euler, self.sigmas.tolist())
        traits = SamplerTraits(repair, left=LEFT_BY_A_REPAIR if repair.corrects else 1.0)
        return WholeSteps(config, self._clock, self._grid, self._account, traits, rate)

    def copied(self, path: Path) -> Path:
        """The same run, to go on another way; what only tells of runs is shared."""
        shared = self._clock, self._grid, self._account, path.asked
        return copy.deepcopy(path, {id(one): one for one in shared})

    def step(self, paths: Sequence[Path], number: int) -> None:
        """Every path goes one step further."""
        moment = self._clock.moment(number)
        forecast = [self._forecast(path, moment) for path in paths]
        asked = [path for path, known in zip(paths, forecast, strict=True) if known is None]
        answers = iter(self._computed(asked, moment))
        for path, known in zip(paths, forecast, strict=True):
            sides = next(answers) if known is None else known
            guided = sides[1:] + (sides[:1] - sides[1:]) * self._cfg
            self._move(path, self._settled(path, sides, guided, moment, known is None), moment)

    def _forecast(self, path: Path, moment: object) -> Tensor | None:
        if path.engine is None:
            return None
        path.engine.begin(moment, True, 0)
        return path.engine.recall(KEY, moment, True)

    def _computed(self, paths: Sequence[Path], moment: object) -> list[Tensor]:
        """(2, 3, side, side) of each: x0 under the prompt and without it."""
        found = []
        for first in range(0, len(paths), AT_ONCE // 2):
            some = paths[first : first + AT_ONCE // 2]
            x = torch.cat([_seen(path) for path in some]).repeat_interleave(2, 0)
            found += self._denoiser(x, moment.sigma, torch.cat([path.asked for path in some])).split(2)
        return found

    def _settled(self, path: Path, sides: Tensor, guided: Tensor, moment: object, computed: bool) -> Tensor:
        """What the sampler is given."""
        if computed:
            path.computed.append(moment.step)
        if path.engine is None:
            return guided
        if computed:
            path.engine.keep(KEY, sides, moment, 1)
        overshoot = guided - sides[:1] if computed and self._cfg > 1.0 else None
        return path.engine.settle(guided, moment, False, overshoot)

    def _move(self, path: Path, denoised: Tensor, moment: object) -> None:
        path.x = path.x + (path.x - denoised) / moment.sigma * (moment.end - moment.start)

    def run(self, paths: Sequence[Path]) -> list[Tensor]:
        """The finished pictures (1, side, side, 3) of paths that have not begun."""
        for number in range(self.num_steps):
            self.step(paths, number)
        return [self.picture(path) for path in paths]

    def picture(self, path: Path) -> Tensor:
        return self._bed.picture(_seen(path))


def _seen(path: Path) -> Tensor:
    """The x that the model is shown, and after the last step the finished one: with what was repaired."""
    shift = path.engine and path.engine.shift
    return path.x if shift is None else path.x + shift


def follow(path: Path, plan: Collection[int]) -> None:
    """From now on these steps are computed, whatever the control says, and no others."""
    known = frozenset((*plan, *FIRST_STEPS))
    path.engine._control.due = known.__contains__


def closeness(reference: Tensor, picture: Tensor) -> float:
    """PSNR in dB."""
    return psnr(reference, picture).mean().item()


def pictures_in_full(loop: Loop, prompts: Iterable[tuple[int, str]], nudge: float = 0.0) -> dict[int, Tensor]:
    """The full runs' pictures, by seed."""
    prompts = list(prompts)
    found = loop.run([loop.begin(text, seed, nudge=nudge) for seed, text in prompts])
    return {seed: picture for (seed, _), picture in zip(prompts, found, strict=True)}
