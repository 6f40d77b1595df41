"""References that see only themselves: their keys and values are the same in every step, for every prompt and seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import ReferenceConfig
from comfyui_jano.tests.host.references.models import MODELS, PICTURE, SEVERAL, flux2, references
from comfyui_jano.tests.host.tiny import conditioning, sample, with_scheduler
from torch import Tensor

CAN = ("flux.2", "qwen", "krea")


class Kept:
    """Another pack's APPLY_MODEL wrapper: a copy of all that is kept after every call."""

    def __init__(self) -> None:
        self.snapshots: list[dict] = []

    def __call__(self, executor: Callable, *args: object, **kwargs: object) -> Tensor:
        output = executor(*args, **kwargs)
        cache = args[5]["jano"].run.references.cache
        self.snapshots.append({key: line.last for blocks in cache._lines.values() for key, line in blocks.items()})
        return output


def kept_by(
    model: ModelPatcher, seed: int, prompt: int, latents: list[Tensor], **options: object
) -> tuple[list, object]:
    scheduled = with_scheduler(model, "balanced", references=ReferenceConfig("isolated"))
    kept = Kept()
    scheduled.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "kept", kept)
    sides = {
        side: conditioning(number, reference_latents=latents)
        for number, side in ((prompt, "positive"), (prompt + 1, "negative"))
    }
    samples = sample(scheduled, steps=4, cfg=3.0, seed=seed, **sides, **options)
    return kept.snapshots, report_of(scheduled, samples)


@pytest.mark.parametrize("name", CAN)
def test_they_depend_on_nothing_but_themselves(name: str) -> None:
    cells = MODELS[name].cells
    model = MODELS[name].make()
    latents = references(model, cells, *SEVERAL)
    first, report = kept_by(model, 1, 1, latents, size=cells)
    other, _ = kept_by(model, 2, 5, latents, size=cells, scheduler="beta", denoise=0.6)
    assert report.references.stored == {0}
    assert first[0].keys() == other[0].keys() != set()
    for layer, kept in first[0].items():
        assert (kept.keys.data - other[0][layer].keys.data).abs().max() <= 1e-5
        assert (kept.values.data - other[0][layer].values.data).abs().max() <= 1e-5


def test_both_sides_of_the_guidance_share_one_copy() -> None:
    model = flux2()
    latents = references(model, PICTURE, *SEVERAL)
    _, alone = kept_by(model, 1, 1, latents)
    once = with_scheduler(model, "balanced", references=ReferenceConfig("once"))
    sides = {side: conditioning(seed, reference_latents=latents) for seed, side in ((1, "positive"), (2, "negative"))}
    twice = report_of(once, sample(once, steps=4, cfg=3.0, **sides))
    assert 2 * alone.references.bytes_peak == twice.references.bytes_peak


def test_another_picture_is_another_key() -> None:
    model = flux2()
    latents = references(model, PICTURE, (8, 6))
    one, _ = kept_by(model, 1, 1, latents)
    two, _ = kept_by(model, 1, 1, [latents[0] + 1e-3])
    layer = next(iter(one[0]))
    assert not torch.equal(one[0][layer].keys.data, two[0][layer].keys.data)


def test_it_is_the_attention_that_a_mask_of_the_host_would_give() -> None:
    """The host computes the same where a mask keeps references from seeing anything else, at time zero."""
    model = flux2()
    latents = references(model, PICTURE, (8, 6))
    text, main, alone = 512, 17 * 13, 48  # the host pads the text
    mask = torch.zeros(text + main + alone, text + main + alone)
    mask[-alone:, :-alone] = torch.finfo(mask.dtype).min

    def masked(executor: Callable, *args: object, **kwargs: object) -> Tensor:
        return executor(*args, **{**kwargs, "attention_mask": mask})

    twin = model.clone()
    twin.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "mask", masked)
    said = {"reference_latents": latents, "reference_latents_method": "index_timestep_zero"}
    sides = {side: conditioning(seed, **said) for seed, side in ((1, "positive"), (2, "negative"))}
    wanted = sample(twin, steps=4, cfg=3.0, **sides)
    isolated = with_scheduler(model, "balanced", references=ReferenceConfig("isolated"))
    torch.testing.assert_close(sample(isolated, steps=4, cfg=3.0, **sides), wanted, atol=2e-5, rtol=0)
    plain = sample(model, steps=4, cfg=3.0, **sides)
    assert (plain - wanted).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["kontext", "mage", "joy", "bernini", "omnigen", "z-image omni", "fun"])
def test_models_that_cannot_have_references_at_time_zero_are_refused(name: str) -> None:
    made = MODELS[name]
    model = made.make()
    options = {"steps": 4, "size": made.cells, **made.sides(model)}
    scheduled = with_scheduler(model, "balanced", references=ReferenceConfig("isolated"))
    samples = sample(scheduled, **options)
    report = report_of(scheduled, samples)
    assert "cannot be told to have them at time zero" in report.notes[0]
    assert torch.equal(samples, sample(model, **options))
