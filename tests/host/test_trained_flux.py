"""What random weights cannot show: on the demo's trained Flux forecasts are good, and their repair is better."""

from __future__ import annotations

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.demo.nodes.text import encode, load_table
from comfyui_jano.demo.nodes.vocabulary import parse_prompt
from comfyui_jano.jano.adapters.patch import schedule
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.tests.host.tiny import sample
from torch import Tensor

STEPS, CFG = 20, 4.0


def said(text: str) -> list:
    context, pooled = encode(torch.tensor([parse_prompt(text)]), load_table())
    return [[context, {"pooled_output": pooled, "guidance": 3.5}]]


def picture(model: ModelPatcher, steps: int = STEPS, sampler: str = "euler") -> Tensor:
    prompt = {"positive": said("green tree, brick tower, day sky, sand"), "negative": said("")}
    return sample(model, steps, CFG, sampler, size=(32, 32), seed=3, **prompt)


def distance(one: Tensor, other: Tensor) -> float:
    return (one - other).square().mean().sqrt().item()


@pytest.mark.parametrize("half", [{"active_interval": 2}, {"target_speedup": 2.0}], ids=["fixed", "controlled"])
@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp_2m", "uni_pc", "res_multistep"])
def test_the_repair_brings_the_picture_closer(trained: ModelPatcher, sampler: str, half: dict) -> None:
    full, error = picture(trained, sampler=sampler), {}
    for correct in (True, False):
        model = schedule(trained, "custom", {**half, "correct": correct})
        error[correct] = distance(picture(model, sampler=sampler), full)
    assert 0 < error[True] < error[False]


@pytest.mark.parametrize("quality", ["fidelity", "balanced", "fast"])
def test_every_quality_is_closer_than_as_many_steps(trained: ModelPatcher, quality: str) -> None:
    full, model = picture(trained), schedule(trained, quality)
    ours = picture(model)
    computed = report_of(model, ours).computed_token_fraction
    assert computed < 0.9
    assert distance(ours, full) < 0.7 * distance(picture(trained, -(-int(computed * STEPS * 1000) // 1000)), full)
