"""Steps that compute some of the tokens (paper section 5.2): the others are forecast, and seen through cached K/V."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..account import Account
from ..clock import Clock, Moment
from ..config import SchedulerConfig
from ..forecast.guided import Guided, everywhere
from ..forecast.memory import Memory
from ..levels.drawing import Drawing
from ..levels.map import ALL_LEVELS, Level
from ..refusal import require_room
from ..sentences import say
from ..storage import after
from .kv_cache import Chunks, KVCache
from .schedule import Schedule
from .selection import ALL, Selection, select, step_class

NOTHING_FROZEN = say("nothing_frozen")


@dataclass(frozen=True)
class Call:
    """One call of the transformer for a batch of conditioning chunks: the tokens that it computes, and whether it keeps
    the keys and values of all."""

    chunks: Chunks
    selection: Selection = ALL
    stores: bool = False


class ByLevel:
    """The second engine, for one run of latents (batch, channels, [frames,] height, width). The map of `drawing` says
    which tokens have which level. Unaccelerated where the steps leave no room between warm-up and cool-down."""

    NEEDS_MAP = True
    MAY_LOOK = False
    MAPS = "levels"

    def __init__(
        self,
        config: SchedulerConfig,
        clock: Clock,
        account: Account,
        drawing: Drawing,
        latent_shape: tuple[int, ...],
        corrects: bool,
        painted: Tensor | None = None,
    ) -> None:
        self._account, self._drawing, self._is_clip = account, drawing, len(latent_shape) == 5
        self.schedule = Schedule.from_config(config, clock.num_steps, drawing.steps)
        require_room(clock.num_steps, self.schedule.warmup_steps, self.schedule.cooldown_steps)
        self._guided, self._memory = Guided(config, corrects, painted), Memory(config)
        self.cache = KVCache()
        self._selected = self._computed_now = ALL
        self._selections: dict[frozenset[Level], Selection] = {}
        self._measured_step = -1
        self._gave_up = False

    def keep_in(self, storage: str) -> None:
        """Where keys and values are kept from now on; what was kept is let go of."""
        self._memory.expire()
        self.cache = KVCache(storage)

    def ran_out(self) -> bool:
        """There was not enough memory to keep them; whether there is another storage to try from the next call on."""
        storage = after(self.cache.storage)
        self.keep_in(storage or self.cache.storage)
        return bool(storage)

    @property
    def shift(self) -> Tensor | None:
        """What the model is shown beside the sampler's x, in a flow model's measure."""
        return self._guided.shift

    @property
    def computed(self) -> bool:
        """Whether the evaluation that is under way computed every token."""
        return self._computed_now.is_all

    @property
    def asks(self) -> bool:
        """Whether the evaluation that is under way asked the model anything."""
        return not self._computed_now.is_empty

    @property
    def error_rate(self) -> None:
        """Errors are not measured for a run that goes on."""

    # --- once per model evaluation

    def begin(self, moment: Moment, is_first: bool, resumes: int) -> None:
        """An evaluation starts; the first one of a step decides for all. All are computed before step `resumes`."""
        if is_first:
            waits = self._gave_up or self._drawing.level_map is None or moment.step < resumes
            self._selected = ALL if waits else self._selection(self.schedule.due(moment.step))
        self._computed_now = ALL

    def settle(self, denoised: Tensor, moment: Moment, has_changed: bool, overshoot: Tensor | None = None) -> Tensor:
        """Measure, repair, remember; returns what the sampler is given. `has_changed` tells of another question."""
        selection = self._computed_now
        if has_changed:
            self._guided.begin_anew()
        is_first, self._measured_step = self._measured_step != moment.step, moment.step
        if is_first:
            self._measure(denoised, moment, selection)
        if not selection.is_empty:
            cells = None if selection.is_all else selection.cells.expand(1, 1, *denoised.shape[2:])
            self._guided.record(denoised, moment, cells)
        return self._guided.returned(denoised)

    def _measure(self, denoised: Tensor, moment: Moment, selection: Selection) -> None:
        cells = selection.cells if selection.is_partial else everywhere(denoised, selection.is_all)
        if not selection.is_empty:
            self._guided.measured(moment, self._guided.error(denoised, moment), cells)
        if not selection.is_all:
            self._guided.passed(moment, ~cells)

    # --- once per call of the transformer

    def plan(self, chunks: Chunks, moment: Moment) -> Call:
        """What to compute for these conditioning chunks; those without fresh K/V are computed in full."""
        if self._selected.is_all:
            return Call(chunks, stores=self._next_is_partial(moment.step))
        if not all(self._memory.is_fresh(chunk, moment.step) for chunk in chunks):
            return Call(chunks, stores=True)
        return Call(chunks, self._selected, stores=True)

    def finish(self, call: Call, x0: Tensor | None, moment: Moment) -> Tensor:
        """The prediction of all cells: computed ones from `x0` (None where there are none), frozen ones forecast."""
        selection = call.selection
        if not selection.is_all:
            self._computed_now = selection
        self._account.count(step_class(selection, call.stores), len(call.chunks), selection.tokens)
        if not selection.is_all:
            frozen = torch.cat([self._memory.forecast(chunk, moment) for chunk in call.chunks])
            x0 = frozen if x0 is None else torch.where(selection.cells, x0, frozen)
        self._remember(call, x0, moment)
        self._account.cached(self.cache.num_bytes)
        return x0

    def _remember(self, call: Call, x0: Tensor, moment: Moment) -> None:
        if self._gave_up:
            return
        selection = call.selection
        cells = None if selection.is_all else selection.cells.expand(1, 1, *x0.shape[2:])
        if call.stores:
            self._ask(call.chunks, moment.step)
        for chunk, rows in zip(call.chunks, x0.chunk(len(call.chunks)), strict=True):
            if not selection.is_empty:
                self._memory.record(chunk, rows, moment, cells)

    def _ask(self, chunks: Chunks, step: int) -> None:
        """What is kept of these is used or renewed; what is asked for no more is let go of."""
        for chunk in chunks:
            self._memory.ask(chunk, step)
        self.cache.forget(self._memory.forget_stale(step))

    def _next_is_partial(self, step: int) -> bool:
        """Whether the step after this one will need the keys and values that this one computes."""
        if self._gave_up:
            return False
        following = self.schedule.due(step + 1)
        if following == ALL_LEVELS:
            return False
        return self._drawing.level_map is None or not self._selection(following).is_all

    def _selection(self, due: frozenset[Level]) -> Selection:
        if due not in self._selections:
            self._selections[due] = select(self._drawing.level_map, due, self._is_clip)
        return self._selections[due]

    # --- where it ends

    def go_back(self) -> None:
        """The sampler takes up an earlier x: nothing that was kept is a past of what follows."""
        self._let_go()
        self._guided.go_back()
        self._measured_step = -1

    def give_up(self) -> None:
        """Compute the rest of the run in full; x keeps what it was repaired of."""
        self._gave_up = True
        self._let_go()

    def _let_go(self) -> None:
        self._selected = ALL
        self._memory.drop()
        self.cache.drop()

    def why_native(self) -> str:
        """After a run in which nothing was saved, and no other reason is known."""
        return NOTHING_FROZEN

    def why_little(self, share: float) -> str:
        """Intervals leave out what was asked for."""
        return ""

    def drop(self) -> None:
        """Let go of every tensor."""
        self.give_up()
        self._selections.clear()
        self._guided.drop()
        self._computed_now = ALL
