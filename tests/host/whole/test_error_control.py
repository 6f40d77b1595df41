"""Measured errors decide, in the host: steps without a transformer call, the same again, and nothing left behind."""

from __future__ import annotations

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.patch import analyze
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import AnalyzerConfig
from comfyui_jano.jano.show.headline import summary
from comfyui_jano.jano.show.report import StepClass
from comfyui_jano.jano.whole.control import STEPS_FOR_A_LINE
from comfyui_jano.tests.host.test_trained_flux import said
from comfyui_jano.tests.host.tiny import sample, with_scheduler

ANY_ERROR = {"tolerance": 1e6}
NO_ERROR = {"tolerance": 1e-9}
CALM = 0.02
TRAINED = {
    "cfg": 4.0,
    "size": (16, 16),
    "seed": 3,
    "positive": said("green tree, brick tower, day sky, sand"),
    "negative": said(""),
}
SAMPLERS = ("euler", "heun", "dpmpp_2m", "uni_pc", "res_multistep", "euler_ancestral", "dpmpp_sde")


def calm(model: ModelPatcher) -> ModelPatcher:
    """A clone that predicts much the same at every step, as trained models do."""
    still = model.clone()
    still.set_model_sampler_post_cfg_function(lambda args: 1.0 + CALM * args["denoised"])
    return still


@pytest.mark.parametrize("cfg", [1.0, 5.0])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_where_no_error_is_tolerated_the_picture_is_that_without_the_node(flux, sampler: str, cfg: float) -> None:
    model = with_scheduler(flux, "custom", NO_ERROR)
    assert torch.equal(sample(model, 12, cfg, sampler), sample(flux, 12, cfg, sampler))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_skipped_steps_call_no_block(flux: ModelPatcher, sampler: str) -> None:
    calls = []
    network = flux.model.diffusion_model
    hook = network.double_blocks[0].register_forward_pre_hook(lambda *_: calls.append(1))
    model = with_scheduler(flux, "custom", ANY_ERROR)
    report = report_of(model, sample(model, 20, sampler=sampler))
    hook.remove()
    classes = [record.step_class for record in report.steps]
    evaluations = sum(r.evaluations for r in report.steps if r.step_class is not StepClass.SKIPPED)
    assert classes.count(StepClass.SKIPPED) >= 12
    assert len(calls) == evaluations
    assert report.cache_bytes_peak == 0


def test_a_second_run_is_the_first_again(flux: ModelPatcher) -> None:
    model = with_scheduler(calm(flux), "balanced")
    first = sample(model, 20)
    sample(model, 20, seed=8, size=(10, 6))
    assert torch.equal(sample(model, 20), first)


def test_a_target_is_met(flux: ModelPatcher) -> None:
    for speedup in (1.5, 2.0, 3.0, 4.0):
        model = with_scheduler(calm(flux), "custom", {"target_speedup": speedup})
        report = report_of(model, sample(model, 28))
        assert report.computed_token_fraction * speedup == pytest.approx(1.0, abs=0.05)


def test_a_target_that_few_steps_cannot_meet_is_told(flux: ModelPatcher) -> None:
    model = with_scheduler(calm(flux), "custom", {"target_speedup": 4.0})
    report = report_of(model, sample(model, 12))
    assert report.verdict == "accelerated"
    note = "target_speedup 4 would leave 3 of 12 steps, but 4 are always computed"
    assert (report.fallbacks, report.notes) == ([], [note])
    assert summary(report).endswith(f" Note: {note}.")
    assert report.computed_token_fraction == pytest.approx(4 / 12)


def test_outside_an_inpainting_mask_nothing_is_repaired(flux: ModelPatcher) -> None:
    model, latent = with_scheduler(calm(flux), "custom", ANY_ERROR), torch.randn(1, 16, 16, 24)
    mask = torch.zeros(1, 1, 16, 24)
    mask[..., 12:] = 1.0
    picture = sample(model, 20, latent=latent, noise_mask=mask)
    assert torch.allclose(picture[..., :12], latent[..., :12], atol=1e-5)


def test_a_part_of_the_steps_ends_near_where_the_full_part_ends(flux: ModelPatcher) -> None:
    still = calm(flux)
    part = {"start_step": 0, "last_step": 14, "force_full_denoise": False}
    full, model = sample(still, 20, **part), with_scheduler(still, "custom", {"tolerance": 0.02})
    accelerated = sample(model, 20, **part)
    assert report_of(model, accelerated).verdict == "accelerated"
    assert (accelerated - full).abs().max() < 0.02 * full.abs().max()


def test_of_a_clip(wan: ModelPatcher) -> None:
    model = with_scheduler(calm(wan), "balanced")
    report = report_of(model, sample(model, 20, size=(3, 9, 8)))
    assert report.verdict == "accelerated"
    assert report.spread >= 1.0


# --- what is only shown decides nothing


@pytest.mark.parametrize("warmup", [0.3, 0.8])
def test_an_analyzer_that_looks_longer_holds_nothing_up(trained: ModelPatcher, warmup: float) -> None:
    plain = report_of(model := with_scheduler(trained, "balanced"), sample(model, 20, **TRAINED))
    patient = with_scheduler(analyze(trained, AnalyzerConfig(warmup=warmup)), "balanced")
    report = report_of(patient, sample(patient, 20, **TRAINED))
    assert report.computed_token_fraction == plain.computed_token_fraction
    assert report.level_map is not None


def test_a_level_map_of_another_size_hands_over_its_errors_alone(trained: ModelPatcher) -> None:
    first = with_scheduler(trained, "balanced")
    other = report_of(first, sample(first, 20, **{**TRAINED, "size": (24, 16)})).level_map
    model = with_scheduler(trained, "draft", level_map=other)
    report = report_of(model, sample(model, 20, **TRAINED))
    assert report.verdict == "accelerated"
    assert report.fallbacks == []
    assert report.steps[STEPS_FOR_A_LINE].computed_share == 0.0
    assert report.level_map.grid.latent == (1, 16, 16)


def test_sigmas_that_stay_where_they_are_need_no_map(trained: ModelPatcher) -> None:
    sigmas = torch.cat((torch.full((5,), 1.0), torch.linspace(1.0, 0.0, 21)))
    model = with_scheduler(trained, "fast")
    assert report_of(model, sample(model, 25, sigmas=sigmas, **TRAINED)).verdict == "accelerated"


def test_errors_that_the_cool_down_measures_are_those_of_a_step(trained: ModelPatcher) -> None:
    """However many steps of cool-down there are: the rate that is handed over stays of one order."""
    rates = []
    for cooldown in (0.05, 0.3):
        model = with_scheduler(trained, "custom", {"tolerance": 0.06, "cooldown": cooldown})
        rates.append(report_of(model, sample(model, 20, **TRAINED)).level_map.error_rate)
    assert 0.5 < rates[1] / rates[0] < 2.0
