"""The nodes as users wire them: settings in, MODEL out, and after sampling a map and a report."""

from __future__ import annotations

import json
import re

import comfy.utils
import folder_paths
import pytest
import torch
from comfy.cli_args import args
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from comfyui_jano.jano.adapters.latents import size_told
from comfyui_jano.jano.adapters.settings import settings_of
from comfyui_jano.jano.config import AnalyzerConfig, SchedulerConfig
from comfyui_jano.jano.presets import schedule_of
from comfyui_jano.jano.show.lpips import LAYERS
from comfyui_jano.nodes.compare import JanoCompare
from comfyui_jano.nodes.convergence_map import JanoConvergenceMap
from comfyui_jano.nodes.model_loader import JanoModelLoader
from comfyui_jano.nodes.report import JanoReport
from comfyui_jano.nodes.tune import JanoAnalyzer, JanoScheduler
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.test_queueing import sample_advanced
from comfyui_jano.tests.host.tiny import ODD, sample


def run(node: type, **inputs: object) -> object:
    """Execute a node as the server does, with the defaults of its schema for what is not given."""
    schema = node.GET_SCHEMA()
    defaults = {field.id: field.default for field in schema.inputs if getattr(field, "default", None) is not None}
    return node.EXECUTE_NORMALIZED(**{**defaults, **inputs})


@pytest.fixture
def accelerated(flux: ModelPatcher) -> ModelPatcher:
    return run(prepared(JanoScheduler), model=flux, quality="custom").args[0]


def prepared(node: type) -> type:
    """A node class with hidden values, as the server makes one for each execution."""
    return node.PREPARE_CLASS_CLONE({"hidden_inputs": {}})


def test_the_scheduler_alone_is_enough(flux: ModelPatcher, accelerated: ModelPatcher) -> None:
    settings = settings_of(run(prepared(JanoScheduler), model=flux).args[0])
    assert settings.analyzer == AnalyzerConfig()
    assert settings.scheduler == schedule_of("balanced", {})
    assert not torch.equal(sample(accelerated), sample(flux))


def test_custom_settings_are_those_of_the_widgets(flux: ModelPatcher) -> None:
    chosen = {"static_threshold": 0.1, "moderate_threshold": 0.9, "static_interval": 9, "cooldown": 0.2}
    model = run(prepared(JanoScheduler), model=flux, quality="custom", **chosen).args[0]
    assert settings_of(model).scheduler == SchedulerConfig(**chosen)


def test_the_analyzers_widgets_reach_the_settings(flux: ModelPatcher) -> None:
    model = run(prepared(JanoAnalyzer), model=flux, warmup=0.2, region_h=4, score="pairwise", fill_holes=True).args[0]
    assert settings_of(model).analyzer == AnalyzerConfig(0.2, (0, 4, 0), score="pairwise", fill_holes=True)


def test_the_schedulers_node_shows_the_run_wherever_the_analyzer_stands(flux: ModelPatcher) -> None:
    def as_node(node: type, node_id: str) -> type:
        return node.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: node_id}})

    first = run(as_node(JanoAnalyzer, "a"), model=flux).args[0]
    second = run(as_node(JanoScheduler, "s"), model=first).args[0]
    third = run(as_node(JanoAnalyzer, "b"), model=second).args[0]
    assert [settings_of(model).node_id for model in (first, second, third)] == ["a", "s", "s"]


def test_the_loader_gives_a_model_that_accelerates(tmp_path, monkeypatch) -> None:
    weights = tiny.flux().model.diffusion_model.state_dict()
    comfy.utils.save_torch_file(weights, str(tmp_path / "tiny.safetensors"))
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "diffusion_models", ([str(tmp_path)], {".safetensors"}))
    loader = prepared(JanoModelLoader)
    model = run(loader, unet_name="tiny.safetensors", weight_dtype="default", quality="fast").args[0]
    report = json.loads(run(JanoReport, model=model, latent={"samples": sample(model)}).args[1])
    assert (report["model"], report["verdict"]) == ("Flux", "accelerated")


