"""Runs with references that are interrupted, run out of memory, or meet other packs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import comfy.model_management
import comfy.supported_models
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_flux import FluxKVCache
from comfyui_jano.jano import storage
from comfyui_jano.jano.adapters.references import attention
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import ReferenceConfig
from comfyui_jano.jano.references import kv_cache
from comfyui_jano.jano.show.headline import summary
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.tests.host import tiny, tiny_others
from comfyui_jano.tests.host.devices import split
from comfyui_jano.tests.host.references.models import flux2, references
from comfyui_jano.tests.host.references.test_runs import edit, run
from comfyui_jano.tests.host.tiny import conditioning, sample, with_scheduler
from comfyui_jano.tests.host.windows import windowed
from torch import Tensor

RUN = {"steps": 4, "cfg": 3.0}


def native(model: ModelPatcher, **options: object) -> Tensor:
    return sample(model, **{**RUN, **edit(model), **options})


def once(model: ModelPatcher, choice: str = "once", **options: object) -> tuple[Tensor, RunReport]:
    return run(model, choice, **{**RUN, **edit(model), **options})


def out_of_memory(monkeypatch: pytest.MonkeyPatch, *storages: str) -> None:
    """These storages have no room."""
    packed = storage.packed

    def pack(x: Tensor, kind: str, dim: int) -> storage.Packed:
        if kind in storages:
            raise torch.cuda.OutOfMemoryError("no room")
        return packed(x, kind, dim)

    monkeypatch.setattr(kv_cache, "packed", pack)


@pytest.mark.parametrize("full", [(), ("device",), ("device", "fp8")])
def test_where_memory_runs_out_the_next_storage_keeps_them(
    flux: ModelPatcher, monkeypatch: pytest.MonkeyPatch, full: tuple[str, ...]
) -> None:
    out_of_memory(monkeypatch, *full)
    _, report = once(flux)
    assert report.references.storage == ("device", "fp8", "cpu")[len(full)]
    assert report.references.stored == {len(full)}
    assert report.references.frozen == set(range(len(full) + 1, 4))


def test_without_any_memory_every_step_computes_them(flux: ModelPatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    out_of_memory(monkeypatch, *storage.STORAGES)
    samples, report = once(flux)
    assert torch.equal(samples, native(flux))
    assert report.references.frozen == set()
    assert "references are computed at every step: there is not enough memory" in summary(report)


@pytest.mark.parametrize("step", [0, 1, 2])
def test_an_interrupt_leaves_nothing_behind(flux: ModelPatcher, step: int) -> None:
    seen: list[weakref.ref] = []

    def watch(executor: Callable, *args: object, **kwargs: object) -> Tensor:
        output = executor(*args, **kwargs)
        references = args[5]["jano"].run.references
        seen.extend(map(weakref.ref, (references, references.cache)))
        return output

    def interrupt(at: int, *_: object) -> None:
        if at == step:
            comfy.model_management.interrupt_current_processing()

    scheduled = with_scheduler(flux, "balanced", references=ReferenceConfig("once"))
    whole = sample(scheduled, **RUN, **edit(flux))
    scheduled.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "watch", watch)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sample(scheduled, **RUN, **edit(flux), callback=interrupt)
    gc.collect()
    assert seen
    assert [ref() for ref in seen if ref() is not None] == []
    assert torch.equal(sample(scheduled, **RUN, **edit(flux)), whole)


@pytest.mark.parametrize("call", [0, 1, 2])
def test_an_error_in_the_model_is_the_hosts(flux: ModelPatcher, call: int) -> None:
    calls = iter(range(100))

    def broken(executor: Callable, *args: object, **kwargs: object) -> Tensor:
        if next(calls) == call:
            raise torch.cuda.OutOfMemoryError("no room")
        return executor(*args, **kwargs)

    scheduled = with_scheduler(flux, "balanced", references=ReferenceConfig("once"))
    broken_one = scheduled.clone()
    broken_one.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "broken", broken)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        sample(broken_one, **RUN, **edit(flux))
    assert torch.equal(sample(scheduled, **RUN, **edit(flux)), once(flux)[0])


def test_attention_that_another_pack_replaces_is_not_told_of_references(flux: ModelPatcher, monkeypatch) -> None:
    """Its blocks never call the host's attention: nothing can be kept, and all is computed."""
    import comfy.ldm.flux.math as of_flux

    plain = of_flux.optimized_attention.__wrapped__

    def elsewhere(*args: object, transformer_options: object, **kwargs: object) -> Tensor:
        return plain(*args, **kwargs)

    monkeypatch.setattr(of_flux, "optimized_attention", elsewhere)
    samples, report = once(flux)
    assert torch.equal(samples, native(flux))
    assert "do not call the host's attention as Jano knows it" in report.notes[-1]
    assert report.references.frozen == set()


