"""Everything that one sampling run owns; made when sampling starts, dropped when it ends, however it ends."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .account import Account
from .call import (
    ALWAYS_NEW,
    NOTHING_ASKED,
    NOTHING_FROZEN,
    NOTHING_SAVED,
    TOO_FEW,
    WENT_BACK,
    Call,
    Mode,
    Unaccelerated,
)
from .clock import Clock
from .complexity import Features, normalised_scores
from .config import AnalyzerConfig, SchedulerConfig
from .error_control import STEPS_FOR_A_LINE, budget_of, first_full_steps
from .feedback import Feedback
from .forecast import PredictionHistory
from .grid import TokenGrid
from .kv_cache import Chunks, KVCache
from .levels import LevelMap, Selection, classify
from .questions import Questions
from .report import RunReport
from .schedule import ALL_LEVELS, Level, Schedule, StepClass, warmup_steps
from .whole_steps import GroupMemory


class Run:
    """Decides what every step computes, keeps what frozen tokens need, and writes the account.

    `latent_shape` is (batch, channels, [frames,] height, width); `scheduler` None only analyses; `corrects` tells that
    the sampler integrates an ODE, so that forecasts can be repaired afterwards.
    Raises Unaccelerated when the steps leave no room between warm-up and cool-down.
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
        corrects: bool = False,
    ) -> None:
        self.analyzer, self.scheduler = analyzer, scheduler
        self.grid, self.latent_shape, self.report = grid, tuple(latent_shape), report
        self.clock = Clock(tuple(sigmas))
        num_steps = self.clock.num_steps
        rate = level_map and level_map.error_rate
        self.controlled = scheduler is not None and scheduler.controlled
        level_map = self._fitting(level_map)
        drawing = 1 if level_map is not None else warmup_steps(analyzer.warmup, num_steps, analyzer.score)
        warmup = self._first_full_steps(rate) if self.controlled else drawing
        self.schedule = Schedule.from_config(scheduler or SchedulerConfig(), num_steps, warmup)
        self._map_steps = max(drawing, warmup)
        self._require_room(num_steps)
        self._note_unreachable(scheduler, num_steps)
        self.level_map = level_map
        report.level_map = level_map and level_map.to(torch.device("cpu"))
        self.account = Account(report, grid, latent_shape[0], sigmas[0])
        self.cache, self.groups = KVCache(), GroupMemory(scheduler or SchedulerConfig())
        self.feedback = Feedback(scheduler, self.schedule, grid, self.clock, corrects, rate) if scheduler else None
        self.moment = self.clock.at(sigmas[0])
        self._selected: Selection | None = None
        self._frozen_by: Selection | None = None
        self._gave_up = False
        self._resumes = 0  # after a jump back: first a line, and a step that measures it
        self._features: dict[int, tuple[Tensor, Tensor]] = {}
        self._histories: dict[Hashable, PredictionHistory] = {}
        self._last_step: dict[Hashable, int] = {}
        self._counted = 0
        self._questions = Questions()
        self._selections: dict[frozenset, Selection] = {}
        report.num_steps, report.num_tokens, report.accelerates = num_steps, grid.num_tokens, scheduler is not None

    def _first_full_steps(self, error_rate: float | None) -> int:
        """Steps before the first forecast of a whole step: fewer where a run before has measured its errors."""
        if error_rate is not None:
            return STEPS_FOR_A_LINE
        num_steps = self.clock.num_steps
        return first_full_steps(num_steps, budget_of(self.scheduler.target_speedup, num_steps))

    def _require_room(self, num_steps: int) -> None:
        if self.schedule.warmup_steps >= num_steps or (self.scheduler and not self.schedule.interleaved):
            raise Unaccelerated(
                f"{num_steps} steps leave nothing between {self.schedule.warmup_steps} steps of warm-up and "
                f"{self.schedule.cooldown_steps} of cool-down; use more steps"
            )

    def _note_unreachable(self, scheduler: SchedulerConfig | None, num_steps: int) -> None:
        target = scheduler.target_speedup if scheduler else 0.0
        always = self.schedule.warmup_steps + self.schedule.cooldown_steps
        if target and budget_of(target, num_steps) < always:
            self.report.notes.append(
                f"target_speedup {target:g} would leave {budget_of(target, num_steps)} of {num_steps} steps, but "
                f"{always} are always computed"
            )

    def _fitting(self, level_map: LevelMap | None) -> LevelMap | None:
        """The map that was handed over, if it is of this latent. Whole steps need none and draw their own instead."""
        if level_map is None or level_map.grid.covers_as(self.grid):
            return level_map
        if self.controlled:
            return None
        theirs, own = level_map.grid, self.grid
        raise Unaccelerated(
            f"the level map is for {theirs.latent} latent cells (frames, height, width) in tokens of {theirs.patch}, "
            f"but this latent has {own.latent} in tokens of {own.patch}; use a map made at this size with this model"
        )

    # --- once per model evaluation

    def begin(self, sigma: float) -> None:
        """A model evaluation at `sigma` starts: find its step and which levels are due."""
        previous, self.moment = self.moment, self.clock.at(sigma)
        if self.moment.is_before(previous):
            self._go_back()
        if self.level_map is None and self.moment.step >= self._map_steps and not self._gave_up:
            self._classify()
        if self.account.begin(self.moment.step, sigma):
            self._selected = self._select() if self._caches else None
        self._frozen_by = None
        self._questions.begin()
        self.groups.begin()

    def _go_back(self) -> None:
        """The sampler takes up an earlier x: nothing that was kept is a past of what follows."""
        if self.scheduler is None:
            return
        self.report.add_fallback(WENT_BACK)
        self._selected = None
        self._resumes = self.moment.step + STEPS_FOR_A_LINE + 1
        self._forget()
        self.feedback.went_back()

    def _select(self) -> Selection | None:
        """The tokens of this step, None for all: the same for every evaluation of it."""
        if self.moment.step < self._resumes:
            return None
        if self.controlled:
            return None if self.feedback.due(self.moment.step) else Selection.none()
        return None if self.level_map is None else self._selection(self.schedule.due(self.moment.step))

    def shown(self, x: Tensor, scale: float = 1.0) -> Tensor:
        """What the model sees in place of the sampler's `x`: repaired of what earlier forecasts did to it.

        `scale` is how many times larger `x` is than that of a flow model at this sigma.
        """
        return x if self.shift is None else x + scale * self.shift.to(x)

    @property
    def shift(self) -> Tensor | None:
        """What the finished x is to be moved by, in a flow model's measure; None: not at all."""
        return self.feedback and self.feedback.shift

    def settle(self, x: Tensor, denoised: Tensor, scale: float = 1.0, cfg: float | None = None) -> Tensor:
        """After an evaluation on `x` as shown: measure the forecast, repair, and return what the sampler is given.

        `cfg` is the guider's own word for its strength, where that cannot be measured.
        """
        if self._frozen_by is None:
            self.observe(x / scale, denoised)
        if self.feedback is None:
            return denoised
        has_asked = self._frozen_by is None or not self._frozen_by.empty
        has_changed = has_asked and self._questions.have_changed(denoised, cfg)
        denoised = self.feedback.settled(denoised, self.moment, self._frozen_by, has_changed)
        self.report.spread = self.feedback.spread
        return denoised

    def observe(self, x: Tensor, denoised: Tensor) -> None:
        """Keep the guided prediction of a first step; a later evaluation of the same step replaces it."""
        drawing = self.level_map is None and self.moment.step < self._map_steps
        if drawing and self.moment.sigma > 0 and not self._gave_up:
            self._features[self.moment.step] = ((x - denoised) / self.moment.sigma, denoised.clone())

    def _classify(self) -> None:
        """Build the level map from the warm-up (one device synchronisation a run)."""
        if len(self._features) < 2:
            self._map_steps = 0
            return self._go_on_without_map()
        observed = [self._features[step] for step in sorted(self._features)]
        velocity, denoised = (torch.stack(parts).float() for parts in zip(*observed, strict=True))
        if not bool(velocity.isfinite().all()):
            self.report.notes.append("the model predicted values that are not finite numbers")
        if velocity.ndim == 5:  # pictures: (S, B, C, H, W)
            velocity, denoised = velocity.unsqueeze(3), denoised.unsqueeze(3)
        batch = [Features(v, d) for v, d in zip(velocity.unbind(1), denoised.unbind(1), strict=True)]
        scores = normalised_scores(batch, self.grid, self.analyzer)
        self.level_map = classify(scores, self.grid, self.scheduler or SchedulerConfig())
        self.report.level_map = self.level_map.to(torch.device("cpu"))
        self._features.clear()
        return None

    def _go_on_without_map(self) -> None:
        """Whole steps need none."""
        if self.controlled:
            self.report.notes.append(TOO_FEW)
            return
        self.report.add_fallback(TOO_FEW)
        self.give_up()

    # --- once per group of conditionings that the guidance asks for, where whole steps are forecast

    def hear(self, parts: Iterable[Hashable], answers: Sequence[tuple[int, Tensor]]) -> None:
        """What the guidance asked for, and what it was told of its sides, computed or forecast."""
        self._questions.hear(parts, [answer for answer in answers if answer[1].shape == self.latent_shape])

    def recall(self, key: Hashable) -> Tensor | None:
        """Forecast predictions of a group, stacked along the batch; None where they must be computed."""
        group = None if self._selected is None else self.groups.recall(key, self.moment.step)
        if group is None:
            self._counted = self.account.record.all_tokens
            return None
        self.account.spare(group.tokens)
        self._frozen_by = self._selected
        return group.history.forecast(self.moment)

    def keep(self, key: Hashable, predictions: Tensor) -> None:
        """Predictions of a group, stacked along the batch, were computed because there was nothing to recall."""
        if self._caches:
            self.groups.keep(key, predictions, self.moment, self.account.record.all_tokens - self._counted)

    # --- once per call of the transformer

    def accepts(self, x: Tensor) -> bool:
        """Whether `x` shows this run's whole latent (area conditioning and context windows show parts)."""
        return tuple(x.shape[1:]) == self.latent_shape[1:]

    def plan(self, chunks: Chunks) -> Call:
        """What to compute for these conditioning chunks; those without fresh K/V are computed in full."""
        if self._selected is None:
            return Call(Mode.STORE if self._next_is_partial() else Mode.FULL, chunks)
        if not all(self._is_fresh(chunk) for chunk in chunks):
            return Call(Mode.STORE, chunks)
        return Call(Mode.SKIP if self._selected.empty else Mode.PARTIAL, chunks, self._selected)

    def finish(self, call: Call, x0: Tensor | None) -> Tensor:
        """The prediction of all cells: computed ones from `x0` (None after SKIP), frozen ones forecast."""
        self._frozen_by = call.selection or self._frozen_by
        tokens = None if call.selection is None else call.selection.tokens
        self.account.count(self._step_class(call.mode), len(call.chunks), tokens)
        if call.mode in (Mode.PARTIAL, Mode.SKIP):
            frozen = torch.cat([self._histories[chunk].forecast(self.moment) for chunk in call.chunks])
            x0 = frozen if x0 is None else torch.where(call.selection.cells, x0, frozen)
        if call.mode is not Mode.FULL:
            self._last_step.update(dict.fromkeys(call.chunks, self.moment.step))
            self._forget_old()
        if call.mode is not Mode.SKIP:
            self._remember(call, x0)
        self.report.cache_bytes_peak = max(self.report.cache_bytes_peak, self.cache.num_bytes)
        return x0

    @property
    def keeps_keys(self) -> bool:
        """Whether this run caches keys and values: only where a step may compute a part of the tokens."""
        return self.scheduler is not None and not self.controlled

    def why_native(self) -> str:
        """After the last step: why nothing was saved; empty when something was, or the reason is known."""
        told = self._gave_up or self.report.fallbacks or self.report.computed_token_fraction < 1.0
        if self.scheduler is None or told:
            return ""
        if self.groups.always_new:
            return ALWAYS_NEW
        if not self.controlled:
            return NOTHING_FROZEN
        return NOTHING_ASKED if self.scheduler.target_speedup else NOTHING_SAVED

    def give_up(self) -> None:
        """Compute the rest of the run in full; the account goes on, and x keeps what it was repaired of."""
        self._gave_up = True
        self._selected = None
        self._forget()

    def _forget(self) -> None:
        """Let go of what forecasts and frozen tokens need."""
        self.cache.drop()
        self._histories.clear()
        self._last_step.clear()
        self.groups.drop()

    def drop(self) -> None:
        """Let go of every tensor; a small CPU copy of the level map stays in the report."""
        if self.level_map is not None:
            rate = self.feedback and self.feedback.error_rate
            self.report.level_map = replace(self.level_map.to(torch.device("cpu")), error_rate=rate)
        self.level_map = None
        self._forget()
        self._features.clear()
        self._selections.clear()
        self._questions.begin()
        self.feedback = None

    @property
    def _caches(self) -> bool:
        return self.scheduler is not None and not self._gave_up

    def _next_is_partial(self) -> bool:
        """Whether the step after this one will need the keys and values that this one computes."""
        if not self._caches:
            return False
        following = self.schedule.due(self.moment.step + 1)
        return following != ALL_LEVELS and (self.level_map is None or self._selection(following) is not None)

    def _selection(self, due: frozenset) -> Selection | None:
        """The tokens whose level is due; None when these are all tokens."""
        if due not in self._selections:
            found = self.level_map.select(due)
            if found is not None and len(self.latent_shape) == 4:  # pictures have no axis of frames
                found = replace(found, cells=found.cells[0])
            self._selections[due] = found
        return self._selections[due]

    def _is_fresh(self, chunk: Hashable) -> bool:
        """Whether this chunk's keys and values were kept up to the step before; otherwise they are too old."""
        return self._last_step.get(chunk, -2) >= self.moment.step - 1

    def _forget_old(self) -> None:
        """Let go of chunks that are asked for no more."""
        old = {chunk for chunk in self._last_step if not self._is_fresh(chunk)}
        for kept in (self._last_step, self._histories):
            for chunk in old & kept.keys():
                del kept[chunk]
        self.cache.forget(old)

    def _remember(self, call: Call, x0: Tensor) -> None:
        if not self._caches:
            return
        computed = None if call.selection is None else call.selection.cells.expand(1, 1, *x0.shape[2:])
        for chunk, rows in zip(call.chunks, x0.chunk(len(call.chunks)), strict=True):
            history = self._histories.setdefault(chunk, PredictionHistory(self.scheduler))
            history.record(rows, self.moment, computed)

    def _step_class(self, mode: Mode) -> StepClass:
        if mode is Mode.PARTIAL:
            return StepClass.MODERATE if Level.MODERATE in self.schedule.due(self.moment.step) else StepClass.ACTIVE
        return {Mode.FULL: StepClass.FULL, Mode.STORE: StepClass.STORE, Mode.SKIP: StepClass.SKIPPED}[mode]
