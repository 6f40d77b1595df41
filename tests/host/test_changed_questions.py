"""What the guidance asks changes in mid-run, on the demo's trained Flux: no error of the forecasts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.tests.host.test_conditioning import limited
from comfyui_jano.tests.host.test_trained_flux import distance, said
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from torch import Tensor

STEPS, CHANGE = 28, 0.3
FIRST, SECOND = "green tree, brick tower, day sky, sand", "white house, red tent, night sky, sea"
HALF = {"target_speedup": 2.0}


def prompt_to_prompt(model: ModelPatcher, seed: int) -> Tensor:
    positive = limited(said(FIRST), start_percent=0.0, end_percent=CHANGE)
    positive += limited(said(SECOND), start_percent=CHANGE, end_percent=1.0)
    return sample(model, STEPS, 4.0, size=(32, 32), seed=seed, positive=positive, negative=said(""))


def one_prompt(model: ModelPatcher, seed: int) -> Tensor:
    return sample(model, STEPS, 4.0, size=(32, 32), seed=seed, positive=said(FIRST), negative=said(""))


def with_turned_cfg(model: ModelPatcher) -> ModelPatcher:
    """CFG 5 until sigma 0.8, then 2, by a function of another pack."""

    def guide(args: dict) -> Tensor:
        strength = 5.0 if float(args["sigma"].flatten()[0]) > 0.8 else 2.0
        return args["uncond"] + strength * (args["cond"] - args["uncond"])

    clone = model.clone()
    clone.set_model_sampler_cfg_function(guide)
    return clone


@pytest.mark.parametrize(
    ("picture", "changed"),
    [(prompt_to_prompt, lambda model: model), (one_prompt, with_turned_cfg)],
    ids=["another prompt", "another CFG"],
)
def test_the_repair_gains_where_the_question_changes(
    trained: ModelPatcher, picture: Callable, changed: Callable
) -> None:
    model, error = changed(trained), {}
    full = [picture(model, seed) for seed in (2, 3)]
    for correct in (True, False):
        half = with_scheduler(model, "custom", {**HALF, "correct": correct})
        made = [picture(half, seed) for seed in (2, 3)]
        assert report_of(half, made[-1]).computed_token_fraction == pytest.approx(0.5, abs=0.05)
        error[correct] = sum(distance(one, other) for one, other in zip(made, full, strict=True))
    assert error[True] < error[False]


def test_a_new_question_is_asked_twice_before_it_is_forecast(trained: ModelPatcher) -> None:
    model = with_scheduler(trained, "draft")
    report = report_of(model, prompt_to_prompt(model, 2))
    computed = [record.computed_share == 1.0 for record in report.steps]
    change = next(step for step in range(1, STEPS) if not computed[step - 1] and computed[step] and computed[step + 1])
    assert torch.tensor(computed[change : change + 2]).all()
    assert 0.2 * STEPS <= change <= 0.6 * STEPS


def test_guidance_that_sways_with_the_prediction_is_no_change(trained: ModelPatcher) -> None:
    """Rescaled CFG is no straight line; what it does to the predictions is forecast with them."""
    swaying = trained.clone()
    swaying.set_model_sampler_post_cfg_function(
        lambda args: args["denoised"] * (0.7 + 0.3 * args["cond_denoised"].std() / args["denoised"].std())
    )
    model = with_scheduler(swaying, "balanced")
    plain = with_scheduler(trained, "balanced")
    shares = [report_of(m, one_prompt(m, 2)).computed_token_fraction for m in (model, plain)]
    assert shares[0] == pytest.approx(shares[1], abs=0.1)
