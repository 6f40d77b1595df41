"""Other nodes on the same MODEL keep working, before and after Jano in the chain; those that cannot are refused."""

from __future__ import annotations

from collections.abc import Callable

import comfy.sample
import comfy.samplers
import comfy.sd
import pytest
import torch
from comfy.ldm.wan.model_multitalk import InfiniteTalkOuterSampleWrapper
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.levels.map import Level
from comfyui_jano.tests.host.passes import assert_exact, same_input
from comfyui_jano.tests.host.tiny import conditioning, empty_latent, level_map, sample, with_scheduler
from torch import Tensor
from torch._dynamo.testing import CompileCounter

ANY_ERROR = {"tolerance": 1e6}
EVERY_STEP = {"static_interval": 1, "moderate_interval": 1}
OVERRIDE = "optimized_attention_override"


# --- wrappers


@pytest.mark.parametrize("kind", [WrappersMP.PREDICT_NOISE, WrappersMP.APPLY_MODEL, WrappersMP.DIFFUSION_MODEL])
@pytest.mark.parametrize("jano_first", [True, False])
def test_another_packs_wrapper_keeps_its_effect(flux: ModelPatcher, kind: str, jano_first: bool) -> None:
    alone = flux.clone()
    alone.add_wrapper_with_key(kind, "another pack", louder)
    if jano_first:
        both = with_scheduler(flux, "custom", EVERY_STEP)
        both.add_wrapper_with_key(kind, "another pack", louder)
    else:
        both = with_scheduler(alone, "custom", EVERY_STEP)
    expected = sample(alone)
    assert not torch.equal(expected, sample(flux))
    assert torch.equal(sample(both), expected)


def louder(executor: Callable, *args: object, **kwargs: object) -> Tensor:
    return executor(*args, **kwargs) * 1.01


# --- attention


class Attention:
    """Another pack's attention: scales the values, and notes how many queries and keys it saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def __call__(self, func: Callable, q: Tensor, k: Tensor, v: Tensor, heads: int, *args, **kwargs) -> Tensor:
        self.seen.append((q.shape[2], k.shape[2]))
        return func(q, k, 1.1 * v, heads, *args, **kwargs)


def with_attention(model: ModelPatcher) -> tuple[ModelPatcher, Attention]:
    attention, clone = Attention(), model.clone()
    clone.model_options["transformer_options"][OVERRIDE] = attention
    return clone, attention


def test_another_packs_attention_keeps_its_effect(flux: ModelPatcher) -> None:
    model, _ = with_attention(flux)
    expected = sample(model)
    assert not torch.equal(expected, sample(flux))
    assert torch.equal(sample(with_scheduler(model, "custom", EVERY_STEP)), expected)
    assert_exact(same_input(model))


def test_another_packs_attention_sees_few_queries_and_all_keys(flux: ModelPatcher) -> None:
    model, attention = with_attention(flux)
    passes = same_input(model)
    everything = 8 + 63
    chosen = 8 + round(63 * passes.share)
    assert set(attention.seen) == {(everything, everything), (chosen, everything)}


# --- LoRA


def with_lora(model: ModelPatcher) -> ModelPatcher:
    """A LoRA of rank 4 on an attention and an MLP layer, as LoraLoaderModelOnly puts it on."""
    weights = {}
    for layer, outputs, inputs in (("double_blocks.0.img_attn.qkv", 384, 128), ("single_blocks.1.linear2", 128, 640)):
        generator = torch.Generator().manual_seed(outputs)
        weights[f"diffusion_model.{layer}.lora_up.weight"] = torch.randn(outputs, 4, generator=generator)
        weights[f"diffusion_model.{layer}.lora_down.weight"] = torch.randn(4, inputs, generator=generator) / 50
    return comfy.sd.load_lora_for_models(model, None, weights, 1.0, 0.0)[0]


def test_a_lora_works_before_and_after_jano(flux: ModelPatcher) -> None:
    before, after = with_scheduler(with_lora(flux), "custom"), with_lora(with_scheduler(flux, "custom"))
    picture = sample(before)
    assert torch.equal(sample(after), picture)
    assert not torch.allclose(picture, sample(with_scheduler(flux, "custom")), atol=0.1)
    assert report_of(after, picture).verdict == report_of(before, picture).verdict == "accelerated"


def test_a_partial_step_with_a_lora_is_exact(flux: ModelPatcher) -> None:
    assert_exact(same_input(with_lora(flux)))


# --- what runs inside the blocks, or in their place


@pytest.mark.parametrize("patch", ["attn1_patch", "attn1_output_patch", "post_input"])
def test_patches_inside_the_blocks_make_the_run_native(flux: ModelPatcher, patch: str) -> None:
    alone = flux.clone()
    alone.set_model_patch(INSIDE[patch], patch)
    model = with_scheduler(alone, "custom")
    picture = sample(model)
    assert torch.equal(picture, sample(alone))
    assert report_of(model, picture).fallbacks == ["another node patches attention inside the blocks"]


INSIDE = {
    "attn1_patch": lambda q, k, v, pe=None, attn_mask=None, extra_options=None: {
        "q": q,
        "k": k,
        "v": 1.1 * v,
        "pe": pe,
    },
    "attn1_output_patch": lambda attention, extra_options: 1.1 * attention,
    "post_input": lambda args: args,
}


def test_a_pack_that_answers_for_the_transformer_makes_the_rest_native(flux: ModelPatcher) -> None:
    def answer(executor: Callable, x: Tensor, *args: object, **kwargs: object) -> Tensor:
        return 0.1 * x

    alone = flux.clone()
    alone.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "another pack", answer)
    model = with_scheduler(alone, "custom")
    picture = sample(model)
    assert torch.equal(picture, sample(alone))
    assert report_of(model, picture).fallbacks == ["another node answered in place of the transformer"]


def test_an_answer_to_a_partial_step_is_taken_for_its_tokens_only(flux: ModelPatcher) -> None:
    """Another pack's cache repeats what it saw at a partial step: where tokens were left out, that is garbage."""
    chosen = level_map(flux)
    active = chosen.grid.cells(chosen.mask(frozenset({Level.ACTIVE})))
    calls = iter(range(100))

    def repeat(executor: Callable, x: Tensor, *args: object, **kwargs: object) -> Tensor:
        return torch.where(active[0], x, torch.nan) if next(calls) == 5 else executor(x, *args, **kwargs)

    model = with_scheduler(flux, "custom", level_map=chosen)
    model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "another pack", repeat)
    picture = sample(model)
    assert report_of(model, picture).fallbacks == ["another node answered in place of the transformer"]
    assert picture.isfinite().all()


