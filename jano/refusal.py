"""Why a run, or the rest of it, is computed natively."""

from __future__ import annotations

from .sentences import Sentence, say


class Unaccelerated(ValueError):
    """Why a run is computed natively, in a sentence for the user."""

    @property
    def reason(self) -> Sentence:
        """The sentence itself; `str()` of an exception is its text alone."""
        return self.args[0]


def require_room(num_steps: int, warmup_steps: int, cooldown_steps: int, needed: int = 0) -> None:
    """Unaccelerated where no step is left between the full ones at both ends, or fewer than `needed` are there."""
    if num_steps <= (needed or warmup_steps + cooldown_steps):
        raise Unaccelerated(say("no_room", steps=num_steps, warmup=warmup_steps, cooldown=cooldown_steps))
