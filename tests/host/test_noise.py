"""Noise that is added rather than mixed in: the demo's trained Flux, sampled as SDXL is, makes the same steps."""

from __future__ import annotations

import comfy.sample
import pytest
import torch
from comfy.model_base import ModelType, model_sampling
from comfy.model_patcher import ModelPatcher
from comfy.model_sampling import CONST, EPS, V_PREDICTION_DDPM, ModelSamplingDiscrete
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete as ModelSamplingNode
from comfy_extras.nodes_void import VOID_DDIM
from comfyui_jano.jano.adapters.noise import Noise, noise_of
from comfyui_jano.jano.adapters.patch import analyze
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import AnalyzerConfig
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.test_trained_flux import CFG, distance, said
from comfyui_jano.tests.host.tiny import with_scheduler
from torch import Tensor, nn

STEPS = 20
FLOW_SIGMAS = torch.linspace(0.98, 0.0, STEPS + 1)
PROMPT = {"positive": said("green tree, brick tower, day sky, sand"), "negative": said("")}


# Every way in which the host samples a model. None: refused.
KINDS = {
    "EPS": Noise.ADDED,
    "V_PREDICTION": Noise.ADDED,
    "V_PREDICTION_EDM": Noise.ADDED,
    "STABLE_CASCADE": Noise.ADDED,
    "EDM": Noise.ADDED,
    "FLOW": Noise.MIXED,
    "V_PREDICTION_CONTINUOUS": Noise.ADDED,
    "FLUX": Noise.MIXED,
    "IMG_TO_IMG": None,
    "FLOW_COSMOS": Noise.ADDED,
    "IMG_TO_IMG_FLOW": None,
    "V_PREDICTION_DDPM": Noise.ADDED,
}


class AddedNoise(nn.Module):
    """A flow model's levels for latents that are picture plus noise; the host's class beside it scales the noise."""

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


def added(model: ModelPatcher, kind: type = EPS) -> ModelPatcher:
    return sampled_by(model, type("Added", (AddedNoise, kind), {})(model.get_model_object("model_sampling")))


def sampled_by(model: ModelPatcher, sampling: nn.Module) -> ModelPatcher:
    clone = model.clone()
    clone.add_object_patch("model_sampling", sampling)
    return clone


@pytest.fixture(scope="module")
def unet() -> ModelPatcher:
    return tiny.unet()


def test_every_kind_of_the_host_has_its_row() -> None:
    assert {kind.name for kind in ModelType} == set(KINDS)


@pytest.mark.parametrize("kind", ModelType, ids=lambda kind: kind.name)
def test_the_kind_of_noise_is_what_the_host_makes(unet: ModelPatcher, kind: ModelType) -> None:
    sampling = model_sampling(unet.model.model_config, kind)
    found = noise_of(sampled_by(unet, sampling))
    assert found is KINDS[kind.name]
    if found is None:
        return
    noise, picture, sigma = torch.randn(2, 4), torch.randn(2, 4), 0.3
    made = sampling.noise_scaling(torch.tensor(sigma), noise.clone(), picture)
    torch.testing.assert_close(made, sigma * noise + (1 - sigma if found is Noise.MIXED else 1) * picture)
    flow = found.flow_sigma(sigma)
    torch.testing.assert_close(made / found.scale(sigma), flow * noise + (1 - flow) * picture)


@pytest.mark.parametrize(
    ("sampling", "noise"),
    [("eps", Noise.ADDED), ("v_prediction", Noise.ADDED), ("lcm", Noise.ADDED), ("x0", Noise.ADDED)]
    + [("img_to_img", None), ("img_to_img_flow", None)],
)
def test_what_the_hosts_node_makes_of_a_model(unet: ModelPatcher, sampling: str, noise: Noise | None) -> None:
    (model,) = ModelSamplingNode().patch(unet, sampling, zsnr=False)
    assert noise_of(model) is noise