@pytest.mark.parametrize("told", [True, False], ids=["with the conditionings' ids", "without"])
def test_a_pack_that_splits_batches_gets_native_calls(flux: ModelPatcher, told: bool) -> None:
    def one_by_one(apply: Callable, call: dict) -> Tensor:
        options = dict(call["c"]["transformer_options"])
        if not told:
            del options["uuids"], options["cond_or_uncond"]
        rows = zip(call["input"].split(1), call["timestep"].split(1), strict=True)
        kept = {name: value for name, value in call["c"].items() if name != "transformer_options"}
        return torch.cat(
            [
                apply(x, t, **{name: value[i : i + 1] for name, value in kept.items()}, transformer_options=options)
                for i, (x, t) in enumerate(rows)
            ]
        )

    alone = flux.clone()
    alone.set_model_unet_function_wrapper(one_by_one)
    model = with_scheduler(alone, "custom")
    picture = sample(model, cfg=3.0)
    assert torch.equal(picture, sample(alone, cfg=3.0))
    assert report_of(model, picture).fallbacks == ["another node calls the model with batches of its own"]


def test_a_block_with_other_tokens_than_the_rest_makes_the_rest_native(flux: ModelPatcher) -> None:
    def with_one_more(args: dict, extra: dict) -> dict:
        img, pe = args["img"], args["pe"]
        longer = {"img": torch.cat((img, img[:, -1:]), 1), "pe": torch.cat((pe, pe[:, :, -1:]), 2)}
        return {"img": extra["original_block"]({**args, **longer})["img"][:, :-1]}

    alone = flux.clone()
    alone.set_model_patch_replace(with_one_more, "dit", "single_block", 1)
    model = with_scheduler(alone, "custom")
    picture = sample(model)
    assert torch.equal(picture, sample(alone))
    assert report_of(model, picture).fallbacks == ["a block got 64 image tokens where 63 or more were expected"]


# --- where whole steps are skipped


