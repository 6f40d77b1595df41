"""Everything that one sampling run owns; made when sampling starts, dropped when it ends, however it ends."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from .account import Account
from .clock import Clock, share_of_steps
from .config import AnalyzerConfig, SchedulerConfig
from .every_step import EveryStep
from .forecast.questions import Questions
from .levels.drawing import NOT_FINITE, Drawing
from .levels.grid import TokenGrid
from .levels.map import LevelMap
from .levels.parts import ONE_PART, Parts
from .references.engine import References, Refreshing
from .refusal import Unaccelerated, require_room
from .sampler import PLAIN, SamplerTraits
from .sentences import say
from .show.report import RunReport

WENT_BACK = say("went_back")
ALWAYS_NEW = say("always_new")
STEPS_AFTER_A_JUMP = 3
"""Full steps after one: two for a line, and one that measures it."""


class Run:
    """The clock, the account, one engine and the map of a run; what both engines have in common.

    `latent_shape` is (batch, channels, [frames,] height, width), or that of several `parts` packed into one, of which
    `grid` lays out the one that is looked at; `scheduler` None only analyses; where it
    `forecasts` nothing, every step is computed; `refreshing` says when
    references are. Unaccelerated when the steps leave no room for a forecast, or the map that was handed over is not of
    this latent.
    """

    def __init__(
        self,
        analyzer: AnalyzerConfig,
        scheduler: SchedulerConfig | None,
        grid: TokenGrid,
        latent_shape: tuple[int, ...],
        sigmas: list[float],
        report: RunReport,
        level_map: LevelMap | None = None,
        sampler: SamplerTraits = PLAIN,
        painted: Tensor | None = None,
        parts: Parts = ONE_PART,
        refreshing: Refreshing | None = None,
        forecasts: bool = True,
    ) -> None:
        self._parts, self._sampler = parts, sampler
        self.grid, self.latent_shape, self.report = grid, tuple(latent_shape), report
        self.clock = Clock(tuple(sigmas))
        self.account = Account(report, grid, sigmas[0])
        self.drawing = Drawing(analyzer, scheduler, grid, self.clock.num_steps, fitting(level_map, grid, scheduler))
        self.questions = Questions()
        rate = level_map and level_map.error_rate
        self.engine = self._engine(scheduler, rate, painted) if forecasts else EveryStep(scheduler.tolerance)
        self.references = refreshing and References(refreshing, self.clock, self.account)
        self.moment = self._step = self.clock.at(sigmas[0])
        self._looks = False
        self._resumes = 0
        self._gave_up = False
        report.level_map = self.drawing.level_map and self.drawing.level_map.to(torch.device("cpu"))
        report.num_steps, report.num_tokens = self.clock.num_steps, grid.num_tokens
        report.accelerates = scheduler is not None
        report.left = sampler.left
        report.maps = "levels" if self.engine is None else self.engine.MAPS

    def _engine(
        self, scheduler: SchedulerConfig | None, error_rate: float | None, painted: Tensor | None
    ) -> object | None:
        """The one engine of the run, None to analyse. Imported here: either can do without the other's folder."""
        if scheduler is None:
            cooldown = share_of_steps(SchedulerConfig().cooldown, self.clock.num_steps)
            require_room(self.clock.num_steps, self.drawing.steps, cooldown, needed=self.drawing.steps)
            return None
        if scheduler.controlled:
            from .whole.engine import WholeSteps

            common = scheduler, self.clock, self.grid, self.account
            engine = WholeSteps(*common, self._sampler, error_rate, painted, self._parts)
            self.drawing.steps = max(self.drawing.steps, engine.full_steps)
            return engine
        from .by_level.engine import ByLevel

        common = scheduler, self.clock, self.account, self.drawing, self.latent_shape
        return ByLevel(*common, self._sampler.repair.corrects, painted)

    # --- once per model evaluation

    def begin(self, sigma: float) -> None:
        """A model evaluation at `sigma`, told as a flow model's, starts."""
        self._looks = self._is_ahead(sigma)
        if self._looks:
            self._look(sigma)
        else:
            self._enter(sigma)
        self.questions.begin()
        is_first = self.account.begin(self.moment.step, sigma)
        if self.engine is not None and not self._looks:
            self.engine.begin(self.moment, is_first, self._resumes)

    def _enter(self, sigma: float) -> None:
        """The step itself is evaluated, not what lies ahead of it."""
        previous, self._step = self._step, self.clock.at(sigma)
        self.moment = self._step
        if self.engine is not None and self.moment.is_before(previous):
            self._go_back()
        if self.drawing.is_due(self.moment):
            self._draw()

    def _is_ahead(self, sigma: float) -> bool:
        """Whether this evaluation is for the step that is under way, where the engine knows what to do then."""
        may = self.engine is not None and self.engine.MAY_LOOK
        return may and self._sampler.is_ahead(sigma, self.moment.sigma)

    def _look(self, sigma: float) -> None:
        """An evaluation at a later noise level, which belongs to the step that it is made for."""
        self.moment = self.clock.moment(self._step.step, sigma)
        self.engine.look(self.moment)

    def _go_back(self) -> None:
        """The sampler takes up an earlier x: nothing that was kept, and nothing that was asked, is a past of it."""
        self.account.fall_back(WENT_BACK)
        self._resumes = self.moment.step + STEPS_AFTER_A_JUMP
        self.questions = Questions()
        self.engine.go_back()
        if self.references is not None:
            self.references.go_back()

    def latents_in(self, x: Tensor) -> float:
        """How many of the run's latents lie in `x` (batch, channels, ...): more in batches, less in parts of one."""
        return prod((x.shape[0], *x.shape[2:])) / prod((self.latent_shape[0], *self.latent_shape[2:]))

    @property
    def shift(self) -> Tensor | None:
        """How far the x that the model is to see lies from the sampler's, in a flow model's measure; None: nowhere."""
        return self.engine and self.engine.shift

    def hear(self, parts: Iterable[Hashable], answers: Iterable[tuple[int, Tensor]]) -> None:
        """What the guidance asked for, and what it was told of its sides, computed or forecast."""
        self.questions.hear(parts, [answer for answer in answers if answer[1].shape == self.latent_shape])

    def settle(self, x: Tensor, denoised: Tensor, cfg: float | None = None) -> Tensor:
        """After an evaluation on `x` as the model saw it, in a flow model's measure: what the sampler is given.

        `cfg` is the guider's own word for the strength of its guidance.
        """
        if self._looks:
            return self.engine.seen(denoised)
        if self.engine is None or self.engine.computed:
            self.drawing.observe(self._parts.seen(x), self._parts.seen(denoised), self.moment)
        if self.engine is None:
            return denoised
        has_changed = self.engine.asks and self.questions.have_changed(denoised, cfg)
        overshoot = self.questions.overshoot(denoised) if self.engine.asks else None
        return self.engine.settle(denoised, self.moment, has_changed, overshoot)

    def _draw(self) -> None:
        told = self.drawing.draw()
        if self.drawing.level_map is not None:
            self.report.level_map = self.drawing.level_map.to(torch.device("cpu"))
        elif self.engine is None or self.engine.NEEDS_MAP:
            self.account.fall_back(told)
            return self.give_up()
        if told:
            self.account.note(told)
        return None

    # --- where it ends

    def conclude(self) -> None:
        """After the last step: say why nothing was saved, or little."""
        share = self.report.computed_token_fraction
        if reason := self.why_native():
            noted = self.report.notes  # on the way: it explains it, too; of numbers that are none, it alone
            for known in noted if NOT_FINITE in noted else (*noted, reason):
                self.account.fall_back(known)
        elif self.engine is not None and share < 1.0 and not self.report.fallbacks:
            self.account.note(self.engine.why_little(share))

    def why_native(self) -> str:
        """Why nothing was saved; empty when something was, or the reason is known."""
        gave_up = self._gave_up or (self.references is not None and self.references.gave_up)
        if self.engine is None or gave_up or self.report.fallbacks or self.report.computed_token_fraction < 1.0:
            return ""
        return ALWAYS_NEW if self.questions.are_always_new else self.engine.why_native()

    def give_up(self) -> None:
        """Compute the rest of the run in full; the account goes on, and x keeps what it was repaired of."""
        self._gave_up = True
        self.drawing.give_up()
        if self.engine is not None:
            self.engine.give_up()

    def drop(self) -> None:
        """Let go of every tensor; a small CPU copy of the level map stays in the report."""
        if self.drawing.level_map is not None:
            rate = self.engine and self.engine.error_rate
            self.report.level_map = replace(self.drawing.level_map.to(torch.device("cpu")), error_rate=rate)
        self.drawing.drop()
        self.questions = Questions()
        for part in (self.engine, self.references):
            if part is not None:
                part.drop()
        self.engine = self.references = None


def fitting(level_map: LevelMap | None, grid: TokenGrid, scheduler: SchedulerConfig | None) -> LevelMap | None:
    """The map that was handed over, if it is of this latent. Whole steps need none and draw their own instead."""
    if level_map is None or level_map.grid.covers_as(grid):
        return level_map
    if scheduler is not None and scheduler.controlled:
        return None
    theirs = level_map.grid
    of_map = {"theirs": str(theirs.latent), "their_patch": str(theirs.patch)}
    of_run = {"ours": str(grid.latent), "our_patch": str(grid.patch)}
    raise Unaccelerated(say("map_of_another_size", **of_map, **of_run))
