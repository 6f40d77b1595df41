"""Every sampler that the host names, and sigmas and samplers as custom nodes make them, on the demo's trained Flux."""

from __future__ import annotations

from itertools import pairwise

import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.run import WENT_BACK
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.jano.whole.engine import NOTHING_SAVED
from comfyui_jano.tests.host.test_trained_flux import distance, said
from comfyui_jano.tests.host.tiny import empty_latent, sample, with_scheduler
from torch import Tensor

STEPS, SIZE = 12, (16, 16)  # the smallest pictures that the model was trained on
STOPPED = {"last_step": 8, "force_full_denoise": False}
BY_LEVEL = ("custom", {"active_interval": 1, "moderate_interval": 2, "static_interval": 4})
PROMPT = "green tree, brick tower, day sky, sand"


def settings() -> dict:
    return {"cfg": 4.0, "size": SIZE, "seed": 3, "positive": said(PROMPT), "negative": said("")}


@pytest.mark.parametrize("end", [{}, STOPPED], ids=["to the picture", "noise left in"])
@pytest.mark.parametrize("quality", ["fast", "by level"])
@pytest.mark.parametrize("name", comfy.samplers.SAMPLER_NAMES)
def test_every_sampler_gives_a_picture(trained: ModelPatcher, name: str, quality: str, end: dict) -> None:
    model = with_scheduler(trained, *(BY_LEVEL if quality == "by level" else (quality,)))
    picture = sample(model, STEPS, sampler=name, **settings(), **end)
    report = report_of(model, picture)
    assert picture.isfinite().all()
    assert report.verdict == "accelerated" or report.fallbacks


@pytest.mark.parametrize("quality", ["fidelity", "balanced", "fast", "draft"])
def test_a_sampler_that_looks_ahead_and_comes_back_is_as_without_the_node(
    trained: ModelPatcher, quality: str, caplog
) -> None:
    model = with_scheduler(trained, quality)
    picture = sample(model, STEPS, sampler="heunpp2", **settings())
    report = report_of(model, picture)
    assert torch.equal(picture, sample(trained, STEPS, sampler="heunpp2", **settings()))
    assert (report.verdict, report.fallbacks) == ("native", [WENT_BACK])
    assert caplog.text.count(WENT_BACK) == 1
    steps = [record.step for record in report.steps]
    assert steps == sorted(set(steps))


# --- sigmas and samplers of custom nodes


def custom_sample(model: ModelPatcher, sigmas: Tensor, sampler: object) -> tuple[Tensor, RunReport]:
    """SamplerCustom."""
    latent = empty_latent(model, SIZE)
    noise, cfg = comfy.sample.prepare_noise(latent, 3), 4.0
    with torch.inference_mode():
        samples = comfy.sample.sample_custom(
            model, noise, cfg, sampler, sigmas, said(PROMPT), said(""), latent, disable_pbar=True, seed=3
        )
    return samples, report_of(model, samples)


def falling(*tail: float) -> Tensor:
    return torch.cat((torch.linspace(1.0, 0.3, 15), torch.tensor(tail)))


EQUAL = {"at the end": falling(0.2, 0.1, 0.1), "before the end": falling(0.2, 0.1, 0.1, 0.0)}
ZEROS = {"zeros": falling(0.0, 0.0), "both": falling(0.3, 0.3, 0.2, 0.0, 0.0, 0.0)}
DRAWN = [  # what the host alone makes a picture of
    *((sampler, name) for sampler in ("euler", "heun", "lcm") for name in EQUAL),
    *((sampler, "at the end") for sampler in ("dpmpp_2m", "uni_pc")),
    *(("lcm", name) for name in ZEROS),
]


@pytest.mark.parametrize(("sampler", "sigmas"), DRAWN)
@pytest.mark.parametrize("quality", ["fidelity", "fast", "by level"])
def test_sigmas_that_repeat(trained: ModelPatcher, quality: str, sampler: str, sigmas: str) -> None:
    levels = {**EQUAL, **ZEROS}[sigmas]
    model = with_scheduler(trained, *(BY_LEVEL if quality == "by level" else (quality,)))
    full, _ = custom_sample(trained, levels, comfy.samplers.sampler_object(sampler))
    picture, report = custom_sample(model, levels, comfy.samplers.sampler_object(sampler))
    assert full.isfinite().all()
    assert picture.isfinite().all()
    assert report.verdict == "accelerated" or report.fallbacks == [NOTHING_SAVED]
    if sampler != "lcm":  # whose own noise makes another picture of every difference
        assert distance(picture, full) < 0.1 * full.std()


BACK, TO = 20, 13


def went_on(model: object, x: Tensor, sigmas: Tensor, extra_args: dict) -> Tensor:
    """Euler."""
    for start, end in pairwise(sigmas):
        denoised = model(x, start * x.new_ones(x.shape[0]), **extra_args)
        x = x + (end - start) * (x - denoised) / start
    return x


def restarting(model: object, x: Tensor, sigmas: Tensor, extra_args: dict, callback: object, disable: bool) -> Tensor:
    """Adds noise once, and takes seven steps again."""
    x = went_on(model, x, sigmas[: BACK + 1], extra_args)
    low, high = sigmas[BACK], sigmas[TO]
    kept = (1 - high) / (1 - low)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
    return went_on(model, kept * x + (high**2 - (kept * low) ** 2).sqrt() * noise, sigmas[TO:], extra_args)


def trying(model: object, x: Tensor, sigmas: Tensor, extra_args: dict, callback: object, disable: bool) -> Tensor:
    """Looks seven steps ahead once, and goes on from the middle of where it was and where it came from."""
    tried = went_on(model, x, sigmas[: TO + 1], extra_args)
    ahead = went_on(model, tried, sigmas[TO : BACK + 1], extra_args)
    return went_on(model, tried + 0.01 * ahead, sigmas[TO:], extra_args)


@pytest.mark.parametrize("sampler", [restarting, trying])
def test_after_a_jump_back_the_picture_is_as_close_as_without_one(trained: ModelPatcher, sampler: object) -> None:
    """Named like a sampler whose forecasts are repaired."""
    sampler.__name__ = "sample_euler"
    sigmas, chosen = torch.linspace(1.0, 0.0, 31), comfy.samplers.KSAMPLER(sampler)
    full, _ = custom_sample(trained, sigmas, chosen)
    picture, report = custom_sample(with_scheduler(trained, "fast"), sigmas, chosen)
    assert report.fallbacks == [WENT_BACK]
    assert report.computed_token_fraction < 0.8
    assert distance(picture, full) < 0.1 * full.std()


# --- what is shown and given back


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "heun", "uni_pc"])
def test_previews_and_the_denoised_output_are_of_the_repaired_x(trained: ModelPatcher, sampler: str) -> None:
    """Stopped with the noise left in: what was predicted last is as close to the full run's as x is."""
    seen: dict[str, Tensor] = {}

    def run(name: str, model: ModelPatcher) -> Tensor:
        def keep(step: int, denoised: Tensor, x: Tensor, total_steps: int) -> None:
            seen[name] = denoised.clone()

        part = {"last_step": 14, "force_full_denoise": False}
        larger = {**settings(), "size": (32, 32), "seed": 4}
        return sample(model, 20, sampler=sampler, callback=keep, **larger, **part)

    full = run("full", trained)
    for correct in (True, False):
        run(str(correct), with_scheduler(trained, "custom", {"target_speedup": 2.0, "correct": correct}))
    assert full.isfinite().all()
    assert distance(seen["True"], seen["full"]) < distance(seen["False"], seen["full"])
