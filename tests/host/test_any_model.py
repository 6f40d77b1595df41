"""Whole steps are skipped on every model that the host samples, whatever its blocks look like."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.patch import analyze
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import AnalyzerConfig, ReferenceConfig
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from comfyui_jano.tests.host.tiny_others import EVEN_CLIP, KNOWN, OTHERS, Other, flow_rvs
from comfyui_jano.tests.host.whole.test_error_control import ANY_ERROR, NO_ERROR
from torch import Tensor

EVERY_MODEL = {**OTHERS, **KNOWN}
NOT_KNOWN = "intervals by level need a model class that Jano knows"


@pytest.fixture(scope="module", params=EVERY_MODEL)
def case(request: pytest.FixtureRequest) -> Iterator[tuple[ModelPatcher, Other, bool]]:
    """A model, how it is sampled, and whether Jano knows its blocks."""
    other = EVERY_MODEL[request.param]
    return other.make(), other, request.param in KNOWN


def picture(model: ModelPatcher, other: Other, steps: int, cfg: float = 3.0) -> Tensor:
    return sample(model, steps, cfg, size=other.size, **other.prompts())


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_where_no_error_is_tolerated_the_picture_is_that_without_the_node(case: tuple, cfg: float) -> None:
    model, other, _ = case
    expected = picture(model, other, 9, cfg)
    assert expected.isfinite().all()
    assert torch.equal(picture(with_scheduler(model, "custom", NO_ERROR), other, 9, cfg), expected)


def test_half_of_the_steps_call_no_transformer(case: tuple) -> None:
    model, other, _ = case
    calls = []
    hook = model.model.diffusion_model.register_forward_pre_hook(lambda *_: calls.append(1))
    whole = ReferenceConfig(references="every step")  # those that are kept are stored side by side
    accelerated = with_scheduler(model, "custom", ANY_ERROR, references=whole)
    report = report_of(accelerated, picture(accelerated, other, 20))
    hook.remove()
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    computed = round(20 * report.computed_token_fraction)
    assert computed <= 10
    assert len(calls) == computed  # both sides of CFG in one call


def test_intervals_by_level_need_blocks_that_jano_knows(case: tuple) -> None:
    model, other, is_known = case
    by_level = with_scheduler(model, "custom")
    report = report_of(by_level, picture(by_level, other, 6))
    if is_known:
        assert (report.verdict, report.fallbacks) == ("accelerated", [])
        return
    assert report.verdict == "native"
    (reason,) = report.fallbacks
    assert reason.startswith(NOT_KNOWN)
    assert type(model.model.diffusion_model).__name__ in reason


def test_an_analyzer_reads_a_model_that_jano_does_not_know() -> None:
    other = OTHERS["SD3"]
    model = other.make()
    analysed = analyze(model, AnalyzerConfig())
    samples = picture(analysed, other, 9)
    assert torch.equal(samples, picture(model, other, 9))
    report = report_of(analysed, samples)
    assert (report.verdict, report.fallbacks) == ("analysed", [])
    assert report.level_map.grid.tokens == (1, 9, 7)


def test_flow_rvs_turns_a_picture_into_another_and_is_left_alone() -> None:
    model = flow_rvs()
    accelerated = with_scheduler(model, "custom", ANY_ERROR)
    samples = sample(accelerated, 20, size=EVEN_CLIP)
    assert torch.equal(samples, sample(model, 20, size=EVEN_CLIP))
    (reason,) = report_of(accelerated, samples).fallbacks
    assert reason.startswith("WanModel is sampled in a way that Jano does not know (supported: ")
