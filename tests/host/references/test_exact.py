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
from comfyui_jano.tests.host.tiny import conditioning, with_scheduler
from torch import Tensor

SIGMA = 0.6


class Poison:
    """Another pack's DIFFUSION_MODEL wrapper: notes whether references came, which then must not be computed again."""

    def __init__(self) -> None:
        self.calls: list[bool] = []

    def __call__(self, executor: Callable, *args, **kwargs) -> Tensor:
        self.calls.append(any(isinstance(arg, list) for arg in (*args, *kwargs.values())))
        return executor(*args, **kwargs)


def same_input(model: ModelPatcher, positive: list, negative: list, batch: int = 1, size: tuple = tiny.ODD, **options):
    """Natively, storing and frozen, by a sampler that gives every step the same input; which calls had references."""
    watch, seen = Poison(), {}
    model = with_scheduler(model, "balanced", references=ReferenceConfig("once"), **options)
    model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "watch", watch)

    def sampler(guided: object, x: Tensor, sigmas: Tensor, extra_args: dict, **_: object) -> Tensor:
        options, guider = extra_args["model_options"], guided.inner_model
        run, conds = options["transformer_options"]["jano"].run, [guider.conds["positive"], guider.conds["negative"]]
        sigma = sigmas[:1].expand(x.shape[0])
        plain = {
            **options,
            "transformer_options": {k: v for k, v in options["transformer_options"].items() if k != "jano"},
        }
        seen["native"] = comfy.samplers.calc_cond_batch(guider.inner_model, conds, x, sigma, plain)
        watch.calls.clear()
        for name, step in (("stored", 0), ("frozen", 1)):
            run.begin(sigmas[step].item())
            seen[name] = comfy.samplers.calc_cond_batch(guider.inner_model, conds, x, sigma, options)
            seen[f"{name} calls"] = list(watch.calls)
            watch.calls.clear()
        return x

    ksampler = comfy.samplers.KSAMPLER(sampler)
    latent = tiny.empty_latent(model, size, batch)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(3.0)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        samples = guider.sample(noise, latent, ksampler, torch.tensor([0.6, 0.4, 0.2, 0.0]), disable_pbar=True, seed=1)
    seen["report"] = report_of(model, samples)
    return seen


def assert_exact(seen: dict, tolerance: float = 1e-5) -> None:
    assert not any(seen["report"].notes[1:]), seen["report"].notes
    assert all(seen["stored calls"])
    assert not any(seen["frozen calls"])
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
    make, cells, key = MODELS[name]
    model = make()
    said = {"reference_latents_method": method} if method else {}
    sides = [conditioning(seed, **said, **{key: references(model, cells, *SEVERAL, seed=seed)}) for seed in (1, 2)]
    assert_exact(same_input(model, *sides, size=cells))
