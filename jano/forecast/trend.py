"""What is left of a line through past predictions where this run's predictions do not follow it.

A line that missed more than holding would have is followed a little only. What is known then is where guidance leads:
CFG takes a prediction beyond the conditional one, x goes that way, the unconditional prediction follows it, and so the
guided prediction comes back to the conditional one.
"""

from __future__ import annotations

import torch
from torch import Tensor

TRUSTED, DOUBTED = 1.15, 1.3
"""What lines missed, as a share of what predictions changed (root mean squares, newer ones counting more), up to which
they are followed, and from which no more. Up to 1.05 at half of 28 steps on the tiny Flux and 1.25 at a third; 1.1 to
1.6 on the closed-form bed (50 steps, CFG 4). From 0.8 on is 0.6 dB better there at half, and 5 dB worse on the Flux."""
NEAR, FAR = 0.2, 0.4
"""Log odds ahead up to which lines are followed whatever they missed, and from which doubt counts in full: nearer by,
the repair makes up for them. At 0.5 and 0.9 the closed-form bed is 0.3, 0.5 and 0.2 dB worse at a half, a third and a
fifth (standard error 0.2; with the borders of repair.py), the tiny Flux and Wan 0.1 to 0.15 better."""
MEMORY = 0.5
"""Share of the old squares that new ones leave."""
KEPT = 0.3
"""How much of a doubted line is followed. 0 and 0.5 are within 0.5 dB of it at a fifth on the closed-form bed."""
RETURNING = 0.8
"""Share of what a guided prediction is beyond the conditional one that it loses per log odds. Least squares over full
runs give 0.4 to 0.9 on the tiny Flux and Wan and 0.7 to 1.3 on the closed-form bed, more over longer gaps."""


class Trend:
    """How well lines have foretold the predictions of a run: each picture's own measure."""

    def __init__(self) -> None:
        self._missed: Tensor | float = 0.0
        self._moved: Tensor | float = 0.0

    def learn(self, change: Tensor, line: Tensor) -> None:
        """The change (batch, ...) of a prediction since it was last computed, and what a line foretold of it."""
        change, line = change.flatten(1).float(), line.flatten(1).float()
        self._missed = MEMORY * self._missed + (change - line).square().mean(1)
        self._moved = MEMORY * self._moved + change.square().mean(1)

    def doubt(self, ahead: Tensor, like: Tensor) -> Tensor | float:
        """(batch, 1, ...) in 0..1: how little lines are to be trusted so far `ahead`; 0 where nothing is known."""
        if isinstance(self._moved, float):
            return 0.0
        missed = (self._missed / self._moved).sqrt()
        doubt = ((missed - TRUSTED) / (DOUBTED - TRUSTED)).clamp(0.0, 1.0).nan_to_num(nan=0.0)
        far = ((ahead - NEAR) / (FAR - NEAR)).clamp(0.0, 1.0)
        return (doubt.view(-1, *[1] * (like.ndim - 1)) * far).to(like.dtype)


def come_back(overshoot: Tensor | None, ahead: Tensor) -> Tensor | float:
    """How far a guided prediction has come back after `ahead` of log odds, when it was `overshoot` beyond the
    conditional one; nothing where that is not known."""
    return 0.0 if overshoot is None else overshoot * (-RETURNING * torch.expm1(-ahead))
