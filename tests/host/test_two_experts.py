"""Two samplers in a row on one latent, as with Wan 2.2 14B: the second takes the first one's map and measured errors,
and needs no warm-up of its own."""

from __future__ import annotations

import comfy.sd
import pytest
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.patch import analyze
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import AnalyzerConfig
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.tests.host.test_tiny_wan import PROMPTS, WAN, conditioning
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from torch import Tensor

SIZE = (5, 16, 16)
STEPS, SWITCH = 24, 10
INTERVALS = {"static_interval": 3, "moderate_interval": 2, "active_interval": 1}
LINE = 2  # full steps before the first forecast


@pytest.fixture(scope="module")
def experts() -> tuple[ModelPatcher, ModelPatcher]:
    """Two models of one family; the tiny Wan twice."""
    return comfy.sd.load_diffusion_model(str(WAN)), comfy.sd.load_diffusion_model(str(WAN))


def high_noise(model: ModelPatcher) -> Tensor:
    """KSamplerAdvanced: the first steps, returned with the noise that is left."""
    return sample(model, **settings(), last_step=SWITCH, force_full_denoise=False)


def low_noise(model: ModelPatcher, latent: Tensor) -> Tensor:
    """KSamplerAdvanced: the other steps, without new noise."""
    return sample(model, **settings(), latent=latent, start_step=SWITCH, disable_noise=True)


def settings() -> dict:
    both = {"positive": conditioning(PROMPTS[1]), "negative": conditioning("")}
    return {"steps": STEPS, "cfg": 4.0, "size": SIZE, "sampler": "euler", **both}


def second_run(model: ModelPatcher, handed_over: Tensor, exact: Tensor) -> tuple[RunReport, float]:
    made = low_noise(model, handed_over)
    return report_of(model, made), (made - exact).square().mean().item()


def test_the_second_expert_needs_no_warm_up(experts: tuple[ModelPatcher, ModelPatcher]) -> None:
    first, second = experts
    scheduled = with_scheduler(first, "balanced")
    handed_over = high_noise(scheduled)
    level_map, exact = report_of(scheduled, handed_over).level_map, low_noise(second, handed_over)
    for setting in (("balanced",), ("custom", {"target_speedup": 2.0})):
        alone, error_alone = second_run(with_scheduler(second, *setting), handed_over, exact)
        mapped, error = second_run(with_scheduler(second, *setting, level_map=level_map), handed_over, exact)
        assert mapped.steps[LINE].computed_share == 0
        assert alone.steps[LINE].computed_share == 1
        assert mapped.computed_token_fraction <= alone.computed_token_fraction
        assert error <= error_alone
        assert mapped.level_map.levels.equal(level_map.levels)


def test_by_level_the_second_expert_starts_at_its_second_step(experts: tuple[ModelPatcher, ModelPatcher]) -> None:
    first, second = experts
    scheduled = with_scheduler(first, "custom", INTERVALS)
    handed_over = high_noise(scheduled)
    level_map, exact = report_of(scheduled, handed_over).level_map, low_noise(second, handed_over)
    alone, error_alone = second_run(with_scheduler(second, "custom", INTERVALS), handed_over, exact)
    mapped, error = second_run(with_scheduler(second, "custom", INTERVALS, level_map=level_map), handed_over, exact)
    assert [record.computed_share < 1 for record in mapped.steps[:2]] == [False, True]
    assert mapped.computed_token_fraction <= alone.computed_token_fraction
    assert error <= error_alone


def test_a_map_of_a_run_that_measured_nothing_spares_only_the_drawing(
    experts: tuple[ModelPatcher, ModelPatcher],
) -> None:
    first, second = experts
    analysed = analyze(first, AnalyzerConfig())
    handed_over = high_noise(analysed)
    level_map = report_of(analysed, handed_over).level_map
    model = with_scheduler(second, "balanced", level_map=level_map)
    report = report_of(model, low_noise(model, handed_over))
    assert report.verdict == "accelerated"
    assert report.steps[LINE].computed_share == 1
