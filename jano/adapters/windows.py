"""Context windows: the host asks for a long clip in windows that overlap, and blends what they say.

It does so above every wrapper of its predictions. Whole steps are skipped higher still: what is forecast and kept is
the blended prediction, and a step that is forecast spares every window.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

from comfy.context_windows import ContextHandlerABC
from torch import Tensor

HANDLER = "context_handler"
INSIDE = "jano_inside_a_window"


def as_one(handler: ContextHandlerABC, answer: Callable[..., list[Tensor]]) -> ContextHandlerABC:
    """A copy of the user's `handler` whose windows are one question.

    `answer` is given what a CALC_COND_BATCH wrapper is. The copy knows no run: it may be copied with the options that
    it stands in, and a run that goes on is found in those.
    """

    class AsOne(type(handler)):
        __slots__ = ()  # laid out as the handler's own class, whichever that is

        def execute(self, calc_cond_batch: Callable, *asked: object, **named: object) -> list[Tensor]:
            windows = partial(super().execute, partial(_inside, calc_cond_batch))
            return answer(windows, *asked, **named)

        def __deepcopy__(self, memo: dict) -> AsOne:
            return copy.copy(self)  # the host keeps the whole model in it, which does not survive a deep copy

    one = copy.copy(handler)
    one.__class__ = AsOne
    return one


def is_inside(model_options: dict) -> bool:
    """Whether what is asked is one window of a question that was put already."""
    return INSIDE in model_options["transformer_options"]


def _inside(
    calc_cond_batch: Callable, model: object, conds: list, x: Tensor, timestep: Tensor, model_options: dict
) -> list[Tensor]:
    """What the handler asks of one window."""
    options = {**model_options["transformer_options"], INSIDE: True}
    return calc_cond_batch(model, conds, x, timestep, {**model_options, "transformer_options": options})
