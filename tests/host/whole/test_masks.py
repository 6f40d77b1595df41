"""Noise masks (inpainting, differential diffusion): where the sampler goes its own way, forecasts are repaired."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable

import comfy.sampler_helpers
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from comfyui_jano.jano.adapters.masks import painted_cells
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.tests.host.test_trained_flux import said
from comfyui_jano.tests.host.tiny import empty_latent, sample, with_scheduler
from torch import Tensor

SIDE = 16
SIGMAS = torch.linspace(1.0, 0.0, 11)
PROMPT = {"positive": said("green tree, brick tower, day sky, sand"), "negative": said("")}


def hard(share: float = 0.25) -> Tensor:
    """A square in the middle, in pixels."""
    side = round(8 * SIDE * share**0.5)
    start = (8 * SIDE - side) // 2
    mask = torch.zeros(1, 1, 8 * SIDE, 8 * SIDE)
    mask[..., start : start + side, start : start + side] = 1.0
    return mask


def soft() -> Tensor:
    """Falls from 1 in the middle to 0 at the edges."""
    line = torch.linspace(-1.0, 1.0, 8 * SIDE)
    return (1.3 - 1.6 * (line[:, None] ** 2 + line[None] ** 2).sqrt()).clamp(0.0, 1.0)[None, None]


def in_cells(mask: Tensor) -> Tensor:
    """As the host hands it to the sampler."""
    return comfy.sampler_helpers.prepare_mask(mask, (1, 16, SIDE, SIDE), torch.device("cpu"))


@pytest.fixture(scope="module")
def finished(trained: ModelPatcher) -> Tensor:
    """The picture that is painted into."""
    return sample(
        trained,
        20,
        4.0,
        size=(SIDE, SIDE),
        seed=5,
        positive=said("brick tent, red wavy ball, night sky, checkered floor"),
        negative=said(""),
    )


def painted(
    model: ModelPatcher, latent: Tensor, mask: Tensor, cfg: float = 4.0, sampler: str = "euler", steps: int = 24
) -> Tensor:
    return sample(model, steps, cfg, sampler, latent=latent, seed=3, noise_mask=mask, **PROMPT)


MASKS = {
    "hard": (hard(), None),
    "soft": (soft(), None),
    "differential": (soft(), 1.0),
    "differential, half": (soft(), 0.5),
}


@pytest.fixture(params=MASKS)
def masked(request: pytest.FixtureRequest, trained: ModelPatcher) -> tuple[ModelPatcher, Tensor]:
    mask, strength = MASKS[request.param]
    return trained if strength is None else DifferentialDiffusion.execute(trained, strength).args[0], mask


# --- which cells


def test_the_cells_that_a_mask_leaves_alone(trained: ModelPatcher) -> None:
    cells = painted_cells(trained, in_cells(hard()), SIGMAS, {})
    assert cells.shape == (1, 1, SIDE, SIDE)
    assert torch.equal(cells[0, 0], in_cells(hard())[0, 0] == 1.0)


def test_without_a_mask_there_is_none(trained: ModelPatcher) -> None:
    assert painted_cells(trained, None, SIGMAS, {}) is None


def test_a_batch_counts_where_every_picture_is_painted(trained: ModelPatcher) -> None:
    both = torch.cat((in_cells(hard(0.1)), in_cells(hard(0.5))))
    assert torch.equal(
        painted_cells(trained, both, SIGMAS, {}), painted_cells(trained, in_cells(hard(0.1)), SIGMAS, {})
    )


def as_the_server_loads_it() -> type:
    """Built-in nodes' modules are called by their path there, without an ending."""
    file = inspect.getfile(DifferentialDiffusion)
    spec = importlib.util.spec_from_file_location(file.removesuffix(".py"), file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.DifferentialDiffusion


@pytest.mark.parametrize("strength", [0.5, 1.0])
@pytest.mark.parametrize("load", [lambda: DifferentialDiffusion, as_the_server_loads_it], ids=["import", "server"])
def test_a_mask_that_grows_counts_where_it_is_1_from_the_start(
    trained: ModelPatcher, strength: float, load: Callable[[], type]
) -> None:
    model = load().execute(trained, strength).args[0]
    cells = painted_cells(model, in_cells(soft()), SIGMAS, model.model_options)
    assert torch.equal(cells[0, 0], in_cells(soft())[0, 0] == 1.0)
    assert 0 < cells.sum() < cells.numel()


def test_what_another_pack_makes_of_a_mask_is_not_asked_beforehand(trained: ModelPatcher, finished: Tensor) -> None:
    """It may count its calls, or draw random numbers: asked once too often, it would make another picture."""
    calls = []

    def counting(sigma: Tensor, mask: Tensor, extra_options: dict) -> Tensor:
        calls.append(float(sigma[0]))
        return mask * torch.rand(1).clamp(min=0.5)

    assert not painted_cells(trained, in_cells(hard()), SIGMAS, {"denoise_mask_function": counting}).any()
    assert calls == []
    model = trained.clone()
    model.set_model_denoise_mask_function(counting)
    strict = with_scheduler(model, "custom", {"tolerance": 1e-12})
    made = []
    for each in (strict, model):
        torch.manual_seed(1)
        made.append(painted(each, finished, hard()))
    assert torch.equal(*made)


# --- pictures


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "heun"])
def test_where_no_error_is_tolerated_the_picture_is_that_without_the_node(
    masked: tuple, finished: Tensor, sampler: str
) -> None:
    model, mask = masked
    strict = with_scheduler(model, "custom", {"tolerance": 1e-12})
    made = [painted(each, finished, mask, 4.0, sampler, steps=12) for each in (strict, model)]
    assert torch.equal(*made)


