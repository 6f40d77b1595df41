"""A call without its references computes the picture exactly as one with them does, where the input is the same."""

from __future__ import annotations

from collections.abc import Callable

import comfy.samplers
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import ReferenceConfig
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.references.models import MODELS, SEVERAL, references
from comfyui_jano.tests.host.tiny import conditioning, controlnet, with_scheduler
from torch import Tensor

SIGMA = 0.6


OF_REFERENCES = (
    "ref_latents",
    "ref_patches",
    "ref_contexts",
    "siglip_feats",
    "reference_latent",
    "context_latents",
    "time_dim_concat",
    "pose_latents",
)


class Watch:
    """A hook on the network: notes of every call whether references came."""

    def __init__(self) -> None:
        self.calls: list[bool] = []

    def __call__(self, network: object, args: tuple, kwargs: dict) -> None:
        self.calls.append(any(kwargs.get(name) is not None for name in OF_REFERENCES))


def poisoned(conds: list) -> None:
    """Whatever still looks at the references of these conditionings gets NaN."""
    for told in (cond["model_conds"] for side in conds for cond in side):
        for name in told.keys() & set(OF_REFERENCES):
            found = told[name].cond
            is_list = isinstance(found, list)
            told[name].cond = [torch.full_like(x, torch.nan) for x in found] if is_list else found * torch.nan


def same_input(model: ModelPatcher, positive: list, negative: list, batch: int = 1, size: tuple = tiny.ODD, **options):
    """Natively, storing and frozen with the references poisoned, by a sampler that gives every step the same input;
    which calls had references."""
    watch, found = Watch(), {}
    model = with_scheduler(model, "balanced", references=ReferenceConfig("once"), **options)

    def sampler(guided: object, x: Tensor, sigmas: Tensor, extra_args: dict, **_: object) -> Tensor:
        options, guider = extra_args["model_options"], guided.inner_model
        run, conds = options["transformer_options"]["jano"].run, [guider.conds["positive"], guider.conds["negative"]]
        sigma = sigmas[:1].expand(x.shape[0])
        plain = {
            **options,
            "transformer_options": {k: v for k, v in options["transformer_options"].items() if k != "jano"},
        }
        found["native"] = comfy.samplers.calc_cond_batch(guider.inner_model, conds, x, sigma, plain)
        for name, step in (("stored", 0), ("frozen", 1)):
            watch.calls.clear()
            run.begin(sigmas[step].item())
            found[name] = comfy.samplers.calc_cond_batch(guider.inner_model, conds, x, sigma, options)
            found[f"{name} calls"] = list(watch.calls)
            poisoned(conds)
        return x

    ksampler = comfy.samplers.KSAMPLER(sampler)
    latent = tiny.empty_latent(model, size, batch)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(3.0)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(5))
    hook = model.model.diffusion_model.register_forward_pre_hook(watch, with_kwargs=True)
    sigmas = torch.tensor([0.6, 0.4, 0.2, 0.0])
    with torch.inference_mode():
        samples = guider.sample(noise, latent, ksampler, sigmas, disable_pbar=True, seed=1)
    hook.remove()
    found["report"] = report_of(model, samples)
    return found


def assert_exact(seen: dict, tolerance: float = 1e-5) -> None:
    assert not any(seen["report"].notes[1:]), seen["report"].notes
    assert set(seen["stored calls"]) == {True}
    assert set(seen["frozen calls"]) == {False}
    for name in ("stored", "frozen"):
        for ours, native in zip(seen[name], seen["native"], strict=True):
            assert torch.isfinite(ours).all()
            assert (ours - native).abs().max() <= tolerance
    references = seen["report"].references
    assert references.stored == {0}
    assert references.frozen == {1}


METHODS = {
    "kontext": ("offset", "index", "uxo"),
    "flux.2": ("offset", "index", "uxo", "index_timestep_zero"),
    "qwen": ("offset", "index", "negative_index", "index_timestep_zero"),
    "krea": ("index", "index_timestep_zero"),
}
CASES = [(name, method) for name in MODELS for method in METHODS.get(name, (None,))]


@pytest.mark.parametrize(("name", "method"), CASES)
def test_frozen_references_are_seen_as_they_were_computed(name: str, method: str | None) -> None:
    made = MODELS[name]
    model = made.make()
    said = {"reference_latents_method": method} if method else {}
    sides = [made.prompt(model, seed, **said) for seed in (1, 2)]
    assert_exact(same_input(model, *sides, size=made.cells))


