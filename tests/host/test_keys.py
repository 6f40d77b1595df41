"""A question counts as another one exactly where the host would ask another one, in the host's own arithmetic."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import comfy.controlnet
import comfy.hooks
import comfy.samplers
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.identity import identity
from comfyui_jano.jano.adapters.keys import question_of
from comfyui_jano.tests.host import tiny
from torch import Tensor

STEPS = range(4, 41)
MAKE = {"flux": tiny.flux, "wan": tiny.wan}


# --- limits of conditionings, ControlNets and keyframes


@pytest.fixture(params=MAKE)
def model(request: pytest.FixtureRequest) -> ModelPatcher:
    return MAKE[request.param]()


def runs(model: ModelPatcher) -> Iterator[tuple[Tensor, float]]:
    """The sigmas of every number of steps, with every limit that is a multiple of one step."""
    for steps in STEPS:
        sigmas = comfy.samplers.simple_scheduler(model.model.model_sampling, steps)
        yield from ((sigmas, part / steps) for part in range(1, steps))


def keys(model: ModelPatcher, cond: dict, sigmas: Tensor) -> list:
    """What the predictions of a conditioning are kept under, step by step."""
    options = {"transformer_options": {"sample_sigmas": sigmas}}
    host = SimpleNamespace(current_patcher=model)
    x = torch.zeros(1, 1, 1, 1)
    return [question_of(host, [[cond]], x, None, sigma.expand(1), options).key for sigma in sigmas[:-1]]


def changes(values: list) -> list[bool]:
    return [before != after for before, after in pairwise(values)]


def around(sigmas: Tensor, limit: float) -> Tensor:
    """The steps around a limit, and the end."""
    at = round(limit * (len(sigmas) - 1))
    return torch.cat((sigmas[:-1][max(0, at - 2) : at + 2], sigmas[-1:]))


def check(model: ModelPatcher, cond_of: Callable[[float], dict], truth: Callable[[dict, Tensor], list]) -> None:
    """The keys change exactly when the host's answers do; some of these limits are in doubt in double precision."""
    to_sigma, in_doubt = model.model.model_sampling.percent_to_sigma, 0
    for sigmas, limit in runs(model):
        steps, cond, at = around(sigmas, limit), cond_of(limit), to_sigma(limit)
        assert changes(keys(model, cond, steps)) == changes(truth(cond, steps)), (len(sigmas) - 1, limit)
        in_doubt += any((sigma <= at) != (sigma.item() <= at) for sigma in steps)
    assert in_doubt > 10


def test_conditionings_come_and_go_as_the_host_has_it(model: ModelPatcher) -> None:
    to_sigma = model.model.model_sampling.percent_to_sigma

    def on(cond: dict, sigmas: Tensor) -> list[bool]:
        x = torch.zeros(1, 1, 1, 1)
        return [comfy.samplers.get_area_and_mult(cond, x, sigma.expand(1)) is not None for sigma in sigmas[:-1]]

    for name in ("timestep_start", "timestep_end"):
        cond = {"uuid": 1, "model_conds": {}}
        check(model, lambda limit, name=name, cond=cond: {**cond, name: to_sigma(limit)}, on)


class Evaluated(Exception):
    """Raised in place of a ControlNet's network."""


class Network:
    @property
    def dtype(self) -> torch.dtype:
        raise Evaluated


def test_controlnets_come_and_go_as_the_host_has_it(model: ModelPatcher) -> None:
    to_sigma = model.model.model_sampling.percent_to_sigma

    def under(limit: float, first: bool) -> dict:
        control = comfy.controlnet.ControlNet()
        control.control_model = Network()
        control.timestep_percent_range = (0.0, limit) if first else (limit, 1.0)
        control.pre_run(model.model, to_sigma)
        return {"uuid": 1, "model_conds": {}, "control": control}

    def on(cond: dict, sigmas: Tensor) -> list[bool]:
        return [is_evaluated(cond["control"], sigma.expand(1)) for sigma in sigmas[:-1]]

    for first in (True, False):
        check(model, partial(under, first=first), on)


def is_evaluated(control: comfy.controlnet.ControlNet, sigma: Tensor) -> bool:
    try:
        return control.get_control(torch.zeros(1, 1, 1, 1), sigma, {}, 1, {}) is not None
    except Evaluated:
        return True


def test_keyframes_begin_as_the_host_has_it(model: ModelPatcher) -> None:
    def scheduled(limit: float) -> dict:
        hooks, frames = comfy.hooks.create_hook_lora({}, 1.0, 1.0), comfy.hooks.HookKeyframeGroup()
        for strength, start in ((1.0, 0.0), (0.2, limit)):
            frames.add(comfy.hooks.HookKeyframe(strength, start))
        hooks.set_keyframes_on_hooks(frames)
        for hook in hooks.hooks:
            hook.initialize_timesteps(model.model)
        return {"uuid": 1, "model_conds": {}, "hooks": hooks}

    def strengths(cond: dict, sigmas: Tensor) -> list[float]:
        (hook,) = cond["hooks"].clone().hooks
        hook.initialize_timesteps(model.model)
        found = []
        for sigma in sigmas[:-1]:
            hook.hook_keyframe.prepare_current_keyframe(sigma, {"sample_sigmas": sigmas})
            found.append(hook.strength)
        return found

    check(model, scheduled, strengths)


