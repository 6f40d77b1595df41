"""One MODEL, several runs: another seed, an interruption, another number of steps, a part of the steps."""

from __future__ import annotations

from collections.abc import Callable

import comfy.model_management
import comfy.samplers
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy_extras import nodes_custom_sampler as nodes
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.tiny import sample, with_scheduler


def step_classes(report: RunReport) -> list[str]:
    return [str(record.step_class) for record in report.steps]


def test_another_seed_is_accelerated_as_much_and_forgets_the_first(flux: ModelPatcher) -> None:
    model = with_scheduler(flux, "custom")
    first, second = sample(model, seed=1), sample(model, seed=2)
    classes = step_classes(report_of(model, first))
    assert {"active", "store"} <= set(classes)
    assert step_classes(report_of(model, second)) == classes
    assert torch.equal(second, sample(with_scheduler(tiny.flux(), "custom"), seed=2))


@pytest.mark.parametrize("when", range(0, 12, 3))
def test_an_interrupted_run_leaves_the_next_one_alone(flux: ModelPatcher, when: int) -> None:
    model = with_scheduler(flux, "custom")
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sample(model, callback=at_step(when, comfy.model_management.interrupt_current_processing))
    assert torch.equal(sample(model), sample(with_scheduler(tiny.flux(), "custom")))


def at_step(when: int, act: Callable[[], None]) -> Callable:
    """A sampler callback that acts once."""

    def callback(step: int, *_: object) -> None:
        if step == when:
            act()

    return callback


def test_two_samplers_on_one_model_find_their_own_reports(flux: ModelPatcher) -> None:
    model = with_scheduler(flux, "custom")
    samples = {steps: sample(model, steps=steps) for steps in (20, 10)}
    for steps, latent in samples.items():
        report = report_of(model, latent)
        assert report.num_steps == steps
        assert len(report.steps) == steps
        assert report.verdict == "accelerated"


def test_a_latent_from_elsewhere_finds_no_report(flux: ModelPatcher) -> None:
    model = with_scheduler(flux, "custom")
    report = report_of(model, sample(model) + 1)
    assert report.fallbacks == [
        "none of the last runs on this MODEL produced this latent; connect the sampler's own LATENT output"
    ]


@pytest.mark.parametrize(
    "part", [{"denoise": 0.5}, {"start_step": 4, "last_step": 18}, {"last_step": 12, "force_full_denoise": True}]
)
def test_a_part_of_the_steps_is_a_run_of_its_own(flux: ModelPatcher, part: dict) -> None:
    every_step = {"static_interval": 1, "moderate_interval": 1}
    latent = torch.randn_like(tiny.empty_latent(flux))
    without = sample(flux, 20, latent=latent, **part)
    assert torch.equal(sample(with_scheduler(flux, "custom", every_step), 20, latent=latent, **part), without)
    model = with_scheduler(flux, "custom")
    report = report_of(model, sample(model, 20, latent=latent, **part))
    first, last = part.get("start_step", 0), part.get("last_step", 20)
    assert report.num_steps == (20 if "denoise" in part else last - first)
    assert report.verdict == "accelerated"


def test_outside_an_inpainting_mask_the_picture_stays(flux: ModelPatcher) -> None:
    model, latent = with_scheduler(flux, "custom"), torch.randn(1, 16, 16, 24)
    mask = torch.zeros(1, 1, 16 * 8, 24 * 8)
    mask[..., : 12 * 8] = 1  # the left half is painted
    painted = sample(model, latent=latent, noise_mask=mask)
    torch.testing.assert_close(painted[..., 12:], latent[..., 12:])
    assert not torch.allclose(painted[..., :12], latent[..., :12])
    assert report_of(model, painted).verdict == "accelerated"
    every_step = with_scheduler(flux, "custom", {"static_interval": 1, "moderate_interval": 1})
    without = sample(flux, latent=latent, noise_mask=mask)
    assert torch.equal(sample(every_step, latent=latent, noise_mask=mask), without)


def test_the_advanced_sampler_node_is_accelerated(flux: ModelPatcher) -> None:
    model = with_scheduler(flux, "custom")
    latent = sample_advanced(model)
    assert report_of(model, latent).verdict == "accelerated"
    assert torch.equal(latent, sample(model, cfg=3.0))


def sample_advanced(model: ModelPatcher) -> torch.Tensor:
    """A graph of SamplerCustomAdvanced, CFGGuider, BasicScheduler, KSamplerSelect and RandomNoise."""
    (noise,) = nodes.RandomNoise.execute(7).args
    (guider,) = nodes.CFGGuider.execute(model, tiny.conditioning(1), tiny.conditioning(2), 3.0).args
    (sampler,) = nodes.KSamplerSelect.execute("euler").args
    (sigmas,) = nodes.BasicScheduler.execute(model, "simple", 12, 1.0).args
    with torch.inference_mode():
        output = nodes.SamplerCustomAdvanced.execute(
            noise, guider, sampler, sigmas, {"samples": tiny.empty_latent(model)}
        )
    return output.args[0]["samples"]
