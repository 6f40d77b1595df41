"""What predictions and caches are kept under: the conditionings, their side of the guidance, the patched blocks."""

from __future__ import annotations

import math
from collections.abc import Hashable

from ..kv_cache import Chunks


def group_key(conds: list, sigma: float, options: dict) -> Hashable:
    """The key of predictions that the guidance asks for at once.

    It holds every side's conditionings that are on at `sigma`, with the ControlNets of each that are and the keyframes
    of its hooks (a LoRA that is scheduled over the steps).
    """
    on = ([cond for cond in side or () if _is_on(cond, sigma)] for side in conds)
    sides = tuple(tuple(_state(cond, sigma) for cond in side) for side in on)
    return sides, _replaced(options)


def chunk_keys(options: dict) -> Chunks:
    """The key of each conditioning chunk of a batch.

    The same conditioning can stand on both sides of CFG, and skip-layer guidance evaluates it with blocks replaced.
    """
    chunks = zip(options.get("uuids", ()), options.get("cond_or_uncond", ()), strict=True)
    return tuple((uuid, side, _replaced(options)) for uuid, side in chunks)


def _state(cond: dict, sigma: float) -> Hashable:
    return cond.get("uuid"), _controls(cond, sigma), _keyframes(cond, sigma)


def _is_on(cond: dict, sigma: float) -> bool:
    """The host's own rule for conditionings of a part of the steps."""
    return cond.get("timestep_end", 0.0) <= sigma <= cond.get("timestep_start", math.inf)


def _controls(cond: dict, sigma: float) -> tuple[bool, ...]:
    """Which ControlNets of a conditioning's chain are on."""
    control, on = cond.get("control"), []
    while control is not None:
        start, end = getattr(control, "timestep_range", None) or (math.inf, 0.0)
        on.append(end <= sigma <= start)
        control = getattr(control, "previous_controlnet", None)
    return tuple(on)


def _keyframes(cond: dict, sigma: float) -> tuple[int, ...]:
    """How many keyframes of each hook have begun."""
    group = cond.get("hooks")
    hooks = () if group is None else group.hooks
    return tuple(sum(bool(frame.start_t >= sigma) for frame in hook.hook_keyframe.keyframes) for hook in hooks)


def _replaced(options: dict) -> frozenset:
    return frozenset(options.get("patches_replace", {}).get("dit", {}))
