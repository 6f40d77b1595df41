"""Repairs afterwards what forecasts did: once the model is computed again, the error of the steps between is known.

A forecast that turned out wrong by `error` was wrong by about error * (elapsed / span) in the steps before, and each
of them moved x by its share of that. The repair is not written into x, which belongs to the sampler, but kept beside
it: the model sees x + shift, and the sampler gets the prediction less the shift. Samplers that mix x and predictions
with weights that sum to one keep their x parallel to the repaired one; after the last step the whole shift is handed
back, once. The weights of a step are exact for Euler; samplers of higher order weigh a prediction otherwise and gain
less, some nothing: `bench/run.py samplers` measures which.

The model saw x before the repair. Its picture would have followed the repaired x; `followed` tells by how much, which
saves asking it again. Multistep samplers go on from what they were given before, so a jump in it would be carried on:
there the prediction follows by as much as the shift takes away.

All that supposes errors that grow evenly. Where they swing from one side to the other it makes things worse, and so
as much is repaired as successive errors agree.
"""

from __future__ import annotations

from enum import Enum

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from ..clock import ODDS_FLOOR, Moment

RESPONSE = 0.6
"""Share of a repair, in picture units, that the model's prediction follows. Asked again, the tiny Flux follows by 0.1
to 0.9 of it. 0.6 is worth about 1 dB at half of the steps, 0.35 and 1 a little less."""


SWINGING, AGREEING = -0.65, -0.45
"""Cosines of successive forecast errors up to which nothing is repaired, and from which on all is. Errors of smooth
predictions point one way, or anywhere: -0.4 to 0.4 on the tiny Flux. Where a picture chooses between others, forecasts
and repairs overshoot in turn, -0.6 to -0.9 on the closed-form bed (50 steps, CFG 4). With NEAR and FAR of trend.py
-0.6 and -0.4 are worth 0.3 dB there at half of the steps (standard error 0.2, 64 prompts that they were not chosen on)
beside -0.7 and -0.5 with lines followed up to 0.5 log odds; where all is repaired it is 1.2 dB less (32 prompts). They
cost the tiny Flux 0.15 dB of 54, and -0.35 an edit of its prompt in mid-run 0.2 of 33."""
MEMORY = 0.5
"""Share of the old agreement that a new one leaves."""


class Repair(Enum):
    """What is done about forecasts that turn out wrong: what the sampler lets one do."""

    NONE = "nothing, and they count more: the sampler adds noise, or is not known"
    NEEDLESS = "nothing: the sampler's own extrapolation takes back as much"
    STEADY = "they are repaired, and nothing that the sampler is given jumps"
    FULL = "they are repaired, and the prediction follows as far as the model's would"

    @property
    def corrects(self) -> bool:
        return self in (Repair.STEADY, Repair.FULL)


def followed(repair: Tensor, sigma: float) -> Tensor:
    """How far the denoised prediction moves when x moves by `repair`: the picture's share of x is 1 - sigma."""
    return repair * (RESPONSE / (1.0 - sigma + ODDS_FLOOR))


class Agreement:
    """How far successive errors of forecasts point the same way: each picture's cosine, newer ones counting more."""

    def __init__(self) -> None:
        self._error: Tensor | None = None
        self._cosine: Tensor | None = None

    def add(self, error: Tensor) -> Tensor:
        """The next error (batch, ...); returns how much of it is to be repaired, (batch, 1, ...) in 0..1: all while
        nothing speaks against it. No picture decides for another one of its batch."""
        last, self._error = self._error, error.flatten(1).float()  # norms of large errors overflow in half precision
        if last is not None:
            new = cosine_similarity(last, self._error, dim=1)
            old = torch.full_like(new, torch.nan) if self._cosine is None else self._cosine
            mixed = torch.where(old.isnan(), new, MEMORY * old + (1 - MEMORY) * new)
            self._cosine = torch.where(new.isfinite(), mixed, old)
        shares = self._error.new_ones(len(error)) if self._cosine is None else repaired_share(self._cosine)
        return shares.to(error.dtype).view(-1, *[1] * (error.ndim - 1))


def repaired_share(cosine: Tensor) -> Tensor:
    """How much of an error is repaired where successive ones have this cosine; not a number where none is known."""
    return ((cosine - SWINGING) / (AGREEING - SWINGING)).clamp(0.0, 1.0).nan_to_num(nan=1.0)


class Correction:
    """The shift of one run, (batch, channels, [frames,] height, width), and what forecasts since may add to it.

    It is that of a flow model's x; models with added noise have theirs 1 + sigma times larger.
    """

    def __init__(self) -> None:
        self.shift: Tensor | None = None
        self._weight: Tensor | None = None

    def passed(self, moment: Moment, times: Tensor, frozen: Tensor) -> None:
        """A step in which the `frozen` cells were forecast; `times` is the log odds of each cell's last computation.

        Both broadcast over the latent's channels.
        """
        if moment.end <= 0.0:  # this step ends at its prediction, whatever x was
            return
        # x / sigma is what a step carries on unchanged: the error's share of it is told in that measure.
        moved = (times - moment.time) * (moment.share_moved / moment.end)
        weight = torch.where(frozen, moved, 0.0)
        self._weight = weight if self._weight is None else self._weight + weight

    def measured(self, moment: Moment, error: Tensor, times: Tensor, computed: Tensor) -> Tensor | None:
        """The `computed` cells are known at `moment`: `error` is their prediction less its forecast.

        Returns what is repaired now, None for nothing.
        """
        if self._weight is None:
            return None
        span = times - moment.time
        owed = computed & (self._weight != 0) & (span > 0)
        repair = torch.where(owed, self._weight * moment.start / torch.where(owed, span, 1.0), 0.0) * error
        self.shift = repair if self.shift is None else self.shift + repair
        self._weight = torch.where(computed, 0.0, self._weight)
        return repair

    def begin_anew(self) -> None:
        """The forecasts up to now will not be measured."""
        self._weight = None

    def go_back(self) -> None:
        """The sampler took up an x of before, which the shift is not of."""
        self.shift = self._weight = None