@pytest.mark.parametrize("name", MODELS)
def test_in_a_batch_of_two_pictures(name: str) -> None:
    made = MODELS[name]
    model = made.make()
    assert_exact(same_input(model, *made.sides(model).values(), batch=2, size=made.cells))


@pytest.mark.parametrize("name", MODELS)
def test_sides_with_references_of_their_own_do_not_cross(name: str) -> None:
    """Other pictures, another number of them, another length of the text: the host asks for each side by itself."""
    made = MODELS[name]
    model = made.make()
    positive, negative = made.prompt(model, 1), made.prompt(model, 2, few=True)
    assert_exact(same_input(model, positive, negative, size=made.cells))
    assert_exact(same_input(model, negative, positive, size=made.cells))


def test_only_one_side_has_references(flux: ModelPatcher) -> None:
    positive = conditioning(1, reference_latents=references(flux, (17, 13), (8, 6)))
    seen = same_input(flux, positive, conditioning(2))
    assert sorted(seen["stored calls"]) == [False, True]
    assert seen["frozen calls"] == [False, False]
    for ours, native in zip(seen["frozen"], seen["native"], strict=True):
        assert (ours - native).abs().max() <= 1e-5


def test_in_half_precision() -> None:
    model = tiny.flux(torch.bfloat16)
    sides = [conditioning(seed, reference_latents=references(model, (17, 13), *SEVERAL)) for seed in (1, 2)]
    assert_exact(same_input(model, *sides), tolerance=0.05)  # sums may round in other ways


def test_qwen_with_a_mask_of_the_text() -> None:
    """The host sizes it by the picture that it sees: without references those have no columns."""
    model, mask = tiny.qwen(), torch.ones(1, 8, dtype=torch.long)
    mask[:, 5:] = 0
    kept = references(model, (1, 17, 13), *SEVERAL)
    sides = [conditioning(seed, reference_latents=kept, attention_mask=mask) for seed in (1, 2)]
    masked = same_input(model, *sides, size=(1, 17, 13))
    plain = [conditioning(seed, reference_latents=kept) for seed in (1, 2)]
    assert (masked["native"][0] - same_input(model, *plain, size=(1, 17, 13))["native"][0]).abs().max() > 1e-3
    assert_exact(masked)


@pytest.mark.parametrize("kind", [torch.bool, torch.float32])
def test_with_a_mask_over_all_tokens(kind: torch.dtype) -> None:
    model = tiny.flux(hidden_size=256, num_heads=2)
    kept = references(model, (17, 13), (8, 6))
    length = 8 + 63 + 12
    mask = torch.rand(length, length) < 0.7 if kind is torch.bool else torch.randn(length, length)

    def masked(executor: Callable, *args, **kwargs) -> Tensor:
        return executor(*args, **{**kwargs, "attention_mask": mask})

    model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "mask", masked)
    assert_exact(same_input(model, *[conditioning(seed, reference_latents=kept) for seed in (1, 2)]))


def test_another_pack_stands_in_for_attention_too(flux: ModelPatcher) -> None:
    model, lengths = flux.clone(), []

    def attention(func: Callable, q: Tensor, k: Tensor, *args: object, **kwargs: object) -> Tensor:
        lengths.append((q.shape[2], k.shape[2]))
        return func(q, k, *args, **kwargs)

    model.model_options["transformer_options"]["optimized_attention_override"] = attention
    kept = references(model, (17, 13), (8, 6))
    assert_exact(same_input(model, *[conditioning(seed, reference_latents=kept) for seed in (1, 2)]))
    assert set(lengths) == {(83, 83), (71, 83)}


def test_with_controlnet_residuals() -> None:
    model, size = tiny.flux(), (16, 24)  # the host's own pixel ControlNet cannot do odd ones
    hint = torch.rand(1, 3, 8 * size[0], 8 * size[1])
    control = controlnet(depth=1, single=2).set_cond_hint(hint)
    kept = references(model, size, (8, 6))
    sides = [
        conditioning(seed, reference_latents=kept, control=control, control_apply_to_uncond=True) for seed in (1, 2)
    ]
    assert_exact(same_input(model, *sides, size=size))
