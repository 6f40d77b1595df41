"""Whole runs with references: what is computed, what is told, and when nothing is left out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfyui_jano.bench.report_references import KNOWN
from comfyui_jano.jano.adapters.references.families import supported
from comfyui_jano.jano.adapters.references.memory import cache_bytes
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import REFERENCES, ReferenceConfig
from comfyui_jano.jano.every_step import TOO_FAR
from comfyui_jano.jano.show.headline import summary, table
from comfyui_jano.jano.show.report import RunReport, StepClass
from comfyui_jano.jano.show.told import account_of
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.references.models import MODELS, PICTURE, SEVERAL, flux2, references
from comfyui_jano.tests.host.tiny import conditioning, sample, with_scheduler
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

TEXT, MAIN = 8, 63


def edit(model: ModelPatcher, *sizes: tuple[int, int], **said: object) -> dict[str, list]:
    """Both prompts, with references of these sizes."""
    kept = references(model, PICTURE, *sizes or SEVERAL)
    return {
        name: conditioning(seed, reference_latents=kept, **said) for seed, name in ((1, "positive"), (2, "negative"))
    }


def run(
    model: ModelPatcher, choice: str = "once", quality: str = "balanced", **options: object
) -> tuple[Tensor, RunReport]:
    keeping = {name: options.pop(name) for name in ("cache", "cache_budget_gb") if name in options}
    scheduled = with_scheduler(model, quality, references=ReferenceConfig(choice, **keeping))
    samples = sample(scheduled, **options)
    return samples, report_of(scheduled, samples)


@pytest.mark.parametrize("cfg", [1.0, 3.0])
@pytest.mark.parametrize("name", MODELS)
def test_at_every_step_it_is_no_node(name: str, cfg: float) -> None:
    made = MODELS[name]
    model = made.make()
    options = {"steps": 4, "cfg": cfg, "size": made.cells, **made.sides(model)}
    samples, report = run(model, "every step", **options)
    assert torch.equal(samples, sample(model, **options))
    assert report.references is None


@pytest.mark.parametrize("choice", REFERENCES)
def test_without_references_the_choice_changes_nothing(flux: ModelPatcher, choice: str) -> None:
    samples, report = run(flux, choice, steps=4)
    assert torch.equal(samples, sample(flux, steps=4))
    assert report.verdict == "native"
    assert report.references is None


@pytest.mark.parametrize("steps", [2, 4, 8])
@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral", "heun", "uni_pc", "lcm"])
def test_once_computes_them_in_the_first_step_of_any_run(flux: ModelPatcher, sampler: str, steps: int) -> None:
    if sampler == "uni_pc" and steps == 2:
        steps = 3
    samples, report = run(flux, steps=steps, sampler=sampler, cfg=3.0, **edit(flux))
    assert report.verdict == "accelerated"
    assert report.references.stored == {0}
    assert report.references.frozen >= set(range(1, steps))
    assert torch.isfinite(samples).all()


def test_what_it_says_is_what_was_computed(flux: ModelPatcher) -> None:
    calls = []

    def count(executor: Callable, x: Tensor, *args: object, **kwargs: object) -> Tensor:
        kept = kwargs.get("ref_latents", next((arg for arg in args if isinstance(arg, list)), None))
        calls.append(
            x.shape[0] * (MAIN + (sum((-(-r.shape[-2] // 2)) * (-(-r.shape[-1] // 2)) for r in kept) if kept else 0))
        )
        return executor(x, *args, **kwargs)

    watched = flux.clone()
    watched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "count", count)
    _, report = run(watched, steps=4, cfg=3.0, **edit(watched))
    assert sum(record.computed_tokens for record in report.steps) == sum(calls)
    assert sum(record.all_tokens for record in report.steps) == len(report.steps) * calls[0]
    assert [record.step_class for record in report.steps] == [StepClass.STORE] + [StepClass.PICTURE] * 3
    assert "reference tokens computed in 1 of 4 steps (once)" in summary(report)
    assert "reference tokens computed in 1 of 4 steps (once)" in table(report).markdown()
    assert account_of(report)["references"]["frozen_steps"] == [1, 2, 3]
    assert report.maps == ""  # no level decided any of it


@pytest.mark.parametrize("several", [1, 3])
@pytest.mark.parametrize("steps", [2, 4, 8])
def test_once_costs_what_its_arithmetic_says(steps: int, several: int) -> None:
    """A step without references costs the share of its tokens, queries and rows alike."""
    model, sizes = tiny.flux(depth=2, depth_single_blocks=4), ((16, 16),) * several
    options = {"steps": steps, "size": (16, 16), **edit(model, *sizes)}
    with FlopCounterMode(display=False) as full:
        sample(model, **options)
    with FlopCounterMode(display=False) as once:
        scheduled = with_scheduler(model, "custom", {"target_speedup": 1.0}, references=ReferenceConfig("once"))
        sample(scheduled, **options)
    frozen = (TEXT + 64) / (TEXT + 64 * (1 + several))
    expected = (1 + (steps - 1) * frozen) / steps
    assert once.get_total_flops() / full.get_total_flops() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("sizes", "early"), [(((17, 13),), True), (((17, 13),) * 3, False)])
def test_few_references_are_kept_closer(flux: ModelPatcher, sizes: tuple, early: bool) -> None:
    """A run of fewer steps costs no more than one in which half a step is left out twice."""
    _, report = run(flux, "auto", steps=4, cfg=3.0, **edit(flux, *sizes))
    assert (1 in report.references.stored) is early


def test_where_they_drift_too_far_the_run_says_so(flux: ModelPatcher) -> None:
    samples, report = run(flux, "auto", steps=2, **edit(flux))
    assert torch.equal(samples, sample(flux, steps=2, **edit(flux)))
    assert report.verdict == "native"
    assert report.fallbacks[-1] == f"{TOO_FAR} (fast and draft tolerate more)"


def test_steps_that_are_forecast_spare_the_references_too(flux: ModelPatcher) -> None:
    samples, report = run(flux, "once", "draft", steps=20, cfg=3.0, **edit(flux))
    assert report.references.stored == {0}
    skipped = [record for record in report.steps if record.step_class is StepClass.SKIPPED]
    assert skipped
    assert {record.all_tokens for record in report.steps} == {report.steps[0].all_tokens}
    assert all(record.computed_tokens == 0 for record in skipped)


@pytest.mark.parametrize(
    ("cache", "budget", "kept"), [("auto", 0.0, "device"), ("auto", 1e-9, "cpu"), ("cpu", 0.0, "cpu")]
)
def test_every_storage_but_eight_bits_gives_the_same_picture(
    flux: ModelPatcher, cache: str, budget: float, kept: str
) -> None:
    options = {"steps": 4, "cfg": 3.0, **edit(flux)}
    samples, report = run(flux, cache=cache, cache_budget_gb=budget, **options)
    assert torch.equal(samples, run(flux, cache="device", **options)[0])
    assert report.references.storage == kept


def test_eight_bits_come_close_and_take_less(flux: ModelPatcher) -> None:
    options = {"steps": 4, "cfg": 3.0, **edit(flux)}
    samples, report = run(flux, cache="fp8", **options)
    exact, full = run(flux, cache="device", **options)
    difference = (samples - exact).square().mean().sqrt() / exact.square().mean().sqrt()
    assert 0 < difference < 0.05
    assert report.references.bytes_peak < full.references.bytes_peak / 3  # of 32


@pytest.mark.parametrize("choice", ["once", "auto"])
def test_the_host_makes_room_for_what_is_kept(flux: ModelPatcher, choice: str) -> None:
    shapes = []

    def look(executor: Callable, patcher: ModelPatcher, noise_shape: tuple, *args: object, **kwargs: object) -> object:
        shapes.append(list(noise_shape))
        return executor(patcher, noise_shape, *args, **kwargs)

    model = with_scheduler(flux, "balanced", references=ReferenceConfig(choice))
    model.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, "look", look)
    report = report_of(model, sample(model, steps=4, cfg=3.0, batch=2, **edit(model)))
    plain = model.model.memory_required([2, 16, *PICTURE])
    assert report.references.bytes_peak > 0
    assert model.model.memory_required(shapes[-1]) - plain >= report.references.bytes_peak


@pytest.mark.parametrize(("name", "cache"), [*((name, "device") for name in MODELS), ("qwen", "fp8"), ("krea", "cpu")])
def test_what_is_kept_takes_what_was_foretold(name: str, cache: str) -> None:
    """The formula that the README states, for two values of every reference."""
    made = MODELS[name]
    model = made.make()
    conds = made.sides(model)
    _, report = run(model, "auto", steps=4, cfg=3.0, batch=2, size=made.cells, cache=cache, **conds)
    given = {side: [dict(cond[0][1])] for side, cond in conds.items()}
    assert len(report.references.stored) > 1
    shape = (2, model.model.latent_format.latent_channels, *made.cells)
    foretold = cache_bytes(model, given, shape, values=2, storage=cache)
    assert report.references.bytes_peak == pytest.approx(foretold, rel=0.02)


def test_the_benchs_table_names_every_class() -> None:
    assert {known.name for known in KNOWN} == set(supported().split(", "))


def test_the_sides_of_the_guidance_may_ask_one_by_one() -> None:
    model = flux2()
    joint, _ = run(model, steps=4, cfg=3.0, **edit(model))

    def one_by_one(args: dict) -> Tensor:
        """Another pack's guidance: evaluates each side by itself."""
        return args["denoised"]

    clone = model.clone()
    clone.set_model_sampler_post_cfg_function(one_by_one)
    clone.model_options["disable_cfg1_optimization"] = True
    apart, report = run(clone, steps=4, cfg=3.0, **edit(model))
    torch.testing.assert_close(apart, joint, atol=1e-4, rtol=0)
    assert report.references.stored == {0}


def test_a_second_prompt_begins_anew(flux: ModelPatcher) -> None:
    scheduled = with_scheduler(flux, "balanced", references=ReferenceConfig("once"))
    options = {"steps": 4, "cfg": 3.0}
    first = sample(scheduled, **options, **edit(flux))
    sample(scheduled, **options, **edit(flux, (4, 4)))
    sample(scheduled, **options)
    assert torch.equal(sample(scheduled, **options, **edit(flux)), first)