def test_without_an_executor_every_node_works(flux: ModelPatcher, tmp_path, monkeypatch) -> None:
    """As in scripts that a workflow was exported to: nodes are called as functions, without an id to draw on."""
    weights = flux.model.diffusion_model.state_dict()
    comfy.utils.save_torch_file(weights, str(tmp_path / "tiny.safetensors"))
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "diffusion_models", ([str(tmp_path)], {".safetensors"}))
    (loaded,) = JanoModelLoader.execute("tiny.safetensors", "default", "fast").args
    (analysed,) = JanoAnalyzer.execute(flux, 0.2, 0, 0, 0, 0.7, "contrast").args
    (scheduled,) = JanoScheduler.execute(analysed, "custom", 0.4, 0.9, 2, 2, 1, 0.03).args
    assert [settings_of(model).node_id for model in (loaded, analysed, scheduled)] == [None] * 3
    for model in (loaded, scheduled):
        latent = {"samples": sample(model)}
        assert json.loads(JanoReport.execute(model, latent).args[1])["verdict"] == "accelerated"
        picture = JanoConvergenceMap.execute(model, latent).args[0]
    assert "| PSNR |" in JanoCompare.execute(picture, picture).args[0]


@pytest.mark.parametrize("advanced", [False, True], ids=["KSampler", "SamplerCustomAdvanced"])
def test_latents_that_the_host_hands_on_in_half_precision_have_a_report(
    flux: ModelPatcher, monkeypatch, advanced
) -> None:
    monkeypatch.setattr(args, "fp16_intermediates", True)
    model = run(prepared(JanoScheduler), model=flux, quality="custom").args[0]
    samples = sample_advanced(model) if advanced else sample(model)
    assert samples.dtype == (torch.float32 if advanced else torch.float16)  # this host converts in one of its samplers
    report = json.loads(run(JanoReport, model=model, latent={"samples": samples}).args[1])
    assert (report["verdict"], report["fallbacks"]) == ("accelerated", [])
    assert run(JanoConvergenceMap, model=model, latent={"samples": samples}).args[3] is not None


def test_the_report_is_markdown_json_and_a_chart(accelerated: ModelPatcher) -> None:
    output = run(JanoReport, model=accelerated, latent={"samples": sample(accelerated)})
    markdown, account, chart = output.args
    report = json.loads(account)
    assert markdown.startswith("| Jano run | |\n|---|---|\n| Result | ")
    assert len(report["timeline"]) == report["steps"] == 12
    assert chart.ndim == 4
    assert chart.shape[-1] == 3
    assert 0 <= chart.min() < chart.max() <= 1
    assert output.ui["text"] == (markdown,) or list(output.ui["text"]) == [markdown]
    assert output.ui["jano"] == [report]


def test_the_map_has_masks_that_share_out_the_picture(accelerated: ModelPatcher) -> None:
    picture, active, frozen, level_map, sheet, _ = run(
        JanoConvergenceMap, model=accelerated, latent={"samples": sample(accelerated)}
    ).args
    assert active.shape == frozen.shape == (1, *ODD)
    assert torch.equal(active + frozen, torch.ones(1, *ODD))
    assert 0 < active.mean() < 1
    assert picture.shape[0] == 1
    assert picture.shape[1] > 8 * ODD[0]  # the legend stands below
    assert picture.shape[2:] == (8 * ODD[1], 3)
    assert level_map.grid.latent == (1, *ODD)
    assert torch.equal(sheet, picture)


def test_the_map_lies_over_the_decoded_picture(accelerated: ModelPatcher) -> None:
    image = torch.rand(1, 136, 104, 3)
    picture = run(JanoConvergenceMap, model=accelerated, latent={"samples": sample(accelerated)}, image=image).args[0]
    assert picture.shape[2:] == (104, 3)
    assert not torch.allclose(picture[:, :136], image, atol=0.05)


