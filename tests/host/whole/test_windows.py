"""Whole steps of long clips are skipped above their context windows: what is forecast is what the windows blend to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from comfy.context_windows import ContextFuseMethods, ContextSchedules, IndexListContextHandler
from comfy.model_patcher import ModelPatcher
from comfy.nested_tensor import NestedTensor
from comfyui_jano.jano.adapters.patch import analyze
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import AnalyzerConfig
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.test_tiny_wan import PROMPTS, conditioning, tiny_wan  # noqa: F401 (a fixture)
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from comfyui_jano.tests.host.tiny_others import audio_with_video
from comfyui_jano.tests.host.whole.test_error_control import ANY_ERROR, NO_ERROR
from comfyui_jano.tests.host.windows import windowed
from torch import Tensor

CLIP = {"size": (9, 8, 6), "cfg": 3.0}
TOKENS_A_FRAME = 4 * 3
SIDES = ("positive", "negative")
KINDS = {
    "static": {},
    "uniform": {"schedule": ContextSchedules.UNIFORM_STANDARD},
    "looped": {"schedule": ContextSchedules.UNIFORM_LOOPED},
    "batched": {"schedule": ContextSchedules.BATCHED},
    "relative": {"fuse": ContextFuseMethods.RELATIVE},
    "freenoise": {"freenoise": True},
}


@contextmanager
def tokens_seen(model: ModelPatcher) -> Iterator[list[int]]:
    """The tokens that each call of the transformer was given, over all of its rows."""
    seen: list[int] = []

    def note(network: object, args: tuple) -> None:
        seen.append(args[0].shape[0] * args[0].shape[2] * TOKENS_A_FRAME)

    hook = model.model.diffusion_model.register_forward_pre_hook(note)
    yield seen
    hook.remove()


@pytest.mark.parametrize("kind", KINDS)
def test_where_no_error_is_tolerated_the_clip_is_that_without_the_node(wan: ModelPatcher, kind: str) -> None:
    model = windowed(wan, **KINDS[kind])
    expected = sample(model, 9, **CLIP)
    assert not torch.equal(expected, sample(wan, 9, **CLIP))
    assert torch.equal(sample(with_scheduler(model, "custom", NO_ERROR), 9, **CLIP), expected)
    assert torch.equal(sample(analyze(model, AnalyzerConfig()), 9, **CLIP), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_is_forecast_spares_every_window(wan: ModelPatcher, kind: str) -> None:
    model = with_scheduler(windowed(wan, **KINDS[kind]), "custom", ANY_ERROR)
    with tokens_seen(wan) as seen:
        report = report_of(model, sample(model, 20, **CLIP))
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    assert report.computed_token_fraction < 0.5
    skipped = [record for record in report.steps if record.computed_tokens == 0]
    assert len(skipped) > 10
    assert sum(record.computed_tokens for record in report.steps) == sum(seen)  # overlaps twice, as they are computed


def test_jano_behind_or_before_the_windows_is_the_same(wan: ModelPatcher) -> None:
    before = with_scheduler(windowed(wan), "custom", ANY_ERROR)
    behind = windowed(with_scheduler(wan, "custom", ANY_ERROR))
    assert torch.equal(sample(before, 12, **CLIP), sample(behind, 12, **CLIP))


def test_the_users_own_windows_are_left_alone(wan: ModelPatcher) -> None:
    model = with_scheduler(windowed(wan), "custom", ANY_ERROR)
    mine = model.model_options["context_handler"]
    before = dict(vars(mine))
    sample(model, 12, **CLIP)
    assert model.model_options["context_handler"] is mine
    assert type(mine) is IndexListContextHandler
    assert vars(mine) == before


class UntilHalf(IndexListContextHandler):
    """Another pack's: windows in the first half of the run only. Laid out in slots, as none of the host's is."""

    __slots__ = ("asked",)

    def should_use_context(self, model: object, conds: list, x: Tensor, timestep: Tensor, options: dict) -> bool:
        return float(timestep[0]) > 0.5


def with_windows_until_half(model: ModelPatcher) -> ModelPatcher:
    clone = windowed(model)
    own = clone.model_options["context_handler"]
    half = object.__new__(UntilHalf)
    half.__dict__.update(vars(own))
    clone.model_options["context_handler"] = half
    return clone


def test_windows_that_end_in_mid_run_are_another_question(wan: ModelPatcher) -> None:
    half = with_windows_until_half(wan)
    expected = sample(half, 20, **CLIP)
    assert torch.equal(sample(with_scheduler(half, "custom", NO_ERROR), 20, **CLIP), expected)
    model = with_scheduler(half, "custom", ANY_ERROR)
    with tokens_seen(wan) as seen:
        report = report_of(model, sample(model, 20, **CLIP))
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    turn = next(record.step for record in report.steps if record.sigma <= 0.5)
    assert [record.computed_share for record in report.steps[turn : turn + 2]] == [1.0, 1.0]  # what a line takes
    assert sum(record.computed_tokens for record in report.steps) == sum(seen)
    whole = 2 * 9 * TOKENS_A_FRAME
    assert {record.all_tokens for record in report.steps[turn:]} == {whole}
    assert min(record.all_tokens for record in report.steps[:turn]) > whole


def test_several_prompts_are_each_asked_of_its_windows(wan: ModelPatcher) -> None:
    prompts = {"positive": tiny.conditioning(1) + tiny.conditioning(3)}
    model = windowed(wan)
    expected = sample(model, 9, **CLIP, **prompts)
    assert torch.equal(sample(with_scheduler(model, "custom", NO_ERROR), 9, **CLIP, **prompts), expected)


def test_windows_of_a_clip_with_sound() -> None:
    model, _ = audio_with_video()
    model = windowed(model, 3, 1)
    latent = NestedTensor((torch.zeros(1, 128, 5, 4, 3), torch.zeros(1, 8, 15, 16)))
    run = {"latent": latent, **{side: tiny.conditioning(seed, frame_rate=25) for seed, side in enumerate(SIDES, 1)}}
    expected, again = (sample(each, 12, 3.0, **run) for each in (model, with_scheduler(model, "custom", NO_ERROR)))
    assert all(torch.equal(*pair) for pair in zip(expected.unbind(), again.unbind(), strict=True))
    accelerated = with_scheduler(model, "custom", ANY_ERROR)
    report = report_of(accelerated, sample(accelerated, 12, 3.0, **run))
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    assert report.level_map.grid.latent == (5, 4, 3)


def test_a_handler_that_cannot_be_stood_in_for_is_native_and_says_so(wan: ModelPatcher) -> None:
    """Another pack has put an `execute` of its own onto the object itself."""
    model = windowed(wan)
    handler = model.model_options["context_handler"]
    handler.execute = handler.execute
    expected = sample(model, 12, **CLIP)
    accelerated = with_scheduler(model, "custom", ANY_ERROR)
    clip = sample(accelerated, 12, **CLIP)
    assert torch.equal(clip, expected)
    report = report_of(accelerated, clip)
    assert (report.verdict, report.fallbacks) == ("native", ["another node evaluates parts of the latent"])


def test_of_a_trained_model_the_clip_is_closer_than_fewer_steps(tiny_wan: ModelPatcher) -> None:  # noqa: F811
    """9 latent frames in windows of 5, as the prototype had it (78 of 144 rows at 45.0 dB); here 78 rows at 43.5."""
    run = {
        "sampler": "uni_pc",
        "cfg": 5.0,
        "size": (9, 16, 16),
        "positive": conditioning(PROMPTS[1]),
        "negative": conditioning(""),
    }
    model = windowed(tiny_wan, 5, 2)
    full, fewer = sample(model, 24, **run), sample(model, 14, **run)
    accelerated = with_scheduler(model, "balanced")
    rows: list[int] = []
    hook = tiny_wan.model.diffusion_model.register_forward_pre_hook(lambda _, args: rows.append(args[0].shape[0]))
    clip = sample(accelerated, 24, **run)
    hook.remove()
    assert report_of(accelerated, clip).fallbacks == []
    assert sum(rows) <= 14 * 6
    assert decibels(clip, full) > 38.0
    assert decibels(clip, full) > decibels(fewer, full) + 6.0


def decibels(clip: Tensor, reference: Tensor) -> float:
    """PSNR of latents, by the reference's own range."""
    span = reference.max() - reference.min()
    return (10 * torch.log10(span.square() / (clip - reference).square().mean())).item()
