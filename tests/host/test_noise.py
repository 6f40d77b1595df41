"""Noise that is added rather than mixed in: the demo's trained Flux, sampled as SDXL is, makes the same steps."""

from __future__ import annotations

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.model_sampling import EPS
from comfyui_jano.jano.adapters.noise import Noise, noise_of
from comfyui_jano.jano.adapters.patch import schedule
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.report import RunReport
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.test_trained_flux import CFG, distance, said
from torch import Tensor, nn

STEPS = 20
FLOW_SIGMAS = torch.linspace(0.98, 0.0, STEPS + 1)


class AddedNoise(EPS, nn.Module):
    """A flow model's levels for latents that are picture plus noise."""

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow, self.sigma_min, self.sigma_max = flow, 0.0, 1e6
        self.sigmas = flow.sigmas / (1 - flow.sigmas).clamp(min=1e-6)

    def timestep(self, sigma: Tensor) -> Tensor:
        return self.flow.timestep(sigma / (1 + sigma))

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        return noise / (1 + sigma.reshape(-1, 1, 1, 1))

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        sigma = sigma.reshape(-1, 1, 1, 1)
        return model_input / (1 + sigma) - model_output * sigma / (1 + sigma)


def added(model: ModelPatcher) -> ModelPatcher:
    clone = model.clone()
    clone.add_object_patch("model_sampling", AddedNoise(model.model.model_sampling))
    return clone


def test_the_kind_of_noise() -> None:
    assert noise_of(tiny.flux()) is Noise.MIXED
    assert noise_of(tiny.unet()) is Noise.ADDED
    assert Noise.ADDED.flow_sigma(1.0) == 0.5


def run(model: ModelPatcher, sigmas: Tensor, setting: str | None) -> tuple[Tensor, RunReport]:
    model = model if setting is None else schedule(model, setting)
    prompt = {"positive": said("green tree, brick tower, day sky, sand"), "negative": said("")}
    made = tiny.sample(model, STEPS, CFG, "euler", size=(32, 32), seed=3, sigmas=sigmas, **prompt)
    return made, report_of(model, made)


@pytest.mark.parametrize("quality", ["balanced", "fast"])
def test_added_noise_makes_the_steps_and_the_picture_that_mixed_noise_makes(
    trained: ModelPatcher, quality: str
) -> None:
    full, _ = run(trained, FLOW_SIGMAS, None)
    mixed, mixed_report = run(trained, FLOW_SIGMAS, quality)
    other, other_report = run(added(trained), FLOW_SIGMAS / (1 - FLOW_SIGMAS), quality)
    assert other_report.verdict == "accelerated"
    assert [r.step_class for r in other_report.steps] == [r.step_class for r in mixed_report.steps]
    assert distance(other, mixed) < 0.05 * distance(mixed, full)
