"""What random weights cannot show: on the demo's trained Flux forecasts are good, and their repair is better."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.demo.nodes.text import encode, load_table
from comfyui_jano.demo.nodes.vocabulary import parse_prompt
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from torch import Tensor

STEPS, CFG = 20, 4.0


def said(text: str) -> list:
    context, pooled = encode(torch.tensor([parse_prompt(text)]), load_table())
    return [[context, {"pooled_output": pooled, "guidance": 3.5}]]


def picture(model: ModelPatcher, steps: int = STEPS, sampler: str = "euler") -> Tensor:
    prompt = {"positive": said("green tree, brick tower, day sky, sand"), "negative": said("")}
    return sample(model, steps, CFG, sampler, size=(32, 32), seed=3, **prompt)


@pytest.fixture(scope="module")
def in_full(trained: ModelPatcher) -> Callable[[str], Tensor]:
    """The picture of a sampler without the node, sampled once."""
    return cache(lambda sampler: picture(trained, sampler=sampler))


def distance(one: Tensor, other: Tensor) -> float:
    return (one - other).square().mean().sqrt().item()


@pytest.mark.parametrize("half", [{"active_interval": 2}, {"target_speedup": 2.0}], ids=["fixed", "controlled"])
@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp_2m", "uni_pc", "res_multistep"])
def test_the_repair_brings_the_picture_closer(
    trained: ModelPatcher, in_full: Callable[[str], Tensor], sampler: str, half: dict
) -> None:
    full, error = in_full(sampler), {}
    for correct in (True, False):
        model = with_scheduler(trained, "custom", {**half, "correct": correct})
        error[correct] = distance(picture(model, sampler=sampler), full)
    assert 0 < error[True] < error[False]


@pytest.mark.parametrize("quality", ["fidelity", "balanced", "fast"])
def test_every_quality_is_closer_than_as_many_steps(
    trained: ModelPatcher, in_full: Callable[[str], Tensor], quality: str
) -> None:
    full, model = in_full("euler"), with_scheduler(trained, quality)
    ours = picture(model)
    computed = report_of(model, ours).computed_token_fraction
    assert computed < 0.9
    assert distance(ours, full) < 0.7 * distance(picture(trained, -(-int(computed * STEPS * 1000) // 1000)), full)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_another_prompt_from_a_fifth_of_the_steps_on(trained: ModelPatcher, seed: int) -> None:
    """Where it begins, the model is computed: as the host compares in single precision, it is a step earlier."""
    first, second = said("green tree, brick tower, day sky, sand"), said("green dotted tent, purple tower, night sky")
    limits = ({"start_percent": 0.0, "end_percent": 0.2}, {"start_percent": 0.2, "end_percent": 1.0})
    prompt = [[text, {**rest, **limit}] for ((text, rest),), limit in zip((first, second), limits, strict=True)]
    options = {"positive": prompt, "negative": said(""), "size": (32, 32), "seed": seed}
    full, model = sample(trained, STEPS, CFG, **options), with_scheduler(trained, "fast")
    ours = sample(model, STEPS, CFG, **options)
    assert report_of(model, ours).computed_token_fraction < 0.6
    assert 20 * math.log10((full.max() - full.min()).item() / distance(ours, full)) > 33.0