def test_attention_in_slices_is_computed_in_full(flux: ModelPatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    import comfy.ldm.flux.math as of_flux

    whole = of_flux.optimized_attention

    def sliced(q: Tensor, k: Tensor, v: Tensor, heads: int, **kwargs: object) -> Tensor:
        return torch.cat([whole(part, k, v, heads, **kwargs) for part in q.chunk(2, dim=2)], dim=1)

    monkeypatch.setattr(of_flux, "optimized_attention", sliced)
    samples, report = once(flux)
    torch.testing.assert_close(samples, native(flux), atol=1e-5, rtol=0)
    assert report.references.frozen == set()
    assert "do not call the host's attention as Jano knows it" in report.notes[-1]


def test_a_block_that_is_left_out_only_later_is_noticed(flux: ModelPatcher) -> None:
    """Another pack skips a block without a replacement that could be told from others."""
    scheduled, network = with_scheduler(flux, "balanced", references=ReferenceConfig("once")), flux.model
    block, calls = network.diffusion_model.single_blocks[0], iter(range(100))
    forward = block.forward

    def sometimes(x: Tensor, *args: object, **kwargs: object) -> Tensor:
        return x if next(calls) % 2 else forward(x, *args, **kwargs)

    block.forward = sometimes
    try:
        samples = sample(scheduled, **{**RUN, "cfg": 1.0}, **edit(flux))
    finally:
        del block.forward
    report = report_of(scheduled, samples)
    assert report.references.frozen == set()
    assert "references are computed at every step" in report.notes[-1]


def test_tokens_that_another_pack_adds_are_not_taken_for_references(flux: ModelPatcher) -> None:
    """Only beside references: the call without them is then a shorter one than what was kept belongs to."""

    def longer(
        executor: Callable, x: Tensor, timestep: Tensor, context: Tensor, *args: object, **kwargs: object
    ) -> Tensor:
        with_references = any(isinstance(arg, list) for arg in (*args, *kwargs.values()))
        context = torch.cat([context, context[:, :2]], 1) if with_references else context
        return executor(x, timestep, context, *args, **kwargs)

    model = flux.clone()
    model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "longer", longer)
    samples, report = once(model)
    assert torch.equal(samples, native(model))
    assert "do not fit those that were kept" in report.notes[-1]


