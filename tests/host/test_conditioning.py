"""Conditionings as the host hands them over: together or apart, for a part of the steps or of the picture."""

from __future__ import annotations

from collections.abc import Callable

import comfy.hooks
import comfy.model_patcher
import comfy.samplers
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy_extras.nodes_slg import SkipLayerGuidanceDiT
from comfyui_jano.jano.adapters.keys import chunk_keys
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.show.report import RunReport, StepClass
from comfyui_jano.tests.host.by_level.test_partial_exact import controlnet
from comfyui_jano.tests.host.passes import assert_exact, same_input
from comfyui_jano.tests.host.tiny import conditioning, level_map, sample, with_scheduler
from torch import Tensor

CFG = 4.0
EVERY_STEP = {"static_interval": 1, "moderate_interval": 1}
ANY_ERROR = {"tolerance": 1e6}
# The step before what is asked changes, and from there on: a line has two points.
NEW_QUESTION = [StepClass.SKIPPED, StepClass.FULL, StepClass.FULL, StepClass.SKIPPED]
PART_OF_LATENT = "a conditioning covers only part of the latent (area or window)"


def run(model: ModelPatcher, **options: object) -> tuple[Tensor, RunReport]:
    samples = sample(model, cfg=CFG, **options)
    return samples, report_of(model, samples)


def limited(conds: list, **limits: object) -> list:
    """The conditioning for some steps or a part of the picture only, as ConditioningSet... nodes do it."""
    return [[text, {**options, **limits}] for text, options in conds]


# --- together or apart


def test_batches_that_form_and_split_during_a_run_change_nothing(flux: ModelPatcher) -> None:
    pictures, timelines = [], []
    for together in (lambda step: True, lambda step: False, lambda step: step % 3 == 0):
        model = with_scheduler(flux, "custom", level_map=level_map(flux))
        model.set_model_sampler_calc_cond_batch_function(CondBatches(together))
        picture, report = run(model)
        assert report.fallbacks == []
        pictures.append(picture)
        timelines.append([(record.step_class, record.computed_share) for record in report.steps])
    assert timelines[0] == timelines[1] == timelines[2]
    for picture in pictures[1:]:
        torch.testing.assert_close(picture, pictures[0], rtol=0, atol=1e-4)


class CondBatches:
    """The host's own evaluation of positive and negative, together or one after the other as memory would have it."""

    def __init__(self, together: Callable[[int], bool]) -> None:
        self.together, self.step = together, -1

    def __call__(self, args: dict) -> list[Tensor]:
        def evaluate(*conds: list | None) -> list[Tensor]:
            rest = args["input"], args["sigma"], args["model_options"]
            return comfy.samplers.calc_cond_batch(args["model"], list(conds), *rest)

        self.step += 1
        positive, negative = args["conds"]
        if self.together(self.step):
            return evaluate(positive, negative)
        return [evaluate(positive, None)[0], evaluate(None, negative)[1]]


def test_one_conditioning_on_both_sides_has_a_cache_for_each() -> None:
    positive, negative = chunk_keys({"uuids": ["a", "a"], "cond_or_uncond": [0, 1]})
    assert positive != negative


# --- some of the steps


