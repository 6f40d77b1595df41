"""Steps in which the model is not asked: computed or forecast as a whole, measured, and repaired afterwards."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import Tensor

from ..account import Account
from ..clock import Clock, Moment, share_of_steps
from ..config import SchedulerConfig
from ..forecast.guided import Guided, everywhere
from ..forecast.history import PredictionHistory
from ..forecast.memory import Memory
from ..forecast.repair import Agreement, Repair, followed
from ..levels.grid import TokenGrid
from ..levels.parts import ONE_PART, Parts
from ..presets import more_tolerant
from ..refusal import require_room
from ..sampler import SamplerTraits
from ..sentences import say, with_hints
from ..show.error_map import ErrorMap
from .control import CAUTION, STEPS_FOR_A_LINE, ErrorControl, budget_of, first_full_steps
from .errors import Measured, median, worst_share_of

UNREPAIRED = 3.0
"""How many times smaller a tolerance is where forecasts cannot be repaired: a repair takes away half of what they do to
the picture, and samplers that add noise amplify the rest. Not where a repair is needless: there balanced would compute
98 % in place of 82 % (six clips of the tiny Wan, 20 steps of uni_pc) of what it computes equally close with a repair
(64.8 dB against 66.2)."""
AHEAD = 4.0
"""The same where the sampler looks ahead (heunpp2), whose looks are forecast too. *balanced* then is as close as with
euler: 45 dB of the latent at 34 % on the tiny Flux (3: 37 at 31; 5: 40 at 35), 40 at 53 on Wan with 5 (3: 39 at 40).
Chosen without the repair; with it, on prompts that it was not chosen on, 44 at 40 and 39 at 53."""
UNDER_A_MASK = 2.0
"""The same where a noise mask holds a part of the picture: the model sees what was painted beside what was not, and now
and then paints something else. Half the tolerance costs 5 to 10 % less than a third without repair and is 4 to 6 dB
closer on 16 pictures of the tiny Flux (masks of 6, 25 and 60 %, CFG 1 and 4). On 40 others it costs 5 to 7 % less, and
is 2 to 8 dB closer under hard masks, level under soft ones (-1.6 to +0.7)."""
NOTHING_SAVED = say("nothing_saved")
NOTHING_SAVED_OF_NOISE = say("nothing_saved_of_noise")
LITTLE_SAVED_OF_NOISE = with_hints(say("little_saved_of_noise"), say("hint_other_sampler"))
LITTLE = 0.75
"""Share of the steps from which a run counts as computed nearly whole: euler's are 0.4 to 0.6 with *balanced*."""
NOTHING_ASKED = say("nothing_asked")


