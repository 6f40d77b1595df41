"""What one call of the transformer does, and why a run is computed natively."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from .kv_cache import Chunks
from .levels import Selection

NOTHING_SAVED = "no step could be forecast within this quality's tolerance (fast and draft tolerate more)"
WENT_BACK = "the sampler goes back to earlier noise levels, and nothing can be forecast across such a jump"
TOO_FEW = "the sampler evaluated too few of the first steps to draw a level map"
NOTHING_ASKED = "a target_speedup this close to 1 leaves no step out"
NOTHING_FROZEN = "no token was to be left out (every level in this picture is computed at every step)"
ALWAYS_NEW = "another node asks the model something new at every step, so that nothing could be forecast"


class Mode(Enum):
    """What one call of the transformer does: all tokens, all tokens and keep K/V, some tokens, or nothing."""

    FULL = auto()
    STORE = auto()
    PARTIAL = auto()
    SKIP = auto()


@dataclass(frozen=True)
class Call:
    """One call of the transformer for a batch of conditioning chunks; `selection` is None when all are computed."""

    mode: Mode
    chunks: Chunks
    selection: Selection | None = None


class Unaccelerated(ValueError):
    """Why a run is computed natively, in a sentence for the user."""
