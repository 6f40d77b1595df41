"""The rivals inside the host: one that computes every step changes nothing, and others ask the model less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfyui_jano.bench.arms import beside_rivals
from comfyui_jano.bench.rivals import meancache, seacache, spectrum, taylor
from comfyui_jano.bench.rivals.skipping import Make, skipping
from comfyui_jano.tests.host.tiny import sample

STEPS = 12
EVERY = range(STEPS)
COMPUTING_EVERY_STEP: dict[str, Make] = {
    "Spectrum": lambda sigmas: spectrum.Spectrum(STEPS, EVERY, 0.5),
    "TaylorSeer": lambda sigmas: taylor.Taylor(EVERY, 2),
    "MeanCache": lambda sigmas: meancache.MeanCache(sigmas, meancache.Plan(tuple(EVERY), (1,) * (STEPS - 1))),
    "SeaCache": lambda sigmas: seacache.SeaCache(sigmas, 0.0),
}


def counted(model: ModelPatcher, asked: list[float]) -> ModelPatcher:
    """A clone that notes the sigma of every call of its transformer."""

    def wrapper(executor: Callable, x: torch.Tensor, timestep: torch.Tensor, *args: object, **kwargs: object):
        asked.append(float(timestep.flatten()[0]))
        return executor(x, timestep, *args, **kwargs)

    clone = model.clone()
    clone.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "counted", wrapper)
    return clone


@pytest.mark.parametrize(
    ("rival", "sampler"),
    [*((rival, "euler") for rival in COMPUTING_EVERY_STEP), ("TaylorSeer", "heun"), ("MeanCache", "uni_pc")],
)
def test_a_rival_that_computes_every_step_changes_nothing(flux: ModelPatcher, rival: str, sampler: str) -> None:
    model = skipping(COMPUTING_EVERY_STEP[rival])(flux)
    assert torch.equal(sample(model, STEPS, 4.0, sampler), sample(flux, STEPS, 4.0, sampler))


@pytest.mark.parametrize("arm", ["Jano", "Spectrum, w 0.5", "TaylorSeer, order 1", "MeanCache"])
def test_a_target_is_what_the_model_is_asked(flux: ModelPatcher, arm: str) -> None:
    halves = [setting for setting in beside_rivals() if (setting.arm, setting.name) == (arm, "target 2x")]
    asked: list[float] = []
    model = halves[0].prepare(counted(flux, asked))
    first = sample(model, 28)
    assert 13 <= len(asked) <= 15
    assert torch.equal(sample(model, 28), first), "something of a run was left for the next one"


def test_fewer_steps_are_made_by_other_samplers() -> None:
    fewer = [setting for setting in beside_rivals() if setting.arm.startswith("fewer steps")]
    assert {replace(setting, prepare=None).sampler for setting in fewer} >= {None, "dpmpp_2m", "uni_pc"}
    assert {round(28 * setting.steps_share) for setting in fewer} == {14, 9, 6}
