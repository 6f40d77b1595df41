"""Under a mask, or with predictions taken apart below us: runs interrupted, broken, repeated, copied, bypassed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field

import comfy.model_management
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.nested_tensor import NestedTensor
from comfy.patcher_extension import WrappersMP
from comfyui_jano.jano.adapters.settings import JanoSettings, report_of
from comfyui_jano.tests.host import tiny, tiny_others
from comfyui_jano.tests.host.devices import split
from comfyui_jano.tests.host.test_other_guidance import PLACES
from comfyui_jano.tests.host.tiny import conditioning, sample, wan, with_scheduler
from comfyui_jano.tests.host.whole.test_error_control import ANY_ERROR, NO_ERROR
from comfyui_jano.tests.host.windows import windowed
from torch import Tensor

STEPS = 12


@dataclass
class Case:
    """A MODEL without Jano, how it is sampled, and where the host's options can be copied deep."""

    model: ModelPatcher
    run: dict[str, object] = field(default_factory=dict)
    copies: tuple[str, ...] = tuple(PLACES)

    def sampled(self, model: ModelPatcher, **changes: object) -> Tensor:
        return sample(model, STEPS, 3.0, **{**self.run, **changes})

    def accelerated(self, custom: dict = ANY_ERROR) -> ModelPatcher:
        return with_scheduler(self.model, "custom", custom)


def in_windows() -> Case:
    return Case(windowed(wan()), {"size": (9, 8, 6)})


def audio_with_video() -> Case:
    model, empty = tiny_others.audio_with_video()
    prompts = {"positive": conditioning(1, frame_rate=25), "negative": conditioning(2, frame_rate=25)}
    return Case(model, {"latent": empty, **prompts})


def over_devices() -> Case:
    """The host's threads are among its options while it samples, and nothing copies those."""
    return Case(split(tiny.flux), copies=("the clone", "outer"))


def under_a_mask() -> Case:
    latent, mask = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(4)), torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 16:48] = 1.0
    return Case(tiny.flux(), {"latent": latent, "noise_mask": mask})


CASES = {
    "noise mask": under_a_mask,
    "context windows": in_windows,
    "audio with video": audio_with_video,
    "two devices": over_devices,
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


def parts(samples: Tensor) -> list[Tensor]:
    return samples.unbind() if getattr(samples, "is_nested", False) else [samples]


def same(some: Tensor, others: Tensor) -> bool:
    return all(torch.equal(one, other) for one, other in zip(parts(some), parts(others), strict=True))


class Broken:
    """Another pack's APPLY_MODEL wrapper: fails at one call. Weak references to the runs that it saw, and to what the
    transformer said."""

    def __init__(self, call: int | None = None, error: type[Exception] = ValueError) -> None:
        self.left, self.error, self.seen = call, error, []

    def __call__(self, executor: Callable, x: Tensor, *args: object, **kwargs: object) -> Tensor:
        active = args[4]["jano"]
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise self.error("broken")
        output = executor(x, *args, **kwargs)
        self.seen += map(weakref.ref, (active.run, active.run.engine, output))
        return output

    def alive(self) -> list:
        gc.collect()
        return [type(ref()) for ref in self.seen if ref() is not None]


def watched(
    model: ModelPatcher, call: int | None = None, error: type[Exception] = ValueError
) -> tuple[ModelPatcher, Broken]:
    clone, broken = model.clone(), Broken(call, error)
    clone.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "watch", broken)
    return clone, broken


def interrupted(case: Case, model: ModelPatcher) -> None:
    def interrupt(step: int, *_: object) -> None:
        if step == STEPS // 2:
            comfy.model_management.interrupt_current_processing()

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        case.sampled(model, callback=interrupt)


def test_nothing_tolerated_is_no_node(case: Case) -> None:
    assert same(case.sampled(case.accelerated(NO_ERROR)), case.sampled(case.model))


def test_everything_tolerated_leaves_steps_out(case: Case) -> None:
    model = case.accelerated()
    report = report_of(model, case.sampled(model))
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    assert [record.computed_tokens > 0 for record in report.steps].count(False) == STEPS - 6


ERRORS = {"broken": ValueError, "out of memory": comfy.model_management.OOM_EXCEPTION}
ENDS = ("complete", "interrupted", *ERRORS)


@pytest.mark.parametrize("end", ENDS)
def test_however_a_run_ends_nothing_of_it_stays(case: Case, end: str) -> None:
    model, broken = watched(case.accelerated(), 5 if end in ERRORS else None, ERRORS.get(end))
    if end == "interrupted":
        interrupted(case, model)
    elif end in ERRORS:
        with pytest.raises(ERRORS[end], match="broken"):
            case.sampled(model)
    else:
        case.sampled(model)
    assert broken.seen
    assert broken.alive() == []
    assert isinstance(model.model_options["transformer_options"]["jano"], JanoSettings)


@pytest.mark.parametrize("end", ENDS)
def test_the_next_prompt_is_as_if_it_were_the_first(case: Case, end: str) -> None:
    model = case.accelerated()
    expected = case.sampled(model)
    if end == "interrupted":
        interrupted(case, model)
    elif end in ERRORS:
        with pytest.raises(ERRORS[end], match="broken"):
            case.sampled(watched(model, 5, ERRORS[end])[0])
    else:
        case.sampled(model, seed=8)
    assert same(case.sampled(model), expected)


def test_bypassed_the_model_is_as_it_was(case: Case) -> None:
    expected = case.sampled(case.model)
    before = {name: value for name, value in case.model.model_options.items() if name != "transformer_options"}
    case.sampled(case.accelerated())
    assert same(case.sampled(case.model), expected)
    after = {name: value for name, value in case.model.model_options.items() if name != "transformer_options"}
    assert after == before
    assert "jano" not in case.model.model_options["transformer_options"]


def test_other_packs_may_copy_the_options_deep(case: Case) -> None:
    plain = case.accelerated()
    expected = case.sampled(plain)
    without = report_of(plain, expected)
    for where in case.copies:
        model = case.accelerated()
        PLACES[where](model)
        samples = case.sampled(model)
        assert same(samples, expected), where
        report = report_of(model, samples)
        assert (report.verdict, report.fallbacks) == ("accelerated", [])
        assert report.computed_token_fraction == without.computed_token_fraction


def test_under_a_mask_the_sound_may_be_held_and_the_clip_not() -> None:
    """The host packs the masks as it packs the parts; what is held counts for nothing."""
    case = audio_with_video()
    clip, sound = (torch.randn(part.shape) for part in case.run["latent"].unbind())
    masks = NestedTensor((torch.ones(1, 1, 2, 4, 3), torch.zeros(1, 1, 6, 16)))
    held = {"latent": NestedTensor((clip, sound)), "noise_mask": masks}
    assert same(case.sampled(case.accelerated(NO_ERROR), **held), case.sampled(case.model, **held))
    model = case.accelerated()
    samples = case.sampled(model, **held)
    assert report_of(model, samples).verdict == "accelerated"
    assert torch.allclose(samples.unbind()[1], sound, atol=1e-5)
