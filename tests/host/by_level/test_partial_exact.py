"""A partial step computes its tokens exactly as a full step with the same input does."""

from __future__ import annotations

from collections.abc import Callable

import comfy.samplers
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.passes import assert_exact, same_input
from comfyui_jano.tests.host.tiny import conditioning, controlnet
from torch import Tensor

MODELS = {"flux dev": tiny.flux, "flux schnell": tiny.schnell, "chroma": tiny.chroma, "flux.2": tiny.flux2}
CLIP = (3, 9, 8)


@pytest.mark.parametrize("size", [(16, 24), tiny.ODD, (2, 31)])
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_at_any_size(make: Callable[[], ModelPatcher], size: tuple[int, int]) -> None:
    assert_exact(same_input(make(), size=size))


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_in_a_batch_of_two_pictures(make: Callable[[], ModelPatcher]) -> None:
    assert_exact(same_input(make(), batch=2))


def test_in_half_precision() -> None:
    assert_exact(same_input(tiny.flux(torch.bfloat16), size=(16, 24)), tolerance=0.05)  # sums may round in other ways


def test_of_a_clip() -> None:
    assert_exact(same_input(tiny.wan(), size=CLIP, batch=2))


def test_with_both_sides_of_cfg_in_one_call_and_the_negative_first() -> None:
    layouts, evaluate = watched_layouts()
    assert_exact(same_input(tiny.flux(), evaluate=evaluate))
    assert layouts == [[1, 0]] * 3


@pytest.mark.parametrize(
    "negative", [conditioning(2, tokens=5), [[conditioning(2)[0][0], {}]]], ids=["token counts", "keys"]
)
def test_with_sides_of_cfg_that_the_host_keeps_apart(negative: list) -> None:
    layouts, evaluate = watched_layouts()
    assert_exact(same_input(tiny.flux(), negative=negative, evaluate=evaluate))
    assert layouts == [[0], [1]] * 3


def watched_layouts() -> tuple[list, Callable]:
    """An evaluation that notes which sides of CFG each call of the transformer got."""
    layouts = []

    def evaluate(model: object, conds: list, x: Tensor, sigma: Tensor, options: dict) -> list[Tensor]:
        def note(apply: Callable, call: dict) -> Tensor:
            layouts.append(call["cond_or_uncond"])
            return apply(call["input"], call["timestep"], **call["c"])

        return comfy.samplers.calc_cond_batch(model, conds, x, sigma, {**options, "model_function_wrapper": note})

    return layouts, evaluate


@pytest.mark.parametrize("method", ["offset", "index", "uxo"])
@pytest.mark.parametrize("make", [tiny.flux, tiny.flux2])
def test_with_reference_latents(make: Callable[[], ModelPatcher], method: str) -> None:
    model = make()
    references = [torch.randn_like(tiny.empty_latent(model, size)) for size in ((8, 6), (5, 9))]
    positive = conditioning(1, reference_latents=references, reference_latents_method=method)
    assert_exact(same_input(model, positive))


def test_text_and_references_are_computed_at_every_step(flux: ModelPatcher) -> None:
    model, queries = flux.clone(), []

    def attention(func: Callable, q: Tensor, *args: object, **kwargs: object) -> Tensor:
        queries.append(q.shape[2])
        return func(q, *args, **kwargs)

    model.model_options["transformer_options"]["optimized_attention_override"] = attention
    conds = conditioning(1, reference_latents=[torch.randn(1, 16, 8, 6)])
    passes = same_input(model, conds, conds)
    text, main, reference = 8, 63, 12
    assert set(queries) == {text + main + reference, text + round(main * passes.share) + reference}


@pytest.mark.parametrize("size", [(16, 24), tiny.ODD])
def test_with_reference_latents_at_their_own_time(size: tuple[int, int]) -> None:
    model = tiny.flux2(guidance_embed=False)  # with it this host cannot add a guidance to two times
    references = [torch.randn_like(tiny.empty_latent(model, (4, 6)))]
    positive = conditioning(1, reference_latents=references, reference_latents_method="index_timestep_zero")
    assert_exact(same_input(model, positive, size=size))


LENGTH = 8 + 63  # text, and the tokens of an odd latent


@pytest.mark.parametrize("shape", [(LENGTH, LENGTH), (2, LENGTH, LENGTH), (2, 2, LENGTH, LENGTH)])
@pytest.mark.parametrize("kind", [torch.bool, torch.float32])
def test_with_an_attention_mask(shape: tuple[int, ...], kind: torch.dtype) -> None:
    model = tiny.flux(hidden_size=256, num_heads=2)
    mask = torch.rand(shape) < 0.7 if kind is torch.bool else torch.randn(shape)

    def masked(executor: Callable, *args, **kwargs) -> Tensor:
        return executor(*args, **{**kwargs, "attention_mask": mask})

    model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "mask", masked)
    assert_exact(same_input(model))  # both sides of CFG are one batch of two


@pytest.mark.parametrize("side", ["input", "output"])
def test_with_controlnet_residuals(side: str) -> None:
    control = controlnet(depth=1, single=0 if side == "input" else 2)
    size = (16, 24)  # the host's own pixel ControlNet cannot do odd ones
    hint = torch.rand(1, 3, 8 * size[0], 8 * size[1])
    positive = conditioning(1, control=control.set_cond_hint(hint), control_apply_to_uncond=True)
    plain, controlled = same_input(tiny.flux(), size=size), same_input(tiny.flux(), positive, size=size)
    assert (plain.native[0] - controlled.native[0]).abs().max() > 0.1
    assert_exact(controlled)
