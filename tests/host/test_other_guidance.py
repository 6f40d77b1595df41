"""Guidances of other packs, which ask the model more than once in an evaluation: each gets answers of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable

import comfy.model_patcher
import comfy.samplers
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.run import ALWAYS_NEW
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from torch import Tensor

STEPS, CFG = 20, 4.0
ANY_ERROR = {"tolerance": 1e6}
UNSEEN = (0.9, 0.7)  # sigmas
BLOCK = ("dit", "single_block", 1)


def evaluate(args: dict, replaces: Callable | None = None, x: Tensor | None = None) -> Tensor:
    """What a guidance asks for: the conditioning once more, with a block replaced or about another x."""
    options = dict(args["model_options"])  # which the host's function writes into
    if replaces is not None:
        options = comfy.model_patcher.set_model_options_patch_replace(options, replaces, *BLOCK)
    x = args["input"] if x is None else x
    return comfy.samplers.calc_cond_batch(args["model"], [args["cond"]], x, args["sigma"], options)[0]


def perturbs(strength: float) -> Callable:
    """As packs make one: a function that closes over its settings."""

    def perturb(args: dict, extra: dict) -> dict:
        before = args["img"].clone()  # the host's block writes into it
        return {"img": before + strength * (extra["original_block"](args)["img"] - before)}

    return perturb


def guided(model: ModelPatcher, *guidances: Callable[[dict], object]) -> ModelPatcher:
    """A clone with guidances that only look: the picture does not depend on them."""
    clone = model.clone()
    for guidance in guidances:
        clone.set_model_sampler_post_cfg_function(lambda args, ask=guidance: (ask(args), args["denoised"])[1])
    return clone


class Perturbed:
    """A guidance that notes, by sigma, what it was answered; silent below `until`."""

    def __init__(self, strength: float, anew: bool, until: float = 0.0) -> None:
        self._strength, self._anew, self._until = strength, anew, until
        self._replaces = perturbs(strength)
        self.answers: dict[float, Tensor] = {}

    def __call__(self, args: dict) -> None:
        sigma = args["sigma"][0].item()
        if sigma >= self._until:
            self.answers[sigma] = evaluate(args, perturbs(self._strength) if self._anew else self._replaces)


def relative_errors(ours: Perturbed, full: Perturbed) -> list[float]:
    assert ours.answers.keys() == full.answers.keys()
    return [((ours.answers[at] - full.answers[at]).norm() / full.answers[at].norm()).item() for at in full.answers]


@pytest.mark.parametrize("anew", [False, True], ids=["made once", "made for every evaluation"])
def test_a_guidance_that_falls_silent_leaves_its_forecasts_to_no_other(flux: ModelPatcher, anew: bool) -> None:
    def run(prepare: Callable[[ModelPatcher], ModelPatcher]) -> tuple[Perturbed, ModelPatcher, Tensor]:
        first, second = Perturbed(-6.0, anew, until=0.7), Perturbed(1.0, anew)
        model = prepare(guided(flux, first, second))
        return second, model, sample(model, STEPS, CFG)

    full, _, _ = run(lambda model: model)
    ours, model, picture = run(lambda model: with_scheduler(model, "custom", ANY_ERROR))
    report = report_of(model, picture)
    assert report.computed_token_fraction < 0.5
    assert report.fallbacks == []
    assert max(relative_errors(ours, full)) < 0.5  # 0.62 with the first one's forecasts


def test_questions_that_nothing_tells_apart_are_computed(flux: ModelPatcher) -> None:
    """A pack switches something inside the model, where nobody sees it: asked twice alike, it means two things."""
    right: list[bool] = []

    def ask(args: dict) -> None:
        block = args["model"].diffusion_model.single_blocks[1]
        for strength in (1.0, -6.0) if UNSEEN[0] > args["sigma"][0] > UNSEEN[1] else (1.0,):
            hook = block.register_forward_hook(lambda module, inputs, output, by=strength: by * output)
            right.append(torch.equal(evaluate(args), evaluate(without_jano(args))))
            hook.remove()

    model = with_scheduler(guided(flux, ask), "custom", ANY_ERROR)
    report = report_of(model, sample(model, STEPS, CFG))
    assert report.verdict == "accelerated"  # what the sampler asks for itself
    two = [record.step for record in report.steps if UNSEEN[0] > record.sigma > UNSEEN[1]]
    assert all(report.steps[step].computed_share < 1 for step in (two[0], two[-1], two[-1] + 1))
    asked = right[two[0] + 1 : two[-1] + len(two) + 2]  # from the second on that came first to the first one alone
    assert asked == [True] * (2 * len(two))
    assert not all(right)


def without_jano(args: dict) -> dict:
    """The same question natively."""
    options = dict(args["model_options"]["transformer_options"])
    del options["jano"]
    return {**args, "model_options": {**args["model_options"], "transformer_options": options}}


def test_where_everything_asked_is_new_the_report_says_so(flux: ModelPatcher) -> None:
    def always_new(executor: Callable, x: Tensor, timestep: Tensor, options: dict, seed: int) -> Tensor:
        noise = torch.zeros(1)
        replaces = lambda args, extra: {"img": extra["original_block"](args)["img"] + noise}  # noqa: E731
        changed = comfy.model_patcher.set_model_options_patch_replace(dict(options), replaces, *BLOCK)
        return executor(x, timestep, changed, seed)

    for custom in (ANY_ERROR, {}):
        model = with_scheduler(flux, "custom", custom)
        model.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "another pack", always_new)
        picture = sample(model, STEPS)
        report = report_of(model, picture)
        assert (report.verdict, report.fallbacks) == ("native", [ALWAYS_NEW])
        assert torch.equal(picture, sample(flux, STEPS))


# --- another x, parts of x


def test_by_level_a_question_about_another_x_is_native(flux: ModelPatcher) -> None:
    right: list[bool] = []

    def ask(args: dict) -> None:
        x = args["input"] + 1.0
        right.append(torch.equal(evaluate(args, x=x), evaluate(without_jano(args), x=x)))

    model = with_scheduler(guided(flux, ask), "custom", {"static_interval": 4, "moderate_interval": 4})
    report = report_of(model, sample(model, STEPS))
    assert right == [True] * STEPS
    assert (report.verdict, report.fallbacks) == ("accelerated", ["another node asks about a latent of its own"])


@pytest.mark.parametrize(
    ("custom", "reason"),
    [
        (ANY_ERROR, "another node evaluates parts of the latent"),
        ({}, "a conditioning covers only part of the latent (area or window)"),
    ],
    ids=["whole steps", "by level"],
)
def test_a_pack_that_tiles_with_changing_tiles_is_computed(flux: ModelPatcher, custom: dict, reason: str) -> None:
    calls = []

    def tiled(args: dict) -> list[Tensor]:
        calls.append(1)
        cut = 4 + 4 * (len(calls) % 2)
        parts = [
            comfy.samplers.calc_cond_batch(args["model"], args["conds"], part, args["sigma"], args["model_options"])
            for part in (args["input"][..., :cut], args["input"][..., cut:])
        ]
        return [torch.cat(sides, -1) for sides in zip(*parts, strict=True)]

    alone = flux.clone()
    alone.set_model_sampler_calc_cond_batch_function(tiled)
    model = with_scheduler(alone, "custom", custom)
    size = (12, 12)
    full = sample(alone, STEPS, CFG, size=size)
    calls.clear()
    picture = sample(model, STEPS, CFG, size=size)
    assert torch.equal(picture, full)
    report = report_of(model, picture)
    assert report.verdict == "native"
    assert report.fallbacks == [reason]


# --- options that are copied, models that are called by others


@pytest.mark.parametrize("where", ["the clone", "outer", "predict", "guidance"])
@pytest.mark.parametrize("custom", [ANY_ERROR, {}], ids=["whole steps", "by level"])
def test_other_packs_may_copy_the_options_deep(flux: ModelPatcher, where: str, custom: dict) -> None:
    plain = with_scheduler(flux, "custom", custom)
    expected = sample(plain, STEPS, CFG)
    model = with_scheduler(flux, "custom", custom)
    PLACES[where](model)
    picture = sample(model, STEPS, CFG)
    assert torch.equal(picture, expected)
    report, without = report_of(model, picture), report_of(plain, expected)
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    assert report.computed_token_fraction == without.computed_token_fraction


def copies_the_clones(model: ModelPatcher) -> None:
    model.model_options = copy.deepcopy(model.model_options)


def copies_outside(model: ModelPatcher) -> None:
    def outer(executor: Callable, *args: object, **kwargs: object) -> Tensor:
        executor.class_obj.model_options = copy.deepcopy(executor.class_obj.model_options)
        return executor(*args, **kwargs)

    model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "another pack", outer)


def copies_at_every_step(model: ModelPatcher) -> None:
    def predict(executor: Callable, x: Tensor, timestep: Tensor, options: dict, seed: int) -> Tensor:
        return executor(x, timestep, copy.deepcopy(options), seed)

    model.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "another pack", predict)


def copies_in_guidance(model: ModelPatcher) -> None:
    def ask(args: dict) -> list[Tensor]:
        options = copy.deepcopy(args["model_options"])
        return comfy.samplers.calc_cond_batch(args["model"], args["conds"], args["input"], args["sigma"], options)

    model.set_model_sampler_calc_cond_batch_function(ask)


PLACES = {
    "the clone": copies_the_clones,
    "outer": copies_outside,
    "predict": copies_at_every_step,
    "guidance": copies_in_guidance,
}


@pytest.mark.parametrize("batch", [1, 2])
def test_a_model_that_another_pack_calls_by_itself_is_accounted_for(flux: ModelPatcher, batch: int) -> None:
    def by_itself(apply: Callable, call: dict) -> Tensor:
        return apply.__self__._apply_model(call["input"], call["timestep"], **call["c"])

    alone = flux.clone()
    alone.set_model_unet_function_wrapper(by_itself)
    model, plain = with_scheduler(alone, "custom", ANY_ERROR), with_scheduler(flux, "custom", ANY_ERROR)
    reports = [report_of(each, sample(each, STEPS, CFG, batch=batch)) for each in (model, plain)]
    assert [report.verdict for report in reports] == ["accelerated"] * 2
    shares = [[(record.computed_tokens, record.all_tokens) for record in report.steps] for report in reports]
    assert shares[0] == shares[1]


def test_by_level_a_model_that_another_pack_calls_by_itself_is_native(flux: ModelPatcher) -> None:
    def by_itself(apply: Callable, call: dict) -> Tensor:
        return apply.__self__._apply_model(call["input"], call["timestep"], **call["c"])

    alone = flux.clone()
    alone.set_model_unet_function_wrapper(by_itself)
    model = with_scheduler(alone, "custom")
    picture = sample(model, STEPS, CFG)
    assert torch.equal(picture, sample(alone, STEPS, CFG))
    report = report_of(model, picture)
    assert (report.verdict, report.fallbacks) == ("native", ["another node calls the transformer by itself"])
    assert all(record.all_tokens for record in report.steps)
