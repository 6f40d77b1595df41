"""Two samplers in a row on one latent, as with Wan 2.2 14B: the second takes the first one's map, not a warm-up."""

from __future__ import annotations

import comfy.sd
import pytest
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.patch import schedule
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.tests.host.test_tiny_wan import PROMPTS, WAN, conditioning
from comfyui_jano.tests.host.tiny import sample
from torch import Tensor

SIZE = (5, 16, 16)
STEPS, SWITCH = 24, 10
INTERVALS = {"static_interval": 3, "moderate_interval": 2, "active_interval": 1}


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


def test_the_second_expert_needs_no_warm_up(experts: tuple[ModelPatcher, ModelPatcher]) -> None:
    first, second = experts
    scheduled = schedule(first, "custom", INTERVALS)
    handed_over = high_noise(scheduled)
    level_map = report_of(scheduled, handed_over).level_map
    exact = low_noise(second, handed_over)
    alone = schedule(second, "custom", INTERVALS)
    mapped = schedule(second, "custom", INTERVALS, level_map=level_map)
    errors, reports = {}, {}
    for name, model in (("alone", alone), ("mapped", mapped)):
        made = low_noise(model, handed_over)
        errors[name] = (made - exact).square().mean()
        reports[name] = report_of(model, made)
    assert [record.computed_share < 1 for record in reports["mapped"].steps[:2]] == [False, True]
    assert reports["mapped"].computed_token_fraction <= reports["alone"].computed_token_fraction
    assert reports["mapped"].level_map.levels.equal(level_map.levels)
    assert errors["mapped"] <= errors["alone"]