def test_a_map_can_be_used_again(flux: ModelPatcher, accelerated: ModelPatcher) -> None:
    output = run(JanoConvergenceMap, model=accelerated, latent={"samples": sample(accelerated)})
    again = run(prepared(JanoScheduler), model=flux, quality="custom", level_map=output.args[3]).args[0]
    report = json.loads(run(JanoReport, model=again, latent={"samples": sample(again)}).args[1])
    assert report["verdict"] == "accelerated"
    assert report["timeline"][1]["computed"] < 1  # no warm-up is left


def test_without_a_run_the_map_says_so_and_masks_everything_active(flux: ModelPatcher) -> None:
    samples = torch.zeros(1, 16, 8, 6)
    picture, active, frozen, level_map, sheet, _ = run(JanoConvergenceMap, model=flux, latent={"samples": samples}).args
    assert level_map is None
    assert torch.equal(active, torch.ones(1, 8, 6))
    assert torch.equal(frozen, torch.zeros(1, 8, 6))
    assert picture.std() > 0  # a sentence is drawn
    assert torch.equal(sheet, picture)


def test_over_a_picture_the_masks_are_as_large_as_it(accelerated: ModelPatcher) -> None:
    image = torch.rand(1, 136, 104, 3)
    output = run(JanoConvergenceMap, model=accelerated, latent={"samples": sample(accelerated)}, image=image)
    assert output.args[1].shape == output.args[2].shape == (1, 136, 104)


def test_a_clip_has_a_map_for_each_frame_and_one_sheet(wan: ModelPatcher) -> None:
    model = run(prepared(JanoScheduler), model=wan).args[0]
    clip = sample(model, size=(3, 8, 8))
    image = torch.rand(9, 64, 64, 3)
    picture, active, frozen, level_map, sheet, _ = run(
        JanoConvergenceMap, model=model, latent={"samples": clip}, image=image
    ).args
    assert level_map.grid.latent == (3, 8, 8)
    assert picture.shape[0] == active.shape[0] == frozen.shape[0] == 9
    assert sheet.shape[0] == 1


def test_saved_pictures_are_told_the_verdict(accelerated: ModelPatcher) -> None:
    metadata = {"workflow": {}}
    report = JanoReport.PREPARE_CLASS_CLONE(
        {"hidden_inputs": {io.Hidden.unique_id: "9", io.Hidden.extra_pnginfo: metadata}}
    )
    account = json.loads(run(report, model=accelerated, latent={"samples": sample(accelerated)}).args[1])
    noted = metadata["jano"]["9"]
    assert noted["verdict"] == "accelerated"
    assert noted["computed_token_fraction"] == account["computed_token_fraction"]
    assert noted["headline"] == account["headline"]
    assert noted["summary"].startswith(f"Jano: {noted['headline']}")


def test_comparing_gives_numbers_and_a_map() -> None:
    reference = torch.rand(1, 48, 64, 3) * 0.5
    output = run(JanoCompare, reference=reference, image=reference + 0.1)
    markdown, difference = output.args
    assert "| PSNR | 20.00 dB |" in markdown
    assert difference.shape[2:] == (64, 3)
    assert list(output.ui["text"]) == [markdown]
    assert len(output.ui["images"]) == 1


def test_lpips_is_computed_when_its_weights_are_there(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path))
    picture = torch.rand(1, 64, 64, 3)
    assert "LPIPS" not in run(JanoCompare, reference=picture, image=picture).args[0]
    (tmp_path / "lpips").mkdir()
    comfy.utils.save_torch_file(alexnet(), str(tmp_path / "lpips" / "lpips_alex.safetensors"))
    markdown = run(JanoCompare, reference=picture, image=torch.rand(1, 64, 64, 3)).args[0]
    assert re.search(r"LPIPS \(AlexNet\) \| \d+\.\d{4} \|", markdown)