class WholeSteps:
    """The first engine, for one run. `painted` (bool, broadcast) tells in which cells alone forecasts are repaired,
    whose error then counts alone; `error_rate` is that of the run before, where this one goes on; `grid` is of the
    part of the latent that is looked at. Unaccelerated where the steps leave no room for a forecast."""

    NEEDS_MAP = False
    MAY_LOOK = True
    MAPS = "errors"

    def __init__(
        self,
        config: SchedulerConfig,
        clock: Clock,
        grid: TokenGrid,
        account: Account,
        sampler: SamplerTraits,
        error_rate: float | None = None,
        painted: Tensor | None = None,
        parts: Parts = ONE_PART,
    ) -> None:
        self._config, self._grid, self._parts, self._account = config, grid, parts, account
        self._adds_noise, self._looks = sampler.adds_noise, False
        num_steps, cooldown = clock.num_steps, share_of_steps(config.cooldown, clock.num_steps)
        self.full_steps = full_steps(config, num_steps, error_rate)
        require_room(num_steps, self.full_steps, cooldown)
        note_unreachable(config, num_steps, self.full_steps + cooldown, account)
        self._guided, self._painted = Guided(config, sampler.repair.corrects, painted), painted
        tolerance = config.tolerance / caution_of(sampler, painted is not None)
        self._control = control_of(config, clock, self.full_steps, tolerance, error_rate)
        self._memory = Memory(config)
        self._tokens: dict[Hashable, int] = {}
        self._repair, self._response, self._repaired = sampler.repair, PredictionHistory(config), False
        self._spreads: list[float] = []
        self._agreements = [Agreement() for _ in range(len(self._parts))]
        self._is_one_step = sampler.left < 1.0  # else what it is given swings by itself
        self._measured_step, self._has_passed = -1, False
        self._may_skip = self._skipped = self._gave_up = False

    @property
    def shift(self) -> Tensor | None:
        """What the model is shown beside the sampler's x, in a flow model's measure."""
        return self._guided.shift

    @property
    def computed(self) -> bool:
        """Whether the evaluation that is under way was computed."""
        return not self._skipped

    @property
    def asks(self) -> bool:
        """Whether the evaluation that is under way asked the model anything."""
        return self.computed

    @property
    def error_rate(self) -> float | None:
        """What was measured of the forecasts, for a run that goes on."""
        return self._control.rate

    # --- once per model evaluation

    def begin(self, moment: Moment, is_first: bool, resumes: int) -> None:
        """An evaluation starts; the first one of a step decides for all. Nothing is forecast before step `resumes`."""
        if is_first:
            self._may_skip = not self._gave_up and moment.step >= resumes and not self._control.due(moment.step)
        self._skipped = self._looks = False

    def look(self, moment: Moment) -> None:
        """The sampler looks ahead in a step: forecast where that is near enough, whatever was decided for the step;
        with a target, which counts steps, as the step is."""
        if not self._config.target_speedup:
            self._may_skip = not self._gave_up and self._control.sees(moment)
        self._looks, self._skipped = True, False

    def seen(self, denoised: Tensor) -> Tensor:
        """What the sampler is given of a look ahead, from which nothing is learnt: the step there has its own."""
        return self._guided.returned(denoised)

    def settle(self, denoised: Tensor, moment: Moment, has_changed: bool, overshoot: Tensor | None = None) -> Tensor:
        """Measure, repair, remember; returns what the sampler is given. `has_changed` tells of another question,
        `overshoot` how far guidance took the prediction beyond the conditional one, None for not known."""
        if has_changed:
            self._begin_anew()
        if self._skipped:
            denoised = self._guided.adjusted(denoised, moment)
        is_first, self._measured_step = self._measured_step != moment.step, moment.step
        repair = self._measure(denoised, moment) if is_first else None
        if self._guided.corrects:
            denoised = self._followed(denoised, repair, moment)
        if self.computed:
            if is_first:
                self._guided.learn(denoised, moment)
            self._guided.record(denoised, moment, overshoot=overshoot)
        self._account.measured(median(self._spreads))
        return self._guided.returned(denoised)

    def _measure(self, denoised: Tensor, moment: Moment) -> Tensor | None:
        """Compare a step with its forecast; returns what that repairs."""
        if self._skipped:
            self._control.passed(moment.step)
            self._has_passed = True
            self._guided.passed(moment, everywhere(denoised))
            return None
        error = self._guided.error(denoised, moment)
        measured = self._measured(error, denoised) if self._guided.has_slope else None
        missed = measured and measured.share
        self._account.tolerated(self._control.tolerance)
        self._control.computed(moment.step, missed)
        self._account.missed(missed, self._control.picture_error)
        if self._has_passed and measured is not None:
            self._map(measured)
        share = self._repaired_share(error) * (1.0 - self._guided.doubt(denoised, moment))
        self._has_passed = False
        return self._guided.measured(moment, error, everywhere(denoised), share)

    def _repaired_share(self, error: Tensor | None) -> Tensor | float:
        """How much of an error is repaired; the first one, of a held prediction, says nothing of lines. What a
        multistep sampler is given swings by itself: uni_pc is closer with all of it (tiny Flux)."""
        if not self._is_one_step or not self._guided.has_slope:
            return 1.0
        errors = self._parts.split(error if self._painted is None else error * self._painted)
        shares = [one.add(part) for one, part in zip(self._agreements, errors, strict=True)]
        if self._has_passed:
            self._account.repaired(min(share.mean().item() for share in shares))
        return self._parts.over(shares)

    def _measured(self, error: Tensor, denoised: Tensor) -> Measured:
        measured = worst_share_of(error, denoised, self._grid, self._parts, self._painted)
        self._spreads.append(measured.spread)
        return measured

    def _map(self, measured: Measured) -> None:
        """Tell where the forecasts that this step ends were off: as far as they moved the picture, as all of it is
        weighed."""
        in_picture = self._control.picture_error
        if in_picture and measured.regions is not None:
            reach = in_picture / measured.share
            self._account.mapped(ErrorMap.of(self._grid, measured.regions * reach))

    def _followed(self, denoised: Tensor, repair: Tensor | None, moment: Moment) -> Tensor:
        """The prediction of the repaired x, which the model did not see; forecasts from it follow the repair too."""
        if self.computed:
            response = torch.zeros_like(denoised) if repair is None else self._response_to(repair, moment)
            self._response.record(response.to(denoised), moment)
            self._repaired |= repair is not None
        return denoised + self._response.forecast(moment) if self._repaired else denoised

    def _response_to(self, repair: Tensor, moment: Moment) -> Tensor:
        return repair if self._repair is Repair.STEADY else followed(repair, moment.sigma)

    # --- once per group of conditionings that the guidance asks for

    def recall(self, key: Hashable, moment: Moment, is_only: bool) -> Tensor | None:
        """Forecast predictions of a group, stacked along the batch; None where they must be computed. `is_only` tells
        that nothing else has its key."""
        if not self._may_skip:
            return None
        known = is_only and self._memory.is_fresh(key, moment.step) and self._memory.is_ready(key)
        if not known:
            return None
        self._memory.ask(key, moment.step)
        self._account.spare(self._tokens[key])
        self._skipped = True
        return self._memory.forecast(key, moment)

    def keep(self, key: Hashable, predictions: Tensor, moment: Moment, tokens: int) -> None:
        """Predictions of a group, stacked along the batch, that were computed from this many tokens."""
        if self._gave_up or self._looks:
            return
        for stale in self._memory.forget_stale(moment.step):
            del self._tokens[stale]
        self._memory.ask(key, moment.step)
        self._memory.record(key, predictions, moment)
        self._tokens[key] = tokens

    def forget(self, key: Hashable) -> None:
        """Two questions have this key."""
        self._memory.forget(key)

    # --- where it ends

    def _begin_anew(self) -> None:
        self._guided.begin_anew()
        self._response, self._repaired = PredictionHistory(self._config), False
        self._agreements = [Agreement() for _ in range(len(self._parts))]

    def go_back(self) -> None:
        """The sampler takes up an earlier x: nothing that was kept is a past of what follows."""
        self._memory.drop()
        self._begin_anew()
        self._guided.go_back()
        self._measured_step = -1
        self._may_skip = False

    def give_up(self) -> None:
        """Compute the rest of the run in full; x keeps what it was repaired of."""
        self._gave_up, self._may_skip = True, False
        self._memory.drop()

    def why_native(self) -> str:
        """After a run in which nothing was saved, and no other reason is known."""
        if self._config.target_speedup:
            return NOTHING_ASKED
        more = more_tolerant(self._config.tolerance)
        if self._adds_noise:
            return with_hints(NOTHING_SAVED_OF_NOISE, say("hint_other_sampler"), more)
        return with_hints(NOTHING_SAVED, more)

    def why_little(self, share: float) -> str:
        """After a run that computed this share; empty where that is what was asked for, or not much."""
        asked = self._config.target_speedup or share < LITTLE
        return LITTLE_SAVED_OF_NOISE if self._adds_noise and not asked else ""

    def drop(self) -> None:
        """Let go of every tensor."""
        self.give_up()
        self._guided.drop()
        self._begin_anew()