def test_a_kind_that_scales_noise_in_its_own_way_is_not_known(flux: ModelPatcher) -> None:
    class Louder(CONST):
        def noise_scaling(self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False):
            return latent_image + 2 * sigma * noise

    class Shifted(CONST):
        pass

    assert noise_of(sampled_by(flux, type("Theirs", (ModelSamplingDiscrete, Louder), {})())) is None
    assert noise_of(sampled_by(flux, type("Theirs", (ModelSamplingDiscrete, Shifted), {})())) is Noise.MIXED


def run(model: ModelPatcher, sigmas: Tensor, setting: str | None) -> tuple[Tensor, RunReport]:
    model = model if setting is None else with_scheduler(model, setting)
    made = tiny.sample(model, STEPS, CFG, "euler", size=(32, 32), seed=3, sigmas=sigmas, **PROMPT)
    return made, report_of(model, made)


@pytest.mark.parametrize(("kind", "quality"), [(EPS, "balanced"), (EPS, "fast"), (V_PREDICTION_DDPM, "balanced")])
def test_added_noise_makes_the_steps_and_the_picture_that_mixed_noise_makes(
    trained: ModelPatcher, kind: type, quality: str
) -> None:
    full, _ = run(trained, FLOW_SIGMAS, None)
    mixed, mixed_report = run(trained, FLOW_SIGMAS, quality)
    other, other_report = run(added(trained, kind), FLOW_SIGMAS / (1 - FLOW_SIGMAS), quality)
    assert other_report.verdict == "accelerated"
    assert [r.step_class for r in other_report.steps] == [r.step_class for r in mixed_report.steps]
    assert distance(other, mixed) < 0.05 * distance(mixed, full)


def test_the_map_is_drawn_from_latents_of_any_scale_alike(trained: ModelPatcher) -> None:
    """By a score of the velocities, which are measured from the latents."""
    maps = []
    for model, sigmas in ((trained, FLOW_SIGMAS), (added(trained), FLOW_SIGMAS / (1 - FLOW_SIGMAS))):
        analysed = analyze(model, AnalyzerConfig(score="curvature"))
        maps.append(run(analysed, sigmas, None)[1].level_map.scores)
    torch.testing.assert_close(*maps, atol=0.02, rtol=0)


class Preserved(AddedNoise, V_PREDICTION_DDPM):
    """The same levels for latents that the sampler divides by sqrt(1 + sigma^2), as CogVideoX was trained."""

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        sigma = sigma.reshape(-1, 1, 1, 1)
        return noise * (1 + sigma**2).sqrt() / (1 + sigma)

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        flow = sigma.reshape(-1, 1, 1, 1) / (1 + sigma.reshape(-1, 1, 1, 1))
        return self.calculate_input(sigma, model_input) - model_output * flow


def by_void(model: ModelPatcher, steps: int = STEPS) -> Tensor:
    flow, latent = torch.linspace(0.98, 0.0, steps + 1), tiny.empty_latent(model, (32, 32))
    noise, prompts = comfy.sample.prepare_noise(latent, 3), (PROMPT["positive"], PROMPT["negative"])
    with torch.inference_mode():
        return comfy.sample.sample_custom(
            model, noise, CFG, VOID_DDIM(), flow / (1 - flow), *prompts, latent, disable_pbar=True
        )


def test_the_hosts_own_sampler_for_cogvideo_makes_the_same_picture(trained: ModelPatcher) -> None:
    """It moves latents as no other sampler does, so that they are forecast but not repaired."""
    model = sampled_by(trained, Preserved(trained.get_model_object("model_sampling")))
    full, accelerated = by_void(model), with_scheduler(model, "balanced")
    assert distance(full, run(trained, FLOW_SIGMAS, None)[0]) < 0.01  # the same way from noise to picture
    made = by_void(accelerated)
    report = report_of(accelerated, made)
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    as_many = round(STEPS * report.computed_token_fraction)
    assert distance(made, full) < 0.5 * distance(by_void(model, as_many), full)