@pytest.mark.parametrize("quality", ["balanced", "draft"])
def test_outside_the_latent_stays_that_of_the_input(masked: tuple, finished: Tensor, quality: str) -> None:
    model, mask = masked
    accelerated = with_scheduler(model, quality)
    made = painted(accelerated, finished, mask)
    assert report_of(accelerated, made).verdict == "accelerated"
    outside = (in_cells(mask) == 0.0).expand_as(made)
    torch.testing.assert_close(made[outside], finished[outside], atol=2e-6, rtol=0)


def test_forecasts_inside_are_repaired(trained: ModelPatcher, finished: Tensor) -> None:
    """At the same cost: closer with the repair than without it."""
    full, inside = painted(trained, finished, hard(), 1.0), (in_cells(hard()) == 1.0)
    errors = {}
    for correct in (True, False):
        model = with_scheduler(trained, "custom", {"target_speedup": 2.0, "correct": correct})
        made = painted(model, finished, hard(), 1.0)
        assert report_of(model, made).computed_token_fraction == pytest.approx(0.5, abs=0.03)
        errors[correct] = ((made - full)[inside.expand_as(made)]).square().mean().sqrt().item()
    assert errors[True] < 0.7 * errors[False]


def test_a_mask_that_is_nowhere_1_is_not_repaired_but_forecast(trained: ModelPatcher, finished: Tensor) -> None:
    faint = 0.6 * hard()
    pictures = []
    for correct in (None, False):
        model = with_scheduler(trained, "custom", {"target_speedup": 2.0, "correct": correct})
        pictures.append(painted(model, finished, faint))
        assert report_of(model, pictures[-1]).verdict == "accelerated"
    assert torch.equal(*pictures)


def test_a_mask_of_the_whole_picture_asks_for_no_other_picture(trained: ModelPatcher) -> None:
    latent, whole = empty_latent(trained, (SIDE, SIDE)), torch.ones(1, 1, 8 * SIDE, 8 * SIDE)
    made = [painted(with_scheduler(trained, "custom", {"target_speedup": 2.0}), latent, mask) for mask in (whole, None)]
    torch.testing.assert_close(*made, atol=1e-5, rtol=1e-4)