# --- what other nodes changed


def asked(conds: list | None = None, x: Tensor | None = None, **model_options: object) -> object:
    """The key of a question about ones."""
    conds = conds or [[{"uuid": 1, "model_conds": {}}], None]
    shown = torch.ones(1, 1, 2, 2)
    return question_of(None, conds, shown if x is None else x, shown, torch.ones(1), model_options).key


def replaced(kind: str, function: Callable) -> dict:
    return {"patches_replace": {kind: {("block", 1): function}}}


def made_anew(strength: float) -> Callable:
    return lambda x: strength * x


@pytest.mark.parametrize("kind", ["dit", "attn1", "attn2"])
def test_what_replaces_a_block_counts(kind: str) -> None:
    first, second = (asked(transformer_options=replaced(kind, made_anew(strength))) for strength in (1.0, 2.0))
    assert first != second != asked()
    assert first == asked(transformer_options=replaced(kind, made_anew(1.0)))


@pytest.mark.parametrize(
    "options",
    [
        {"patches": {"attn1_patch": [made_anew(1.0)]}},
        {"optimized_attention_override": made_anew(1.0)},
        {"wrappers": {"diffusion_model": {"a pack": [made_anew(1.0)]}}},
        {"run_vx": False},
        {"skip_layers": [9]},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_else_changes_the_model_counts(options: dict) -> None:
    assert asked(transformer_options=options) != asked()
    assert asked(transformer_options=copy.deepcopy(options)) == asked(transformer_options=options)


def test_a_function_around_the_model_counts() -> None:
    assert asked(model_function_wrapper=made_anew(1.0)) != asked()
    assert asked(model_function_wrapper=made_anew(1.0)) == asked(model_function_wrapper=made_anew(1.0))


@pytest.mark.parametrize("entry", [{"sigmas": torch.ones(1)}, {"percent": 0.25}, {"state": object()}])
def test_what_follows_the_steps_does_not(entry: dict) -> None:
    assert asked(transformer_options=entry) == asked()


def test_another_x_counts() -> None:
    assert asked(x=torch.ones(1, 1, 2, 2)) == asked()
    assert asked(x=torch.zeros(1, 1, 2, 2)) != asked() != asked(x=torch.ones(1, 1, 2, 1))


@pytest.mark.parametrize("change", [{"model_conds": {"ref_audio": None}}, {"strength": 0.5}, {"area": (1, 1, 0, 0)}])
def test_the_same_conditioning_with_something_else_about_it_counts(change: dict) -> None:
    assert asked([[{"uuid": 1, "model_conds": {}, **change}], None]) != asked()


# --- functions


class Scaled:
    def __init__(self, strength: float) -> None:
        self.strength = strength

    def __call__(self, x: Tensor) -> Tensor:
        return self.strength * x

    def method(self, x: Tensor) -> Tensor:
        return self(x)


def with_default(strength: float) -> Callable:
    def scaled(x: Tensor, strength: float = strength, *, more: float = strength) -> Tensor:
        return strength * more * x

    return scaled


def times(x: Tensor, strength: float) -> Tensor:
    return strength * x


@pytest.mark.parametrize("make", [made_anew, with_default, lambda s: partial(times, strength=s)])
def test_functions_made_anew_are_the_same_one(make: Callable[[float], Callable]) -> None:
    assert identity(make(1.0)) == identity(make(1.0)) != identity(make(2.0))


def test_a_function_around_another_is_told_by_that_one() -> None:
    def wrapped(strength: float) -> Callable:
        inner = made_anew(strength)
        return lambda x: inner(x)

    assert identity(wrapped(1.0)) == identity(wrapped(1.0)) != identity(wrapped(2.0))


def test_objects_are_themselves_alone() -> None:
    one = Scaled(1.0)
    for part in (lambda it: it, lambda it: it.method, lambda it: made_anew(it), lambda it: partial(times, it)):
        assert identity(part(one)) == identity(part(one))
        assert identity(part(one)) != identity(part(Scaled(1.0)))


def test_tensors_that_a_function_closes_over_are_objects() -> None:
    mask = torch.ones(2)
    assert identity(made_anew(mask)) == identity(made_anew(mask)) != identity(made_anew(mask.clone()))


def test_a_function_may_count_and_call_itself() -> None:
    calls: list[int] = []

    def counted(x: Tensor) -> Tensor:
        calls.append(1)
        return counted(x)

    before = identity(counted)
    calls.append(1)
    assert identity(counted) == before