def full_steps(config: SchedulerConfig, num_steps: int, error_rate: float | None) -> int:
    """Steps before the first forecast: fewer where a run before has measured its errors."""
    budget = budget_of(config.target_speedup, num_steps)
    return first_full_steps(num_steps, budget) if error_rate is None else STEPS_FOR_A_LINE


def note_unreachable(config: SchedulerConfig, num_steps: int, always: int, account: Account) -> None:
    """Say where a target leaves fewer steps than the `always` computed ones."""
    budget = budget_of(config.target_speedup, num_steps)
    if config.target_speedup and budget < always:
        asked = {"speedup": config.target_speedup, "budget": budget}
        account.note(say("target_out_of_reach", **asked, steps=num_steps, always=always))


def caution_of(sampler: SamplerTraits, is_masked: bool) -> float:
    """How many times smaller a tolerance is than where all forecasts are repaired."""
    if sampler.looks_ahead:
        return AHEAD
    if sampler.adds_noise or sampler.repair is Repair.NONE:
        return UNREPAIRED
    return UNDER_A_MASK if is_masked else 1.0


def control_of(
    config: SchedulerConfig, clock: Clock, full: int, tolerance: float, error_rate: float | None = None
) -> ErrorControl:
    """By the tolerance, or by the number of steps that `target_speedup` leaves."""
    budget = budget_of(config.target_speedup, clock.num_steps)
    rate = None if error_rate is None else CAUTION * error_rate
    return ErrorControl(clock, share_of_steps(config.cooldown, clock.num_steps), tolerance, budget, full, rate)