def skips(model: ModelPatcher, **options: object) -> Tensor:
    """A picture that was accelerated without a word."""
    accelerated = with_scheduler(model, "custom", ANY_ERROR)
    picture = sample(accelerated, 20, **options)
    report = report_of(accelerated, picture)
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    assert report.computed_token_fraction < 0.5
    return picture


@pytest.mark.parametrize("patch", ["attn1_patch", "attn1_output_patch", "post_input"])
def test_patches_inside_the_blocks_do_not_mind_skipped_steps(flux: ModelPatcher, patch: str) -> None:
    calls, patched = [], flux.clone()

    def counted(*args: object, **kwargs: object) -> object:
        calls.append(1)
        return INSIDE[patch](*args, **kwargs)

    patched.set_model_patch(counted, patch)
    skips(patched)
    assert calls


def test_the_models_of_infinitetalk_do_not_mind_skipped_steps(wan: ModelPatcher) -> None:
    talking = wan.clone()
    motion = InfiniteTalkOuterSampleWrapper(torch.randn(1, 16, 1, 9, 8), None)
    talking.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "MultiTalk_outer_sample", motion)
    talking.set_model_patch(lambda args: 1.1 * args["x"], "attn2_patch")
    skips(talking, size=(3, 9, 8))


@pytest.mark.parametrize("batch", [1, 2])
def test_packs_that_split_batches_do_not_mind_skipped_steps(flux: ModelPatcher, batch: int) -> None:
    def one_by_one(apply: Callable, call: dict) -> Tensor:
        rows = range(call["input"].shape[0])
        kept = {name: value for name, value in call["c"].items() if isinstance(value, Tensor)}
        rest = {name: value for name, value in call["c"].items() if name not in kept}
        return torch.cat(
            [
                apply(
                    call["input"][row : row + 1],
                    call["timestep"][row : row + 1],
                    **{name: value[row : row + 1] for name, value in kept.items()},
                    **rest,
                )
                for row in rows
            ]
        )

    split = flux.clone()
    split.set_model_unet_function_wrapper(one_by_one)
    skips(split, batch=batch, cfg=3.0)


BLOCKS = ["diffusion_model.double_blocks.0", "diffusion_model.single_blocks.1"]


def test_a_compiled_model_is_compiled_no_more_often(flux: ModelPatcher) -> None:
    def graphs(prepare: Callable[[ModelPatcher], ModelPatcher]) -> int:
        torch._dynamo.reset()
        counter, compiled = CompileCounter(), flux.clone()
        set_torch_compile_wrapper(compiled, backend=counter, keys=BLOCKS)
        model = prepare(compiled)
        for seed in (1, 2):
            picture = sample(model, 20, seed=seed)
        if model is not compiled:
            report = report_of(model, picture)
            assert (report.verdict, report.fallbacks) == ("accelerated", [])
        return counter.frame_count

    without = graphs(lambda model: model)
    assert without > 0
    assert graphs(lambda model: with_scheduler(model, "custom", ANY_ERROR)) <= without


def test_a_sampler_that_evaluates_parts_of_the_latent(flux: ModelPatcher) -> None:
    def by_parts(model: Callable, x: Tensor, sigmas: Tensor, extra_args: dict, **_: object) -> Tensor:
        for sigma, following in zip(sigmas, sigmas[1:], strict=False):
            parts = [model(part, sigma.expand(x.shape[0]), **extra_args) for part in x.split(4, dim=-1)]
            x = x + (following / sigma - 1.0) * (x - torch.cat(parts, dim=-1))
        return x

    def tiled(model: ModelPatcher) -> Tensor:
        latent = empty_latent(model, (16, 24))
        noise, sigmas = comfy.sample.prepare_noise(latent, 7), torch.linspace(1.0, 0.0, 21)
        prompts = conditioning(1), conditioning(2)
        sampler = comfy.samplers.KSAMPLER(by_parts)
        with torch.inference_mode():
            return comfy.sample.sample_custom(model, noise, 1.0, sampler, sigmas, *prompts, latent, disable_pbar=True)

    model = with_scheduler(flux, "custom", ANY_ERROR)
    picture = tiled(model)
    assert torch.equal(picture, tiled(flux))
    report = report_of(model, picture)
    assert (report.verdict, report.fallbacks) == ("native", ["the sampler evaluates parts of the latent"])
