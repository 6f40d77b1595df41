"""What predictions and caches are kept under: everything that makes an evaluation's question another one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import comfy.samplers
import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ..sentences import say
from .identity import Same, identity
from .live import Live

QUESTION = "jano_question"
ASKED_TWICE = say("asked_twice")
# Entries of `transformer_options` that name functions which run inside a model.
FUNCTIONS = ("patches", "patches_replace", "optimized_attention_override")
# Entries that the host sets for every call: not what is asked, or (the conditionings) told by other means.
OF_THE_CALL = frozenset({"cond_or_uncond", "uuids", "sigmas", "sample_sigmas"})
# What a conditioning covers costs the host as much to tell as a mask of the latent; whether it is on does not need it.
COVERAGE = ("area", "mask", "gligen")


@dataclass(frozen=True)
class Question(Live):
    """What the guidance asks for at once: `key` tells it from others, `states` are those of the conditionings that are
    on, by (side, uuid), and `about` what they are asked of. `native` is why it must not be answered by level, if so."""

    key: Hashable
    states: dict[tuple[int, Hashable], Hashable]
    about: Hashable = None
    native: str = ""

    @property
    def parts(self) -> frozenset[Hashable]:
        """What is asked, however the guidance puts it together: the same for both sides at once and one by one."""
        return frozenset((chunk, state, self.about) for chunk, state in self.states.items())

    def answers(self, predictions: list[Tensor]) -> list[tuple[int, Tensor]]:
        """The sides that were asked about, each with its prediction."""
        return [(side, predictions[side]) for side in sorted({side for side, _ in self.states})]


def question_of(
    model: object,
    conds: list,
    x: Tensor,
    evaluated: Tensor | None,
    timestep: Tensor,
    options: dict,
    in_windows: bool = False,
) -> Question:
    """The question of one `calc_cond_batch` with these `model_options`, in the evaluation of `evaluated`.

    The key holds every side's conditionings that are on, with the ControlNets of each that are, the strengths of its
    hooks (a LoRA that is scheduled over the steps) and the names of its parts; the model, and what other nodes changed
    about it; whether it is about the evaluation's own x, and whether context windows answer it.
    """
    sides = tuple(
        tuple(_state(model, cond, timestep, options) for cond in side or () if _is_on(cond, timestep)) for side in conds
    )
    states = {(side, state[0]): state for side, on in enumerate(sides) for state in on}
    is_its_own = evaluated is None or x is evaluated or (x.shape == evaluated.shape and torch.equal(x, evaluated))
    about = Same(model), _changes(options), is_its_own, in_windows
    return Question((sides, about), states, about, "" if is_its_own else say("another_latent"))


def with_question(model_options: dict, question: Question) -> dict:
    """`model_options` whose calls of the transformer know what is asked."""
    options = model_options.get("transformer_options", {})
    return {**model_options, "transformer_options": {**options, QUESTION: question}}


def chunk_keys(options: dict) -> tuple[Hashable, ...]:
    """The key of each conditioning chunk of a batch.

    The same conditioning can stand on both sides of CFG, and skip-layer guidance evaluates it with blocks replaced.
    """
    asked: Question | None = options.get(QUESTION)
    chunks = zip(options["cond_or_uncond"], options["uuids"], strict=True)
    changes = _changes_inside(options)
    return tuple((chunk, asked and asked.states.get(chunk), changes) for chunk in chunks)


def _changes(model_options: dict) -> Hashable:
    """What other nodes changed about the model, by `model_options`."""
    inside = _changes_inside(model_options.get("transformer_options", {}))
    return identity(model_options.get("model_function_wrapper")), inside


def _changes_inside(options: dict) -> Hashable:
    """What other nodes changed about the model, by `transformer_options`: functions, and switches of any name."""
    functions = tuple(identity(options.get(name)) for name in FUNCTIONS)
    wrappers = options.get("wrappers", {})
    wrapped = tuple(identity(wrappers.get(kind)) for kind in (WrappersMP.APPLY_MODEL, WrappersMP.DIFFUSION_MODEL))
    switches = {name: value for name, value in options.items() if name not in OF_THE_CALL and _is_switch(value)}
    return functions, wrapped, identity(switches)


def _is_switch(value: object) -> bool:
    """Layer numbers too, but no floating point numbers: those follow the steps."""
    return isinstance(value, (bool, int, str)) or (isinstance(value, (list, tuple)) and all(map(_is_switch, value)))


def _state(model: object, cond: dict, timestep: Tensor, model_options: dict) -> tuple[Hashable, ...]:
    area = identity(cond.get("area")), cond.get("strength", 1.0)
    parts = frozenset(cond.get("model_conds", ()))
    hooks = _strengths(model, cond.get("hooks"), timestep, model_options)
    return cond.get("uuid"), area, parts, _controls(cond, timestep), hooks


def _is_on(cond: dict, timestep: Tensor) -> bool:
    """The host's own answer, for conditionings of a part of the steps."""
    limits = {**cond, "model_conds": {}}
    for name in COVERAGE:
        limits.pop(name, None)
    return comfy.samplers.get_area_and_mult(limits, timestep[:1], timestep) is not None


def _controls(cond: dict, timestep: Tensor) -> tuple[bool, ...]:
    """Which ControlNets of a conditioning's chain are on, compared as the host does: tensors with their limits."""
    control, on = cond.get("control"), []
    while control is not None:
        limits = getattr(control, "timestep_range", None)
        on.append(limits is None or not bool(timestep[0] > limits[0] or timestep[0] < limits[1]))
        control = getattr(control, "previous_controlnet", None)
    return tuple(on)


def _strengths(model: object, hooks: object, timestep: Tensor, model_options: dict) -> tuple[float, ...]:
    """The strength of each hook now. The host finds it from one evaluation to the next, so it is told of this one;
    where the model is computed it asks again, which changes nothing."""
    if hooks is None:
        return ()
    model.current_patcher.prepare_hook_patches_current_keyframe(timestep, hooks, model_options)
    return tuple(hook.strength for hook in hooks.hooks)