def alexnet() -> dict[str, torch.Tensor]:
    """Random weights of AlexNet's shapes."""
    made = {}
    for layer, (name, (out, *rest), *_) in enumerate(LAYERS):
        made[f"{name}.weight"] = torch.randn(out, *rest) / (rest[1] * rest[0] ** 0.5)
        made[f"{name}.bias"] = torch.zeros(out)
        made[f"lin{layer}.model.1.weight"] = torch.rand(1, out, 1, 1)
    return made


def test_a_report_is_saved_when_asked(accelerated: ModelPatcher, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    samples = sample(accelerated)
    run(JanoReport, model=accelerated, latent={"samples": samples})
    assert list(tmp_path.iterdir()) == []  # not when not asked
    for _ in range(2):
        output = run(JanoReport, model=accelerated, latent={"samples": samples}, save=True, filename_prefix="../x")
    (text,) = output.ui["text"]
    assert text.endswith("\n| Saved | jano/x_00002.json and a line in jano_runs.csv, in the output folder |")
    assert "Saved" not in output.args[0]
    header, *lines = (tmp_path / "jano_runs.csv").read_text().splitlines()
    assert header.startswith("time,model,size,sampler,steps,quality,")
    assert len(lines) == 2
    assert ",Flux,104 x 136," in lines[0]
    assert ",12,custom,accelerated," in lines[0]
    saved = json.loads((tmp_path / "jano" / "x_00001.json").read_text())
    assert (saved["quality"], saved["size"], len(saved["timeline"])) == ("custom", "104 x 136", 12)


def test_where_there_was_no_run_nothing_is_saved(accelerated: ModelPatcher, tmp_path, monkeypatch) -> None:
    """As with Jano bypassed: the table of runs holds runs alone."""
    monkeypatch.setattr(folder_paths, "get_output_directory", lambda: str(tmp_path))
    output = run(JanoReport, model=accelerated, latent={"samples": torch.zeros(1, 16, 13, 17)}, save=True)
    assert output.ui["jano"][0]["steps"] == 0
    assert list(tmp_path.iterdir()) == []
    assert "aved" not in output.ui["text"][0]


def test_a_report_that_cannot_be_saved_says_so_and_the_run_goes_on(accelerated: ModelPatcher, tmp_path, monkeypatch):
    blocked = tmp_path / "output"
    blocked.write_text("no folder")
    monkeypatch.setattr(folder_paths, "output_directory", str(blocked))
    output = run(JanoReport, model=accelerated, latent={"samples": sample(accelerated)}, save=True)
    assert re.search(rf"\n\| Not saved \| .*: {re.escape(str(blocked))}.* \|$", next(iter(output.ui["text"])))
    assert json.loads(output.args[1])["verdict"] == "accelerated"


def test_a_prefix_that_is_no_text_is_refused_in_one_sentence(accelerated: ModelPatcher) -> None:
    latent = {"samples": sample(accelerated)}
    with pytest.raises(ValueError, match="^Jano: filename_prefix must be a text, but it is a NoneType.$"):
        run(JanoReport, model=accelerated, latent=latent, save=True, filename_prefix=None)


def test_the_size_of_a_clip_is_that_of_what_it_is_decoded_to(wan: ModelPatcher) -> None:
    assert size_told(wan, torch.zeros(1, 16, 3, 8, 6)) == "48 x 64 x 9"


def test_a_comparison_brings_both_pictures_for_the_slider() -> None:
    clip = torch.rand(40, 16, 16, 3) * 0.5
    other = clip.clone()
    other[17] += 0.2
    shown = run(JanoCompare, reference=clip, image=other).ui
    assert len(shown["a_images"]) == len(shown["b_images"]) == len(shown["frames"]) == 13
    assert (shown["frames"][0], shown["frames"][-1], shown["worst"]) == (1, 40, [18])
    assert 18 in shown["frames"]
    assert shown["jano"][0]["worst_frame"] == 18
