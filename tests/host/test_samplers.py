"""Samplers with several evaluations a step, or with noise of their own, and schedulers with steps close together."""

from __future__ import annotations

import pytest
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.tests.host.tiny import level_map, sample, with_scheduler

EVALUATIONS = {
    "euler": 1,
    "dpmpp_2m": 1,
    "lcm": 1,
    "heun": 2,
    "dpm_2": 2,
    "dpmpp_sde": 2,
    "seeds_2": 2,
    "exp_heun_2_x0": 2,
}
TWICE_A_STEP = [name for name, count in EVALUATIONS.items() if count == 2]


@pytest.mark.parametrize("sampler", TWICE_A_STEP)
def test_two_evaluations_close_together_do_not_throw_the_forecast_off(flux: ModelPatcher, sampler: str) -> None:
    full = sample(flux, 20, sampler=sampler)
    error = {}
    for forecast in ("hold", "linear"):
        model = with_scheduler(flux, "custom", {"forecast": forecast})
        error[forecast] = (sample(model, 20, sampler=sampler) - full).square().mean().sqrt().item()
    assert error["linear"] < 1.7 * error["hold"]  # random weights favour holding still, but not by more


@pytest.mark.parametrize("sampler", EVALUATIONS)
def test_every_evaluation_of_a_step_computes_the_same_tokens(flux: ModelPatcher, sampler: str) -> None:
    model = with_scheduler(flux, "custom", level_map=level_map(flux))
    report = report_of(model, sample(model, 20, sampler=sampler))
    assert [record.step for record in report.steps] == list(range(20))
    assert sum(record.evaluations for record in report.steps) >= 20 * EVALUATIONS[sampler] - 2
    share = report.level_share["active"]
    assert {round(record.computed_share, 4) for record in report.steps} == {share, 1.0}


@pytest.mark.parametrize("scheduler", ["simple", "beta", "karras", "exponential", "kl_optimal"])
def test_every_step_is_found_however_close_they_lie(flux: ModelPatcher, scheduler: str) -> None:
    model = with_scheduler(flux, "custom", level_map=level_map(flux))
    report = report_of(model, sample(model, 28, scheduler=scheduler))
    assert [record.step for record in report.steps] == list(range(28))
