"""Why a run, or the rest of it, is computed natively."""

from __future__ import annotations


class Unaccelerated(ValueError):
    """Why a run is computed natively, in a sentence for the user."""


def require_room(num_steps: int, warmup_steps: int, cooldown_steps: int, needed: int = 0) -> None:
    """Unaccelerated where no step is left between the full ones at both ends, or fewer than `needed` are there."""
    if num_steps <= (needed or warmup_steps + cooldown_steps):
        raise Unaccelerated(
            f"{num_steps} steps leave nothing between {warmup_steps} steps of warm-up and {cooldown_steps} of "
            "cool-down; use more steps"
        )