def test_a_device_without_eight_bits_keeps_them_in_main_memory(
    flux: ModelPatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = storage.packed

    def pack(x: Tensor, kind: str, dim: int) -> storage.Packed:
        if kind == "fp8":
            raise TypeError("this device has no float8")
        return packed(x, kind, dim)

    monkeypatch.setattr(kv_cache, "packed", pack)
    _, report = once(flux, cache="fp8")
    assert report.references.storage == "cpu"
    assert report.references.stored == {1}


def test_a_lora_that_is_scheduled_makes_them_anew(flux: ModelPatcher) -> None:
    import comfy.hooks

    weight = "diffusion_model.single_blocks.0.linear1.weight"
    shape = flux.model.diffusion_model.single_blocks[0].linear1.weight.shape
    hooks = comfy.hooks.create_hook_lora({}, 1.0, 1.0)
    hook = hooks.hooks[0]
    hook.weights, hook.need_weight_init = {weight: (torch.randn(shape) * 0.05,)}, False
    keyframes = comfy.hooks.HookKeyframeGroup()
    keyframes.add(comfy.hooks.HookKeyframe(strength=1.0, start_percent=0.0))
    keyframes.add(comfy.hooks.HookKeyframe(strength=0.2, start_percent=0.5))
    hook.hook_keyframe = keyframes
    sides = edit(flux)
    for side in sides.values():
        side[0][1]["hooks"] = hooks
    _, report = run(flux, "once", steps=8, cfg=3.0, **sides)
    assert len(report.references.stored) == 2


def test_the_hosts_own_cache_on_the_model_is_named() -> None:
    model = FluxKVCache.execute(flux2()).result[0]
    samples, report = once(model)
    assert "FluxKVCache" in report.notes[0]
    assert report.references is None
    assert torch.equal(samples, native(FluxKVCache.execute(flux2()).result[0]))


def test_classes_that_are_not_known_are_named() -> None:
    made = tiny_others.OTHERS["Ernie-Image"].make()
    kept = [torch.randn(1, 16, 8, 8)]
    sides = {side: conditioning(seed, reference_latents=kept) for seed, side in ((1, "positive"), (2, "negative"))}
    scheduled = with_scheduler(made, "balanced", references=ReferenceConfig("auto"))
    samples = sample(scheduled, steps=4, size=(16, 16), **sides)
    report = report_of(scheduled, samples)
    assert "leaving them out needs a model class that Jano knows" in report.notes[0]
    assert torch.equal(samples, sample(made, steps=4, size=(16, 16), **sides))


def test_what_the_host_keeps_by_itself_is_left_to_it() -> None:
    """This host has no Qwen-Image 2.1: a class that is called as its."""
    model, name = tiny.qwen(), "QwenImage21Transformer2DModel"
    network, size = model.model.diffusion_model, (1, 16, 16)
    network.__class__ = type(name, (type(network),), {})
    sides = edit_of(model, size)
    scheduled = with_scheduler(model, "balanced", references=ReferenceConfig("once"))
    samples = sample(scheduled, steps=3, size=size, **sides)
    report = report_of(scheduled, samples)
    assert report.references is None
    assert f"ComfyUI itself keeps what never changes in {name}" in report.notes[0]
    assert torch.equal(samples, sample(model, steps=3, size=size, **sides))


def edit_of(model: ModelPatcher, cells: tuple[int, ...]) -> dict[str, list]:
    kept = references(model, cells, (8, 6))
    return {side: conditioning(seed, reference_latents=kept) for seed, side in ((1, "positive"), (2, "negative"))}


def test_over_several_devices_every_step_computes_them() -> None:
    model = split(flux2)
    _, report = run(model, "once", **RUN, **edit(model))
    assert "the model is split over several GPUs" in report.notes[0]


def test_in_context_windows_every_step_computes_them() -> None:
    model = windowed(tiny.wan())
    kept = [torch.randn(1, 16, 1, 8, 6)]
    sides = {side: conditioning(seed, context_latents=kept) for seed, side in ((1, "positive"), (2, "negative"))}
    _, report = run(model, "once", steps=4, size=(9, 8, 6), **sides)
    assert "context windows are on" in report.notes[0]


def test_by_level_every_step_computes_them(flux: ModelPatcher) -> None:
    scheduled = with_scheduler(flux, "custom", references=ReferenceConfig("once"))
    report = report_of(scheduled, sample(scheduled, **{**RUN, "steps": 12}, **edit(flux)))
    assert "intervals by level leave out tokens of the picture alone" in report.notes[0]
    assert report.verdict == "accelerated"


def test_a_part_of_the_latent_sees_its_own_references(flux: ModelPatcher) -> None:
    """An area conditioning is computed in full, the others freeze."""
    sides = edit(flux)
    kept = sides["positive"][0][1]["reference_latents"]
    sides["positive"] += conditioning(9, reference_latents=kept, area=(8, 8, 0, 0), strength=0.8)
    samples, report = run(flux, "once", **RUN, **sides)
    assert torch.isfinite(samples).all()
    assert any("covers only part of the latent" in note for note in report.notes)
    assert report.references.frozen == {1, 2, 3}


def test_the_tap_is_one_object_however_options_are_copied() -> None:
    import copy

    tap = attention.ReferenceTap(None, None)
    assert copy.deepcopy(tap) is tap
