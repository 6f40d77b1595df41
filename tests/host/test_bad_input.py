"""Whatever is given to a node's inputs over the API works, or is refused in one sentence: before queueing if it can be.

The host checks links by type and widgets by range, and passes any literal on where a link belongs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import comfy.sample
import comfy.utils
import execution
import folder_paths
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.nested_tensor import NestedTensor
from comfy_extras.nodes_primitive import Float
from comfyui_jano.jano.adapters.patch import analyze
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import SCORES, AnalyzerConfig
from comfyui_jano.jano.show.headline import summary, table
from comfyui_jano.jano.show.told import account_of
from comfyui_jano.nodes.compare import JanoCompare
from comfyui_jano.nodes.convergence_map import JanoConvergenceMap
from comfyui_jano.nodes.model_loader import JanoModelLoader
from comfyui_jano.nodes.report import JanoReport
from comfyui_jano.nodes.tune import JanoAnalyzer, JanoScheduler
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.test_nodes import alexnet, prepared, run
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from comfyui_jano.tests.host.tiny_others import audio_with_video
from torch import Tensor

import nodes

NODES = (JanoModelLoader, JanoAnalyzer, JanoScheduler, JanoConvergenceMap, JanoReport, JanoCompare)
NAN = float("nan")

# --- before queueing, by the host's own validation of a prompt


class AnyModel:
    """A node that gives a MODEL; it is never run."""

    FUNCTION, RETURN_TYPES = "make", ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {}}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = {node.GET_SCHEMA().node_id: node for node in NODES}
    for name, node in {**mine, "AnyModel": AnyModel, "PrimitiveFloat": Float}.items():
        monkeypatch.setitem(nodes.NODE_CLASS_MAPPINGS, name, node)


def prompt(**inputs: object) -> dict:
    """A Scheduler with its defaults but for `inputs`, and a Report behind it."""
    schema = JanoScheduler.GET_SCHEMA()
    defaults = {field.id: field.default for field in schema.inputs if getattr(field, "default", None) is not None}
    return {
        "1": {"class_type": "AnyModel", "inputs": {}},
        "2": {"class_type": "JanoScheduler", "inputs": {**defaults, "model": ["1", 0], **inputs}},
        "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "4": {"class_type": "JanoReport", "inputs": {"model": ["2", 0], "latent": ["3", 0]}},
        "5": {"class_type": "PrimitiveFloat", "inputs": {"value": 0.9}},
    }


def refusals(asked: dict) -> set[str]:
    """What the host says to the prompt, without the names of inputs in front."""
    with ThreadPoolExecutor(1) as pool:  # the browser tests leave a loop in this thread
        valid, _, _, errors = pool.submit(lambda: asyncio.run(execution.validate_prompt("id", asked, None))).result()
    assert valid is not bool(errors)
    assert set(errors) <= {"2"}
    found = errors.get("2", {"errors": []})["errors"]
    return {error["details"].partition(" - ")[2] or error["message"] for error in found}


SWAPPED = {"static_threshold": 0.9, "moderate_threshold": 0.4}
SWAPPED_SENTENCE = "Jano: static_threshold 0.9 must not be above moderate_threshold 0.4."


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (SWAPPED, SWAPPED_SENTENCE),
        (
            {"active_interval": 3},
            "Jano: intervals must not shrink from active_interval over moderate_interval to "
            "static_interval, but they are (3, 2, 2).",
        ),
        ({"target_speedup": 0.5}, "Jano: target_speedup is 0 (off) or between 1 and 4, not 0.5."),
        ({"target_speedup": 5}, "Jano: target_speedup is 0 (off) or between 1 and 4, not 5.0."),
        ({"target_speedup": NAN}, "Jano: target_speedup is 0 (off) or between 1 and 4, not nan."),
        ({"static_threshold": 7}, "Jano: static_threshold is a share of the regions, 0 to 1, not 7.0."),
        ({"static_interval": 0}, "Jano: static_interval counts steps, 1 or more, not 0."),
        (
            {"quality": "ultra"},
            "Jano: quality 'ultra' is unknown; choose one of fidelity, balanced, fast, draft, target, custom.",
        ),
        ({"cooldown": 2}, "Value 2.0 bigger than max of 0.9"),  # the host's own
    ],
)
def test_what_contradicts_itself_is_refused_before_queueing(registered: None, chosen: dict, sentence: str) -> None:
    assert refusals(prompt(**{"quality": "custom", **chosen})) == {sentence}


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"quality": "custom"},
        {"quality": "custom", "target_speedup": 2},
        {"quality": "custom", "target_speedup": 1},
        {"quality": "fast", **SWAPPED},  # a preset minds none of them
        {"quality": "custom", "static_threshold": ["5", 0], "moderate_threshold": 0.4},  # known when it runs
        {"quality": "custom", "target_speedup": ["5", 0]},
    ],
)
def test_what_makes_sense_or_is_not_known_yet_is_queued(registered: None, chosen: dict) -> None:
    assert refusals(prompt(**chosen)) == set()


@pytest.mark.parametrize(
    "chosen", [SWAPPED, {"active_interval": 3}, {"target_speedup": 0.9}, {"target_speedup": NAN}, {"cooldown": None}]
)
def test_what_came_by_a_link_is_refused_in_a_sentence_when_it_runs(flux: ModelPatcher, chosen: dict) -> None:
    with pytest.raises(ValueError, match=ONE_SENTENCE):
        run(prepared(JanoScheduler), model=flux, quality="custom", **chosen)


# --- when it runs: every input of every node with everything

ONE_SENTENCE = re.compile(r"^Jano[^\n]+[^.\n]\.$")
PICTURE, LATENT = torch.rand(1, 48, 40, 3), {"samples": torch.zeros(1, 16, 6, 5)}
NESTED = NestedTensor((torch.zeros(1, 128, 2, 4, 3), torch.zeros(1, 8, 6, 16)))

LITERALS = {
    "nothing": None,
    "a text": "text",
    "no text": "",
    "a number": 3,
    "a fraction": 0.5,
    "a huge number": 10**30,
    "no number": NAN,
    "infinity": float("inf"),
    "a truth": True,
    "a dict": {},
    "a list": [],
    "a link": ["1", 0],
    "an object": object(),
}
PICTURES = {
    "one number": torch.tensor(0.5),
    "a row": torch.rand(40),
    "a mask": torch.rand(48, 40),
    "no batch": torch.rand(48, 40, 3),
    "grey": torch.rand(1, 48, 40, 1),
    "grey with alpha": torch.rand(1, 48, 40, 2),
    "with alpha": torch.rand(1, 48, 40, 4),
    "bytes": torch.randint(0, 256, (1, 48, 40, 3), dtype=torch.uint8),
    "half": torch.rand(1, 48, 40, 3).half(),
    "double": torch.rand(1, 48, 40, 3).double(),
    "no frames": torch.rand(0, 48, 40, 3),
    "no rows": torch.rand(1, 0, 40, 3),
    "no channels": torch.rand(1, 48, 40, 0),
    "one pixel": torch.rand(1, 1, 1, 3),
    "one line": torch.rand(1, 1, 900, 3),
    "another size": torch.rand(1, 24, 24, 3),
    "another length": torch.rand(3, 48, 40, 3),
    "not a number": torch.full((1, 48, 40, 3), NAN),
    "infinite": torch.full((1, 48, 40, 3), float("inf")),
    "a clip": torch.rand(1, 2, 48, 40, 3),
}
LATENTS = {
    "no samples": {"other": torch.zeros(1, 16, 6, 5)},
    "samples of text": {"samples": "text"},
    "samples without a tensor": {"samples": None},
    "bare samples": torch.zeros(1, 16, 6, 5),
    **{f"of rank {rank}": {"samples": torch.zeros([1, 16, 2, 6, 5, 4][:rank])} for rank in range(7)},
    "empty batch": {"samples": torch.zeros(0, 16, 6, 5)},
    "no cells": {"samples": torch.zeros(1, 16, 0, 5)},
    "not a number": {"samples": torch.full((1, 16, 6, 5), NAN)},
    "half": {"samples": torch.zeros(1, 16, 6, 5).half()},
    "bytes": {"samples": torch.zeros(1, 16, 6, 5, dtype=torch.uint8)},
    "several parts": {"samples": NESTED},
}
MODELS = {"without Jano": lambda model: model, "that has run": lambda model: accelerated(model)}
BY_TYPE = {"IMAGE": PICTURES, "LATENT": LATENTS, "MODEL": MODELS}


def accelerated(model: ModelPatcher) -> ModelPatcher:
    made = with_scheduler(model, "custom")
    sample(made)
    return made


def good(node: type, model: ModelPatcher) -> dict:
    """Inputs with which the node works, besides the defaults of its schema."""
    given = {"MODEL": model, "LATENT": LATENT, "IMAGE": PICTURE}
    inputs = {field.id: given[field.io_type] for field in node.GET_SCHEMA().inputs if field.io_type in given}
    return inputs if node is not JanoModelLoader else {"unet_name": "none.safetensors", "weight_dtype": "default"}


CASES = [
    pytest.param(node, field.id, value, id=f"{node.__name__} {field.id} {name}")
    for node in NODES
    for field in node.GET_SCHEMA().inputs
    for name, value in {**LITERALS, **BY_TYPE.get(field.io_type, PICTURES)}.items()
]


@pytest.mark.parametrize(("node", "name", "value"), CASES)
def test_any_value_of_any_input_works_or_is_refused_in_one_sentence(
    flux: ModelPatcher, node: type, name: str, value: object
) -> None:
    value = value(flux) if isinstance(value, Callable) else value
    quality = {"quality": "custom"} if node is JanoScheduler else {}
    outcome = attempt(prepared(node), **{**good(node, flux), **quality, name: value})
    if isinstance(outcome, FileNotFoundError):  # the host's own sentence: there is no such model file
        assert node is JanoModelLoader
    elif isinstance(outcome, Exception):
        assert ONE_SENTENCE.match(str(outcome)), outcome


def attempt(node: type, **inputs: object) -> object:
    try:
        return run(node, **inputs)
    except (ValueError, FileNotFoundError) as refusal:
        return refusal


@pytest.mark.parametrize("value", ["text", 3, {}, [], LATENT], ids=repr)
def test_a_level_map_that_is_none_is_named(flux: ModelPatcher, value: object) -> None:
    with pytest.raises(ValueError, match="^Jano: level_map must be connected to the level_map output of a Jano Conv"):
        run(prepared(JanoScheduler), model=flux, level_map=value)


# --- pictures as they come


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("frames", [1, 3])
def test_pictures_of_any_channels_are_compared_and_laid_under_the_map(
    flux: ModelPatcher, channels: int, frames: int
) -> None:
    picture = torch.rand(frames, 48, 40, channels) * 0.5
    markdown, difference = run(JanoCompare, reference=picture, image=picture + 0.1).args
    assert "20.00 dB" in markdown
    assert difference.shape[0] == frames
    model = with_scheduler(flux, "custom")
    for latent in ({"samples": sample(model)}, LATENT):  # with a map, and with a notice in its place
        assert run(JanoConvergenceMap, model=model, latent=latent, image=picture).args[0].shape[-1] == 3


def test_grey_and_colour_and_bytes_are_compared_as_what_they_show() -> None:
    grey = torch.full((1, 16, 16, 1), 51 / 255)
    for same in (grey.expand(-1, -1, -1, 3), (grey * 255).round().to(torch.uint8), grey.double()):
        assert "infinite: the pictures are equal" in run(JanoCompare, reference=grey, image=same).args[0]


def test_pictures_of_other_sizes_are_told_apart_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="^Jano Compare needs two pictures of one size, but the reference has 40 x 48"):
        run(JanoCompare, reference=PICTURE, image=PICTURES["another size"])


# --- a file of weights that is broken costs its own row and no other

FIRST = "net.slice1.0.weight"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no weights at all", "cannot be read"),
        (b"", "cannot be read"),
        ({}, "lacks net.slice1.0.weight"),
        ({FIRST: torch.zeros(64, 3, 3, 3)}, "has the shape (64, 3, 3, 3), not (64, 3, 11, 11)"),
        ({FIRST: torch.full((64, 3, 11, 11), NAN)}, "holds values that are not finite"),
    ],
    ids=["bytes", "empty", "lacking", "shape", "nan"],
)
def test_a_broken_file_of_weights_costs_lpips_alone(tmp_path, monkeypatch, content: bytes | dict, said: str) -> None:
    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path))
    (tmp_path / "lpips").mkdir()
    file = tmp_path / "lpips" / "lpips_alex.safetensors"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        comfy.utils.save_torch_file({**alexnet(), **content} if content else {"other": torch.zeros(1)}, str(file))
    markdown = run(JanoCompare, reference=torch.rand(1, 48, 48, 3) * 0, image=torch.zeros(1, 48, 48, 3) + 0.1).args[0]
    assert "| PSNR | 20.00 dB |" in markdown
    assert "| SSIM | 0." in markdown
    (row,) = [line for line in markdown.splitlines() if "LPIPS" in line]
    assert row.startswith("| LPIPS (AlexNet) | not computed: ")
    assert said in row


# --- latents of several parts, and predictions that are no numbers


@pytest.fixture(scope="module")
def two_parts() -> Iterator[tuple[ModelPatcher, NestedTensor]]:
    model, empty = audio_with_video()
    model = with_scheduler(model, "custom", {"tolerance": 1e6})
    noise = comfy.sample.prepare_noise(empty, 1)
    prompts = (tiny.conditioning(1, frame_rate=25), tiny.conditioning(2, frame_rate=25))
    with torch.inference_mode():
        made = comfy.sample.sample(model, noise, 12, 3.0, "euler", "simple", *prompts, empty, disable_pbar=True, seed=1)
    return model, made


def test_sound_with_a_clip_is_reported_whole_or_taken_apart(two_parts: tuple) -> None:
    model, made = two_parts
    assert isinstance(made, NestedTensor)
    for samples in (made, *made.unbind()):  # a graph separates the parts before it decodes them
        assert "x faster" in run(JanoReport, model=model, latent={"samples": samples}).args[0]
    other = NestedTensor([part + 1 for part in made.unbind()])
    assert "| Result | no run to report" in run(JanoReport, model=model, latent={"samples": other}).args[0]


@pytest.mark.parametrize("image", [None, torch.rand(9, 48, 40, 3)])
def test_the_map_of_sound_with_a_clip_is_the_clips(two_parts: tuple, image: Tensor | None) -> None:
    model, made = two_parts
    output = run(JanoConvergenceMap, model=model, latent={"samples": made}, image=image)
    picture, active, frozen, level_map, *_ = output.args
    assert level_map.grid.latent == (2, 4, 3)
    assert picture.shape[0] == (2 if image is None else 9)
    assert active.shape == ((2, 4, 3) if image is None else (9, 48, 40))
    assert torch.equal(active + frozen, torch.ones_like(active))


def test_sound_with_a_clip_that_another_model_made_has_no_map(two_parts: tuple) -> None:
    model, made = two_parts
    other = NestedTensor([part + 1 for part in made.unbind()])
    _, active, frozen, level_map, *_ = run(JanoConvergenceMap, model=model, latent={"samples": other}).args
    assert level_map is None
    assert active.shape == (2, 4, 3)
    assert torch.equal(active, torch.ones_like(active))
    assert torch.equal(frozen, torch.zeros_like(frozen))


SETTINGS = {"balanced": ("balanced", {}), "target": ("custom", {"target_speedup": 3.0}), "by level": ("custom", {})}
BROKEN = "the model predicted values that are not finite numbers"


ROWS = [
    *((score, fill, "by level", NAN) for score in SCORES for fill in (False, True)),
    *(("contrast", True, setting, value) for setting in SETTINGS for value in (NAN, float("inf"), 1e30)),
]


@pytest.mark.parametrize(("score", "fill_holes", "setting", "value"), ROWS)
def test_predictions_that_are_no_numbers_run_to_the_end(
    flux: ModelPatcher, score: str, fill_holes: bool, setting: str, value: float
) -> None:
    """As without Jano, and the user is told; 1e30 is one whose square is none."""
    broken = flux.clone()
    broken.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * value)
    model = with_scheduler(broken, *SETTINGS[setting])
    model = analyze(model, AnalyzerConfig(score=score, fill_holes=fill_holes))
    made = sample(model)
    report = report_of(model, made)
    if value != 1e30:
        assert torch.equal(made.isfinite(), sample(broken).isfinite())
        assert report.verdict == "native"
        assert BROKEN in report.notes
        assert BROKEN in summary(report)
    assert "NaN" not in str(account_of(report))
    assert table(report).markdown()


def test_of_a_run_of_no_numbers_nothing_else_is_the_reason(flux: ModelPatcher) -> None:
    """No target too close to 1, nor a tolerance that another quality has."""
    model = flux.clone()
    model.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * NAN)
    scheduled = with_scheduler(model, "target", {"target_speedup": 2.0})
    report = report_of(scheduled, sample(scheduled, steps=9, size=(4, 4)))
    assert report.fallbacks == [BROKEN]
