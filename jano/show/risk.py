"""How much of the picture a run's forecasts may have changed, by the errors that it measured itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import Enum
from statistics import mean


class Risk(str, Enum):
    """What a side by side with the run in full would show."""

    __str__ = str.__str__

    HARD_TO_SEE = "hard_to_see"
    DETAILS = "details"
    COMPOSITION = "composition"


MOST = {Risk.HARD_TO_SEE: 0.035, Risk.DETAILS: 0.35}
"""The largest error of the picture (`picture_error`) that each word is for. Hard to see is meant as 35 dB and an SSIM
of 0.98 against the run in full, another composition as less than 22 dB. `bench/run.py risk`, 1082 runs of the tiny
Flux and Wan (four samplers, two CFG, 20 and 28 steps, four qualities and two targets) and of the closed-form bed
(euler, two CFG, 50 steps): of the 240 that are called hard to see 93 % are (Flux 89, Wan 98, bed 81), "details may
move" is right for 66 %, too much said for 31 and too little for 3 %, "composition may change" right for 76 %. At 0.05
323 were called hard to see, and 16 of the bed's 40 were not. PSNR is about 14 - 20 log10(error) on the tiny models,
and up to 14 dB less on the bed at CFG 1."""


STEADY, LEFT_WHERE_ERRORS_SWING = 0.9, 2.0
"""Share of the errors that is repaired, over a run, below which its forecasts swing from one side to the other, and how
much of the errors is left in the picture then: a picture chooses between others there, and what a forecast moves goes
on growing. On the closed-form bed at CFG 4 (50 euler steps, six settings, 8 prompts) the share is 0.2 to 0.8; without
this 19 of 20 runs were called hard to see that had 24 to 35 dB, with it of 48 words 34 are right and 14 say too much.
At CFG 1 the share is 0.96 and more."""


def picture_error(errors: Iterable[float], left: float = 1.0) -> float:
    """What all forecasts of a run did to its picture, of what each row of them did (whole/control.py): they are
    independent, so their squares add up. `left` is how much of that the sampler leaves in the picture
    (sampler.py). A share of the prediction's root mean square."""
    return left * math.sqrt(sum(error * error for error in errors))


def left_of(usual: float, repaired: Iterable[float | None]) -> float:
    """How much of its forecasts' errors a run leaves in the picture: the `usual` part, or more where they swung, as how
    much of each was `repaired` tells; None for what was not repaired by that."""
    known = [share for share in repaired if share is not None]
    return LEFT_WHERE_ERRORS_SWING if known and mean(known) < STEADY else usual


def risk_of(error: float | None) -> Risk | None:
    """The word for an error of the picture; None where it was not measured."""
    if error is None or not math.isfinite(error):
        return None
    return next((risk for risk, most in MOST.items() if error <= most), Risk.COMPOSITION)
