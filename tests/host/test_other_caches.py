"""Other packs' caches on the same MODEL: Jano stands aside and names them. The host's own nodes are run; of the others
the way into the model is made after what their sources say, with a rule of our own for when to repeat an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from unittest.mock import patch

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode
from comfyui_jano.jano.adapters.patch import analyze
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import AnalyzerConfig
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from torch import Tensor, nn

Cache = Callable[[ModelPatcher], ModelPatcher]


class Repeating:
    """Answers every second call with what was said at the one before."""

    def __init__(self, answer: Callable[..., Tensor]) -> None:
        self.answer, self.calls, self.said = answer, 0, None

    def __call__(self, *args: object, **kwargs: object) -> Tensor:
        self.calls += 1
        if self.calls % 2:
            self.said = self.answer(*args, **kwargs)
        return self.said


def easycache(model: ModelPatcher) -> ModelPatcher:
    return EasyCacheNode.execute(model, 1.0, 0.15, 0.95, False).args[0]


def lazycache(model: ModelPatcher) -> ModelPatcher:
    return LazyCacheNode.execute(model, 1.0, 0.15, 0.95, False).args[0]


def with_forward(model: ModelPatcher) -> Callable[[Callable, dict], Tensor]:
    """TeaCache's, MagCache's and TaylorSeer's way: while the model is called, its `forward_orig` repeats."""
    network = model.model.diffusion_model
    context = patch.multiple(network, forward_orig=Repeating(network.forward_orig))

    def unet_wrapper_function(apply: Callable, call: dict) -> Tensor:
        with context:
            return apply(call["input"], call["timestep"], **call["c"])

    return unet_wrapper_function


def called(qualname: str) -> Cache:
    """What a node's method of this name would put on a model."""

    def apply(model: ModelPatcher) -> ModelPatcher:
        clone, inner = model.clone(), with_forward(model)

        def unet_wrapper_function(apply: Callable, call: dict) -> Tensor:
            return inner(apply, call)

        unet_wrapper_function.__qualname__ = f"{qualname}.<locals>.unet_wrapper_function"
        clone.set_model_unet_function_wrapper(unet_wrapper_function)
        return clone

    return apply


teacache = called("TeaCache.apply_teacache")


def under_another_wrapper(model: ModelPatcher) -> ModelPatcher:
    """One more pack, which calls what it found."""
    clone = teacache(model)
    found = clone.model_options["model_function_wrapper"]

    def another(factor: float, apply: Callable, call: dict) -> Tensor:
        return factor * found(apply, call)

    clone.set_model_unet_function_wrapper(partial(another, 1.0))
    return clone


class ApplyFBCacheOnModel:
    """WaveSpeed's way: what it counts from call to call lies beside its wrapper."""

    def patch(self, model: ModelPatcher) -> ModelPatcher:
        clone, inner, count = model.clone(), with_forward(model), 0

        def model_unet_function_wrapper(apply: Callable, call: dict) -> Tensor:
            nonlocal count
            count += 1
            return inner(apply, call)

        clone.set_model_unet_function_wrapper(model_unet_function_wrapper)
        return clone


def cache_dit(model: ModelPatcher) -> ModelPatcher:
    """CacheDiT's way: the transformer's `forward` is replaced when sampling begins."""

    def outer(executor: Callable, *args: object, **kwargs: object) -> Tensor:
        network = executor.class_obj.model_patcher.model.diffusion_model
        with patch.object(network, "forward", Repeating(network.forward)):
            return executor(*args, **kwargs)

    clone = model.clone()
    clone.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "cache_dit_turbo", outer)
    return clone


CACHES = {
    "EasyCache": easycache,
    "LazyCache": lazycache,
    "TeaCache": teacache,
    "TeaCache, wrapped": under_another_wrapper,
    "MagCache": called("MagCache.apply_magcache"),
    "TaylorSeer": called("TaylorSeerLite.apply_taylorseer_lite"),
    "First Block Cache": ApplyFBCacheOnModel().patch,
    "CacheDiT": cache_dit,
}


def alone_on(model: ModelPatcher, both: ModelPatcher, name: str) -> None:
    """The report of a run of both says that this cache has the model for itself."""
    report = report_of(both, sample(both))
    reason = f"{name.partition(',')[0]} is on the same model (remove one of the two)"
    assert (report.verdict, report.fallbacks) == ("native", [reason])
    assert report.computed_token_fraction == 1.0


@pytest.mark.parametrize("name", CACHES)
@pytest.mark.parametrize("quality", ["draft", "custom"])
@pytest.mark.parametrize("jano_first", [True, False])
def test_another_cache_makes_jano_stand_aside(name: str, quality: str, jano_first: bool, caplog) -> None:
    caplog.set_level(logging.WARNING)
    cache: Cache = CACHES[name]
    picture = sample(cache(tiny.flux()))
    assert not torch.equal(picture, sample(tiny.flux()))  # it did repeat something
    flux = tiny.flux()
    both = cache(with_scheduler(flux, quality)) if jano_first else with_scheduler(cache(flux), quality)
    assert torch.equal(sample(both), picture)
    reason = f"{name.partition(',')[0]} is on the same model (remove one of the two)"
    assert caplog.text.count(reason) == 1
    alone_on(flux, both, name)


def test_an_analysis_stands_aside_too() -> None:
    model = analyze(lazycache(tiny.flux()), AnalyzerConfig())
    alone_on(model, model, "LazyCache")


class FirstBlocks(nn.Module):
    """Where nunchaku keeps how far answers may differ to be repeated."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.residual_diff_threshold_multi = threshold


@pytest.mark.parametrize(("threshold", "verdict"), [(0.12, "native"), (0.0, "accelerated")])
def test_a_model_that_repeats_by_itself(threshold: float, verdict: str) -> None:
    """nunchaku: the threshold of the loader; the transformer keeps an earlier one beside that of its blocks."""
    flux = tiny.flux()
    network = flux.model.diffusion_model
    network.residual_diff_threshold_multi = 0.12 - threshold
    network.cached_transformer_blocks = nn.ModuleList([FirstBlocks(threshold)])
    model = with_scheduler(flux, "custom", {"tolerance": 1e6})
    report = report_of(model, sample(model))
    assert report.verdict == verdict
    told = ["nunchaku's cache (cache_threshold above 0) is on the same model (remove one of the two)"]
    assert report.fallbacks == (told if verdict == "native" else [])


def test_a_forward_that_a_cache_left_behind() -> None:
    """CacheDiT leaves its own on the transformer when its node is gone."""
    flux = tiny.flux()
    network = flux.model.diffusion_model

    def enable_cache_dit() -> Callable[..., Tensor]:
        repeating = Repeating(network.forward)

        def cached_forward(*args: object, **kwargs: object) -> Tensor:
            return repeating(*args, **kwargs)

        return cached_forward

    network.forward = enable_cache_dit()
    alone_on(flux, with_scheduler(flux, "draft"), "CacheDiT")


def test_what_another_pack_does_beside_caching_is_no_reason() -> None:
    """Its own forward, as PuLID has one, and a wrapper of its own."""
    flux = tiny.flux()
    network = flux.model.diffusion_model
    network.forward_orig = partial(type(network).forward_orig, network)
    flux.set_model_unet_function_wrapper(lambda apply, call: apply(call["input"], call["timestep"], **call["c"]))
    model = with_scheduler(flux, "custom", {"tolerance": 1e6})
    report = report_of(model, sample(model))
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
