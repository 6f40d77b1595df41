"""What Jano does not accelerate runs as without it, and the reason is one sentence, told once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.model_sampling import IMG_TO_IMG
from comfyui_jano.jano.adapters.patch import analyze
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.by_level.engine import NOTHING_FROZEN
from comfyui_jano.jano.config import AnalyzerConfig
from comfyui_jano.jano.levels.map import Level
from comfyui_jano.jano.show.headline import summary
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.jano.whole.engine import NOTHING_ASKED, NOTHING_SAVED
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.devices import split
from comfyui_jano.tests.host.tiny import ODD, level_map, sample, with_scheduler
from comfyui_jano.tests.host.windows import windowed
from torch import Tensor


def somebodys_flux() -> ModelPatcher:
    model = tiny.flux()
    model.model.diffusion_model.__class__ = type("SomebodysFlux", (type(model.model.diffusion_model),), {})
    return model


WARMUP = 2  # of 12 steps, at the default share


def native_report(model: ModelPatcher, accelerated: ModelPatcher, caplog, **run: object) -> RunReport:
    """The report of a run that gives the picture of no node; its one reason was logged once."""
    with caplog.at_level(logging.WARNING):
        picture = sample(accelerated, **run)
    assert torch.equal(picture, sample(model, **run))
    report = report_of(accelerated, picture)
    (reason,) = report.fallbacks
    assert report.verdict == "native"
    assert caplog.text.count(f"computing in full because {reason}") == 1
    assert reason in summary(report)
    return report


@pytest.mark.parametrize(
    "patch", [partial(with_scheduler, quality="draft"), partial(analyze, analyzer=AnalyzerConfig())]
)
def test_a_model_that_is_sampled_in_another_way(patch: Callable, caplog) -> None:
    model = tiny.unet()
    model.add_object_patch("model_sampling", another_sampling(model))
    report = native_report(model, patch(model), caplog, size=(16, 16))
    assert report.fallbacks[0].startswith("UNetModel is sampled in a way that Jano does not know (supported: ")


def another_sampling(model: ModelPatcher) -> object:
    """The model's own noise levels, read as Lotus' pictures are."""
    return type("Another", (type(model.model.model_sampling), IMG_TO_IMG), {})(model.model.model_config)


@pytest.mark.parametrize("make", [tiny.qwen, somebodys_flux], ids=["another transformer", "a subclass"])
def test_intervals_by_level_on_a_model_that_jano_does_not_know(make: Callable, caplog) -> None:
    model = make()
    name = type(model.model.diffusion_model).__name__
    size = (1, *ODD) if name.startswith("Qwen") else ODD
    report = native_report(model, with_scheduler(model, "custom"), caplog, size=size, cfg=3.0)
    assert (
        f"need a model class that Jano knows (Flux, Chroma, WanModel, VaceWanModel, CameraWanModel), not {name};"
        in (report.fallbacks[0])
    )


@pytest.mark.parametrize(
    ("sampler", "fewest"), [("euler", 6), ("heun", 6), ("uni_pc", 8), ("dpmpp_2m", 9), ("euler_ancestral", 9)]
)
def test_few_steps_with_a_preset(flux: ModelPatcher, sampler: str, fewest: int, caplog) -> None:
    model, steps = with_scheduler(flux, "draft"), fewest - 1
    report = native_report(flux, model, caplog, steps=steps, sampler=sampler)
    assert report.fallbacks == [
        f"{steps} steps are too few to gain by with {sampler} (qualities begin at {fewest} steps)"
    ]


@pytest.mark.parametrize("sampler", ["euler", "heun"])
def test_from_six_steps_on_one_is_left_out_of_what_can_be_forecast(flux: ModelPatcher, sampler: str) -> None:
    model = with_scheduler(as_still_as(flux, 1e-3), "balanced")
    report = report_of(model, sample(model, steps=6, sampler=sampler))
    assert [str(record.step_class) for record in report.steps].count("skipped") == 1


@pytest.mark.parametrize("quality", ["fidelity", "balanced", "fast", "draft"])
def test_from_nine_steps_on_every_preset_accelerates_what_can_be_forecast(flux: ModelPatcher, quality: str) -> None:
    still = as_still_as(flux, 1e-3)
    model = with_scheduler(still, quality)
    assert report_of(model, sample(model, steps=9)).verdict == "accelerated"


def as_still_as(model: ModelPatcher, share: float) -> ModelPatcher:
    """A clone whose prediction is 1 but for this share of its own: random weights alone change too much to forecast."""
    still = model.clone()
    still.set_model_sampler_post_cfg_function(lambda args: 1.0 + share * args["denoised"])
    return still


def test_a_model_that_cannot_be_forecast_is_native_and_says_so(flux: ModelPatcher, caplog) -> None:
    report = native_report(flux, with_scheduler(flux, "fidelity"), caplog, steps=12)
    assert report.fallbacks == [f"{NOTHING_SAVED} (fast and draft tolerate more)"]


def test_a_target_of_one_is_not_told_to_tolerate_more(flux: ModelPatcher, caplog) -> None:
    report = native_report(flux, with_scheduler(flux, "custom", {"target_speedup": 1.0}), caplog)
    assert report.fallbacks == [NOTHING_ASKED]


@pytest.mark.parametrize("steps", [1, WARMUP])
def test_custom_without_room_between_warm_up_and_cool_down(flux: ModelPatcher, steps: int, caplog) -> None:
    report = native_report(flux, with_scheduler(flux, "custom", {"cooldown": 0.1}), caplog, steps=steps)
    assert report.fallbacks == [
        f"{steps} steps leave nothing between {WARMUP} steps of warm-up and 1 of cool-down; use more steps"
    ]


def test_a_cool_down_that_takes_every_step(flux: ModelPatcher, caplog) -> None:
    report = native_report(flux, with_scheduler(flux, "custom", {"cooldown": 0.9}), caplog)
    assert report.fallbacks == [
        f"12 steps leave nothing between {WARMUP} steps of warm-up and 11 of cool-down; use more steps"
    ]


def test_the_analyzer_alone_needs_no_room_for_a_cool_down(flux: ModelPatcher) -> None:
    model = analyze(flux, AnalyzerConfig())
    assert report_of(model, sample(model, steps=4)).verdict == "analysed"


def test_no_steps_at_all(flux: ModelPatcher) -> None:
    model = with_scheduler(flux, "custom")
    latent = torch.randn(1, 16, 8, 8)
    untouched = sample(flux, steps=12, latent=latent, start_step=12)
    assert torch.equal(sample(model, steps=12, latent=latent, start_step=12), untouched)


@pytest.mark.parametrize("sampler", ["dpm_adaptive", "dpm_fast"])
def test_samplers_that_choose_their_own_steps(flux: ModelPatcher, sampler: str, caplog) -> None:
    report = native_report(flux, with_scheduler(flux, "custom"), caplog, sampler=sampler)
    assert report.fallbacks[0].startswith(f"the sampler {sampler}")


def test_sigmas_that_rise(flux: ModelPatcher, caplog) -> None:
    rising = torch.linspace(0.01, 1.0, 12)
    report = native_report(flux, with_scheduler(flux, "custom"), caplog, sigmas=rising)
    assert report.fallbacks == ["the sigmas do not only fall (unsampling or restarts)"]


def test_steps_that_cannot_be_told_apart(caplog) -> None:
    model = tiny.unet()
    sigmas = torch.tensor([4500.0, 4400.0, *torch.linspace(100.0, 0.0, 12).tolist()])
    report = native_report(model, with_scheduler(model, "draft"), caplog, size=(16, 16), steps=13, sigmas=sigmas)
    assert report.fallbacks[0].startswith("two steps lie so close together that they cannot be told apart")


def test_a_map_of_another_size(flux: ModelPatcher, caplog) -> None:
    model = with_scheduler(flux, "custom", level_map=level_map(flux, (16, 24)))
    report = native_report(flux, model, caplog)
    assert report.fallbacks == [
        "the level map is for (1, 16, 24) latent cells (frames, height, width) in tokens of (1, 2, 2), but this latent "
        "has (1, 17, 13) in tokens of (1, 2, 2); use a map made at this size with this model"
    ]


def test_intervals_by_level_in_context_windows(wan: ModelPatcher, caplog) -> None:
    windows = windowed(wan)
    report = native_report(windows, with_scheduler(windows, "custom"), caplog, size=(8, 8, 8))
    assert report.fallbacks == ["context windows are on, which intervals by level do not allow (quality presets do)"]


def test_intervals_by_level_over_several_devices(caplog) -> None:
    model = split(tiny.flux)
    report = native_report(model, with_scheduler(model, "custom"), caplog, cfg=3.0)
    assert report.fallbacks == [
        "the model is split over several GPUs, which intervals by level do not allow (quality presets do)"
    ]


def test_a_model_that_the_host_compiles(flux: ModelPatcher, caplog) -> None:
    def compiled(executor: Callable, *args: object, **kwargs: object) -> Tensor:
        return executor(*args, **kwargs)

    model = flux.clone()
    model.add_wrapper_with_key("apply_model", "torch.compile", compiled)
    report = native_report(model, with_scheduler(model, "custom"), caplog)
    assert report.fallbacks == ["the model is compiled, which intervals by level do not allow (quality presets do)"]


# --- settings that are no reason to refuse


def test_an_all_static_map_skips_whole_steps(flux: ModelPatcher) -> None:
    every_fourth = {"static_interval": 4, "moderate_interval": 2}
    model = with_scheduler(flux, "custom", every_fourth, level_map=level_map(flux, level=Level.STATIC))
    report = report_of(model, sample(model))
    classes = [str(record.step_class) for record in report.steps]
    assert classes == ["full" if step in (11,) else "store" if step % 4 == 0 else "skipped" for step in range(12)]


def test_an_all_active_map_leaves_nothing_out(flux: ModelPatcher) -> None:
    model = with_scheduler(flux, "custom", level_map=level_map(flux, level=Level.ACTIVE))
    picture = sample(model)
    assert torch.equal(picture, sample(flux))
    report = report_of(model, picture)
    assert (report.computed_token_fraction, report.fallbacks) == (1.0, [NOTHING_FROZEN])


@pytest.mark.parametrize(
    ("custom", "sentence"),
    [
        (
            {"static_threshold": 0.7, "moderate_threshold": 0.6},
            "Jano: static_threshold 0.7 must not be above moderate_threshold 0.6.",
        ),
        (
            {"static_interval": 2, "moderate_interval": 3},
            r"Jano: intervals must not shrink from active_interval over moderate_interval to "
            r"static_interval, but they are \(1, 3, 2\).",
        ),
        ({"active_interval": 0}, "Jano: active_interval counts steps, 1 or more, not 0."),
        ({"cooldown": 1.0}, "Jano: cooldown is a share of the steps, 0 to below 1, not 1.0."),
    ],
)
def test_contradictory_settings_are_refused_in_a_sentence(flux: ModelPatcher, custom: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        with_scheduler(flux, "custom", custom)