@pytest.mark.parametrize("tokens", [8, 5], ids=["in one batch", "in a call of its own"])
def test_a_conditioning_that_starts_later_is_computed_in_full_at_first(flux: ModelPatcher, tokens: int) -> None:
    model = with_scheduler(flux, "custom", level_map=level_map(flux))
    late = limited(conditioning(3, tokens=tokens), start_percent=0.5)
    _, report = run(model, positive=[*conditioning(1), *late])
    assert report.fallbacks == []
    chunks = [record.all_tokens // report.num_tokens for record in report.steps]
    first = chunks.index(3)
    assert chunks == [2] * first + [3] * (12 - first)
    before, arrival, after = report.steps[first - 1 : first + 2]
    assert before.computed_share < 1  # the others were being left out
    assert arrival.computed_tokens >= before.computed_tokens + report.num_tokens
    assert after.computed_share < 1


def test_a_late_conditioning_with_nothing_frozen_is_no_node(flux: ModelPatcher) -> None:
    positive = [*conditioning(1), *limited(conditioning(3), start_percent=0.5)]
    without = sample(flux, cfg=CFG, positive=positive)
    assert torch.equal(run(with_scheduler(flux, "custom", EVERY_STEP), positive=positive)[0], without)


# --- a part of the picture


def test_calls_for_an_area_are_native_and_the_others_are_not(flux: ModelPatcher, caplog) -> None:
    model = with_scheduler(flux, "custom")
    area = limited(conditioning(3), area=(8, 8, 2, 2), strength=1.0)
    _, report = run(model, positive=[*conditioning(1), *area])
    assert report.fallbacks == [PART_OF_LATENT]
    assert caplog.text.count(PART_OF_LATENT) == 1  # and not at each of the twelve calls
    assert report.verdict == "accelerated"


def test_an_area_with_nothing_frozen_is_no_node(flux: ModelPatcher) -> None:
    positive = [*conditioning(1), *limited(conditioning(3), area=(8, 8, 2, 2), strength=1.0)]
    without = sample(flux, cfg=CFG, positive=positive)
    assert torch.equal(run(with_scheduler(flux, "custom", EVERY_STEP), positive=positive)[0], without)


# --- the same conditioning once more, with blocks left out


@pytest.mark.parametrize("layers", [("", "1"), ("0", "0")], ids=["single", "all double"])
def test_skip_layer_guidance_has_caches_of_its_own(flux: ModelPatcher, layers: tuple[str, str]) -> None:
    double, single = layers
    blocks = [("double_block", int(i)) for i in double.split(", ") if i]
    blocks += [("single_block", int(i)) for i in single.split(", ") if i]

    def evaluate(model: object, conds: list, x: Tensor, sigma: Tensor, options: dict) -> list[Tensor]:
        skipping = dict(options)  # which the host's function writes into
        for name, number in blocks:
            skipping = comfy.model_patcher.set_model_options_patch_replace(
                skipping, lambda args, extra: args, "dit", name, number
            )
        in_full = comfy.samplers.calc_cond_batch(model, conds, x, sigma, options)
        return in_full + comfy.samplers.calc_cond_batch(model, conds[:1], x, sigma, skipping)

    assert_exact(same_input(flux, evaluate=evaluate))


@pytest.mark.parametrize("layers", [("", "1"), ("0", "")], ids=["single", "all double"])
def test_skip_layer_guidance_with_nothing_frozen_is_no_node(flux: ModelPatcher, layers: tuple[str, str]) -> None:
    guided = SkipLayerGuidanceDiT.execute(flux, 3.0, 0.0, 1.0, *layers).args[0]
    assert torch.equal(run(with_scheduler(guided, "custom", EVERY_STEP))[0], sample(guided, cfg=CFG))
    assert run(with_scheduler(guided, "custom"))[1].fallbacks == []


# --- where whole steps are skipped


def test_a_late_conditioning_is_computed_at_once_where_whole_steps_are_skipped(flux: ModelPatcher) -> None:
    positive = [*conditioning(1), *limited(conditioning(3, tokens=5), start_percent=0.7)]
    report = run(with_scheduler(flux, "custom", ANY_ERROR), positive=positive, steps=20)[1]
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    chunks = [record.all_tokens // report.num_tokens for record in report.steps]
    first = chunks.index(3)
    assert chunks == [2] * first + [3] * (20 - first)
    classes = [record.step_class for record in report.steps]
    assert classes[first - 1 : first + 3] == NEW_QUESTION


def test_an_area_is_no_reason_not_to_skip_whole_steps(flux: ModelPatcher) -> None:
    positive = [*conditioning(1), *limited(conditioning(3), area=(8, 8, 2, 2), strength=1.0)]
    report = run(with_scheduler(flux, "custom", ANY_ERROR), positive=positive, steps=20)[1]
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    assert report.computed_token_fraction < 0.5


def with_controlnet(**range_of_steps: object) -> tuple[list, list[int]]:
    """A conditioning under a ControlNet, and a list that grows with every evaluation of it."""
    control, calls = controlnet(depth=1, single=0), []
    control.control_model.register_forward_pre_hook(lambda *_: calls.append(1))
    hint = torch.rand(1, 3, 8 * SIZE[0], 8 * SIZE[1])
    return conditioning(1, control=control.set_cond_hint(hint, **range_of_steps), control_apply_to_uncond=True), calls


SIZE = (16, 24)  # the host's own pixel ControlNet cannot do odd ones


def test_in_skipped_steps_no_controlnet_is_evaluated(flux: ModelPatcher) -> None:
    positive, calls = with_controlnet()
    report = run(with_scheduler(flux, "custom", ANY_ERROR), positive=positive, steps=20, size=SIZE)[1]
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    computed = [record for record in report.steps if record.step_class is StepClass.FULL]
    assert len(computed) <= 10
    assert len(calls) == len(computed)  # once for both sides of CFG


def test_a_controlnet_that_comes_and_goes_is_seen_at_once(flux: ModelPatcher) -> None:
    positive, calls = with_controlnet(timestep_percent_range=(0.65, 0.8))
    sigma = [flux.model.model_sampling.percent_to_sigma(percent) for percent in (0.65, 0.8)]
    report = run(with_scheduler(flux, "custom", ANY_ERROR), positive=positive, steps=20, size=SIZE)[1]
    on = [record for record in report.steps if sigma[1] <= record.sigma <= sigma[0]]
    off = report.steps[on[-1].step + 1]
    assert calls
    first = on[0].step
    assert [record.step_class for record in report.steps[first - 1 : first + 2]] == NEW_QUESTION[:3]
    assert off.step_class is StepClass.FULL


def test_a_lora_that_is_scheduled_over_the_steps_is_seen_at_once(flux: ModelPatcher) -> None:
    hooks, frames = comfy.hooks.create_hook_lora({}, 1.0, 1.0), comfy.hooks.HookKeyframeGroup()
    for strength, start in ((1.0, 0.0), (0.2, 0.6)):
        frames.add(comfy.hooks.HookKeyframe(strength, start))
    hooks.set_keyframes_on_hooks(frames)
    changes = flux.model.model_sampling.percent_to_sigma(0.6)
    report = run(with_scheduler(flux, "custom", ANY_ERROR), positive=conditioning(1, hooks=hooks), steps=20)[1]
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    at = next(record.step for record in report.steps if torch.tensor(record.sigma) <= changes)  # as the host compares
    assert [record.step_class for record in report.steps[at - 1 : at + 3]] == NEW_QUESTION


def test_keyframes_go_on_in_skipped_steps(flux: ModelPatcher) -> None:
    """The host takes one keyframe an evaluation where each is sure of a step, so it has to hear of every evaluation."""

    def strengths(model: ModelPatcher) -> dict[float, float]:
        hooks, frames = comfy.hooks.create_hook_lora({}, 1.0, 1.0), comfy.hooks.HookKeyframeGroup()
        for number in range(6):
            frames.add(comfy.hooks.HookKeyframe(1.0 - 0.1 * number, 0.6 + 0.001 * number))
        hooks.set_keyframes_on_hooks(frames)
        found = {}

        def note(apply: Callable, call: dict) -> Tensor:
            (hook,) = model.model.current_patcher.current_hooks.hooks
            found[call["timestep"][0].item()] = hook.strength
            return apply(call["input"], call["timestep"], **call["c"])

        model.set_model_unet_function_wrapper(note)
        sample(model, 20, positive=conditioning(1, hooks=hooks))
        return found

    full, ours = strengths(flux.clone()), strengths(with_scheduler(flux, "custom", ANY_ERROR))
    assert len(set(full.values())) == 6
    assert {sigma: full[sigma] for sigma in ours} == ours
    changed = [sigma for sigma, before in zip(list(full)[1:], full.values(), strict=False) if full[sigma] != before]
    assert set(changed) <= ours.keys()


def test_skip_layer_guidance_where_whole_steps_are_skipped(flux: ModelPatcher) -> None:
    guided = SkipLayerGuidanceDiT.execute(flux, 3.0, 0.0, 1.0, "", "1").args[0]
    report = run(with_scheduler(guided, "custom", ANY_ERROR), steps=20)[1]
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    assert report.computed_token_fraction < 0.5
    assert {record.all_tokens for record in report.steps} == {3 * report.num_tokens}


def test_the_same_conditioning_asked_for_twice_is_forecast_twice(flux: ModelPatcher) -> None:
    """Other packs guide by a second prediction of the same conditionings, with something else about it."""
    seen = []

    def twice(args: dict) -> list[Tensor]:
        rest = args["sigma"], args["model_options"]
        first = comfy.samplers.calc_cond_batch(args["model"], args["conds"], args["input"], *rest)
        second = comfy.samplers.calc_cond_batch(args["model"], args["conds"], args["input"] + 1.0, *rest)
        seen.append(torch.equal(first[0], second[0]))
        return first

    model = with_scheduler(flux, "custom", ANY_ERROR)
    model.set_model_sampler_calc_cond_batch_function(twice)
    report = run(model, steps=20)[1]
    assert report.computed_token_fraction < 0.5
    assert seen == [False] * 20
