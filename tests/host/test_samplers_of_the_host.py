"""Every sampler that the host names, and sigmas and samplers as custom nodes make them, on the demo's trained Flux."""

from __future__ import annotations

from itertools import pairwise

import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.samplers import adds_noise
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.run import WENT_BACK
from comfyui_jano.jano.show.headline import summary
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.jano.whole.engine import LITTLE_SAVED_OF_NOISE, NOTHING_SAVED, NOTHING_SAVED_OF_NOISE
from comfyui_jano.tests.host.test_trained_flux import distance, said
from comfyui_jano.tests.host.tiny import conditioning, empty_latent, sample, with_scheduler
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


# --- a sampler that looks ahead and comes back


def ahead(model: ModelPatcher, steps: int = 20, **run: object) -> Tensor:
    return sample(model, steps, sampler="heunpp2", **settings(), **run)


@pytest.mark.parametrize("end", [{}, STOPPED], ids=["to the picture", "noise left in"])
def test_where_no_error_is_tolerated_looking_ahead_is_as_without_the_node(trained: ModelPatcher, end: dict) -> None:
    model = with_scheduler(trained, "custom", {"tolerance": 1e-9})
    picture = ahead(model, STEPS, **end)
    assert torch.equal(picture, ahead(trained, STEPS, **end))
    assert report_of(model, picture).fallbacks == [f"{NOTHING_SAVED} (fast and draft tolerate more)"]


@pytest.mark.parametrize("quality", ["fidelity", "balanced", "fast", "draft"])
def test_what_lies_ahead_is_forecast_and_belongs_to_its_step(trained: ModelPatcher, quality: str) -> None:
    """Three evaluations a step; as many steps as spend as much stay far behind."""
    model = with_scheduler(trained, quality)
    picture = ahead(model)
    report = report_of(model, picture)
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    assert [record.step for record in report.steps] == list(range(20))
    assert [record.evaluations for record in report.steps] == [3] * 18 + [2, 1]
    shares = {round(record.computed_share, 3) for record in report.steps}
    assert 0.333 in shares
    assert all(str(record.step_class) != "skipped" for record in report.steps[:4])
    share = report.computed_token_fraction
    assert share < 0.6
    if quality in ("fidelity", "balanced"):
        full = ahead(trained)
        assert distance(picture, full) < 0.5 * distance(ahead(trained, round(20 * share) + 1), full)


def test_a_target_is_met_looks_and_all(trained: ModelPatcher) -> None:
    model = with_scheduler(trained, "custom", {"target_speedup": 2.0})
    assert report_of(model, ahead(model)).computed_token_fraction == pytest.approx(0.5, abs=0.03)


# --- samplers that add noise of their own


@pytest.mark.parametrize("name", comfy.samplers.SAMPLER_NAMES)
def test_of_every_sampler_it_is_known_whether_it_adds_noise(flux: ModelPatcher, name: str) -> None:
    """Another seed then makes another picture of the same noise."""
    latent = torch.zeros(1, 16, 8, 8)
    start = comfy.sample.prepare_noise(latent, 1)
    sampler = comfy.samplers.sampler_object(name)
    with torch.inference_mode():
        one, other = (
            comfy.sample.sample_custom(
                flux, start, 1.0, sampler, SHORT, conditioning(), conditioning(), latent, disable_pbar=True, seed=seed
            )
            for seed in (1, 2)
        )
    assert adds_noise(sampler) == (not torch.equal(one, other))


SHORT = torch.linspace(0.9, 0.0, 5)


@pytest.mark.parametrize(
    ("name", "options", "adds"),
    [
        ("euler_ancestral", {"eta": 0.0}, False),
        ("dpmpp_2m_sde", {"s_noise": 0.0}, False),
        ("heun", {"s_churn": 1.0}, True),
    ],
)
def test_a_sampler_may_be_told_how_much(name: str, options: dict, adds: bool) -> None:
    assert adds_noise(comfy.samplers.ksampler(name, options)) == adds


def test_a_sampler_that_is_no_function_adds_none() -> None:
    assert not adds_noise(object())


def said_of(
    trained: ModelPatcher, sampler: str, quality: str, custom: dict | None = None, steps: int = 28
) -> RunReport:
    model = with_scheduler(trained, quality, custom)
    return report_of(model, sample(model, 28, sampler=sampler, **settings()))


def test_a_run_that_noise_leaves_nothing_of_says_what_to_try(trained: ModelPatcher, caplog) -> None:
    report = said_of(trained, "lcm", "balanced")
    reason = f"{NOTHING_SAVED_OF_NOISE} (try euler or uni_pc; fast and draft tolerate more)"
    assert (report.verdict, report.fallbacks) == ("native", [reason])
    assert caplog.text.count(reason) == 1


def test_a_run_that_noise_leaves_little_of_says_so_too(trained: ModelPatcher) -> None:
    report = said_of(trained, "dpmpp_2m_sde", "balanced")
    assert 0.75 <= report.computed_token_fraction < 1.0
    assert (report.verdict, report.fallbacks, report.notes) == ("accelerated", [], [LITTLE_SAVED_OF_NOISE])
    assert "try euler or uni_pc" in summary(report)


@pytest.mark.parametrize(
    ("sampler", "quality", "custom"),
    [("euler", "balanced", {}), ("dpmpp_2m_sde", "draft", {}), ("dpmpp_2m_sde", "custom", {"target_speedup": 1.2})],
    ids=["without noise", "much was left out", "as much as was asked for"],
)
def test_otherwise_there_is_nothing_to_say(trained: ModelPatcher, sampler: str, quality: str, custom: dict) -> None:
    report = said_of(trained, sampler, quality, custom)
    assert (report.verdict, report.fallbacks, report.notes) == ("accelerated", [], [])


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


@pytest.fixture(scope="module", params=DRAWN, ids="-".join)
def drawn(trained: ModelPatcher, request: pytest.FixtureRequest) -> tuple[str, Tensor, Tensor]:
    """A sampler, sigmas, and what they make without the node."""
    sampler, name = request.param
    levels = {**EQUAL, **ZEROS}[name]
    return sampler, levels, custom_sample(trained, levels, comfy.samplers.sampler_object(sampler))[0]


@pytest.mark.parametrize("quality", ["fidelity", "fast", "by level"])
def test_sigmas_that_repeat(trained: ModelPatcher, drawn: tuple[str, Tensor, Tensor], quality: str) -> None:
    sampler, levels, full = drawn
    model = with_scheduler(trained, *(BY_LEVEL if quality == "by level" else (quality,)))
    picture, report = custom_sample(model, levels, comfy.samplers.sampler_object(sampler))
    assert full.isfinite().all()
    assert picture.isfinite().all()
    nothing = (NOTHING_SAVED, NOTHING_SAVED_OF_NOISE)
    assert report.verdict == "accelerated" or (len(report.fallbacks) == 1 and report.fallbacks[0].startswith(nothing))
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
