"""What travels with a MODEL: settings forward only, reports to every clone behind the Jano node."""

from __future__ import annotations

import copy

import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.patch import analyze
from comfyui_jano.jano.adapters.settings import report_of, settings_of
from comfyui_jano.jano.config import AnalyzerConfig
from comfyui_jano.tests.host.tiny import sample, with_scheduler


def test_the_bypassed_node_leaves_the_model_as_it_was(flux: ModelPatcher) -> None:
    options = copy.deepcopy(flux.model_options)
    model = with_scheduler(analyze(flux, AnalyzerConfig()), "custom")
    sample(model)
    assert flux.model_options == options
    assert flux.get_attachment("jano") is None
    assert flux.wrappers == {} or not any("jano" in kinds for kinds in flux.wrappers.values())
    assert "jano" in model.model_options["transformer_options"]


def test_a_report_is_found_from_every_clone_behind(flux: ModelPatcher) -> None:
    model = with_scheduler(flux, "custom")
    behind = model.clone().clone()
    samples = sample(behind)
    assert report_of(model, samples) is report_of(behind, samples)
    assert report_of(behind, samples).verdict == "accelerated"


def test_an_analyzer_and_a_scheduler_behind_it_share_their_reports(flux: ModelPatcher) -> None:
    analyzer = analyze(flux, AnalyzerConfig())
    scheduler = with_scheduler(analyzer, "custom")
    samples = sample(scheduler)
    assert report_of(analyzer, samples) is report_of(scheduler, samples)


def test_without_a_jano_node_the_report_says_so(flux: ModelPatcher) -> None:
    report = report_of(flux, torch.zeros(1, 16, 4, 4))
    assert report.fallbacks == ["no Jano node stands before this MODEL, or it is bypassed"]


def test_the_last_four_runs_are_kept(flux: ModelPatcher) -> None:
    model = with_scheduler(flux, "custom")
    first, *rest = [sample(model, steps=9, seed=seed) for seed in range(5)]
    assert report_of(model, first).fallbacks != []
    assert [report_of(model, samples).verdict for samples in rest] == ["accelerated"] * 4


def test_the_analyzers_settings_reach_the_scheduler(flux: ModelPatcher) -> None:
    analyzer = AnalyzerConfig(warmup=0.5, region=(1, 4, 4), score="paper")
    model = with_scheduler(analyze(flux, analyzer), "custom")
    assert settings_of(model).analyzer == analyzer
    report = report_of(model, sample(model))
    assert [record.step for record in report.steps if record.computed_share == 1.0][:5] == [0, 1, 2, 3, 4]
    assert report.level_map.grid.region == (1, 2, 2)


def test_the_last_scheduler_counts(flux: ModelPatcher) -> None:
    twice, once = with_scheduler(with_scheduler(flux, "draft"), "fidelity"), with_scheduler(flux, "fidelity")
    assert torch.equal(sample(twice), sample(once))


def test_two_schedulers_behind_one_loader_do_not_meet(flux: ModelPatcher) -> None:
    fast, fidelity = with_scheduler(flux, "draft"), with_scheduler(flux, "fidelity")
    samples = sample(fast)
    sample(fidelity)
    assert torch.equal(sample(fast), samples)
    assert report_of(fidelity, samples).verdict == "native"
