"""A file's weights are told by names and shapes: what fits is taken whole, all else is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from comfyui_jano.flash_vaed import weights as weights_module
from comfyui_jano.flash_vaed.layout import student_of, without_meaning
from comfyui_jano.flash_vaed.ltx import LTXStudent, LTXWidths
from comfyui_jano.flash_vaed.wan import WanStudent, WanWidths
from comfyui_jano.flash_vaed.weights import read_weights, write_safetensors
from comfyui_jano.tests.filled import filled, shapes_in, shapes_of
from safetensors.torch import save_file
from torch import Tensor

NARROW = WanWidths(deep=32, entry=16, middle=32, fine=8, finest=4)
NARROW_LTX = LTXWidths(latent=16, deep=64, fine=8, finest=4)


def empty(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """Weights that have a shape and take no memory."""
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def narrow() -> dict[str, Tensor]:
    return filled(shapes_in(WanStudent(NARROW)))


def sentence(weights: dict[str, Tensor]) -> str:
    with pytest.raises(ValueError, match="^some.pth ") as refusal:
        student_of(weights, "some.pth")
    text = str(refusal.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


# --- what fits


@pytest.mark.parametrize(
    "widths", [WanWidths(), NARROW, WanWidths(latent=8, deep=48, entry=24, middle=40, fine=6, finest=5, colours=4)]
)
def test_widths_are_read_from_the_shapes(widths: WanWidths) -> None:
    with torch.device("meta"):
        weights = WanStudent(widths).state_dict()
    student, kept = student_of(weights, "")
    assert student.widths == widths
    assert kept.keys() == weights.keys()


@pytest.mark.parametrize("extra", [{}, {"mean_of_means": [128], "std_of_means": [1, 128, 1, 1, 1]}])
def test_the_released_ltx_file_is_taken_without_its_encoder(extra: dict[str, list[int]]) -> None:
    statistics = {name: torch.randn(shape) for name, shape in extra.items()}
    weights = empty(shapes_of("student_ltx")) | {"latents_mean": torch.zeros(128), "latents_std": torch.ones(128)}
    student, kept = student_of(weights | statistics, "")
    assert student.widths == LTXWidths()
    assert not any(name.startswith("encoder.") for name in kept)
    for name, other in (("latents_mean", "mean_of_means"), ("latents_std", "std_of_means")):
        assert torch.equal(kept[name], statistics.get(other, weights[name]).flatten())


def test_statistics_that_say_something_come_before_defaults() -> None:
    weights = filled(shapes_in(LTXStudent(NARROW_LTX)))
    told = {"latents_mean": torch.randn(16), "latents_std": torch.rand(16)}
    default = {"mean_of_means": torch.zeros(16), "std_of_means": torch.ones(16)}
    kept = student_of(weights | told | default, "")[1]
    assert torch.equal(kept["latents_mean"], told["latents_mean"])


def test_a_file_without_statistics_gets_defaults() -> None:
    weights = filled(shapes_in(LTXStudent(NARROW_LTX)))
    del weights["latents_mean"], weights["latents_std"]
    kept = student_of(weights, "")[1]
    assert torch.equal(kept["latents_mean"], torch.zeros(16))
    assert torch.equal(kept["latents_std"], torch.ones(16))


# --- what does not


def test_wan_layouts_are_told_apart() -> None:
    original = empty(shapes_of("teacher_wan"))
    assert "original Wan 2.1 VAE" in sentence(original)
    assert "(width 24), such as LightVAE" in sentence(original | empty({"decoder.head.0.gamma": [24, 1, 1, 1]}))
    later = empty({"decoder.upsamples.0.upsamples.0.residual.2.weight": [1024, 1024, 3, 3, 3]})
    assert "Wan 2.2 VAE" in sentence(original | later)


def test_ltx_versions_are_told_apart() -> None:
    diffusers = empty(shapes_of("teacher_ltx_diffusers"))
    assert "original LTX-Video 0.9 VAE in diffusers' layout; no stock node reads it so" in sentence(diffusers)
    first = "decoder.up_blocks.0.res_blocks.0.conv1.conv.weight"
    entry = {"decoder.conv_in.conv.weight": [512, 128, 3, 3, 3]}
    assert "original LTX-Video 0.9 VAE in its own layout" in sentence(empty(entry | {first: [512, 512, 3, 3, 3]}))
    assert "LTX-Video 0.9.1 or later" in sentence(empty(entry | {first: [1024, 1024, 3, 3, 3]}))
    later = {"decoder.mid_block.resnets.0.conv1.conv.weight": [1024, 1024, 3, 3, 3]}
    assert "LTX-Video 0.9.1 or later" in sentence(diffusers | empty(later))


@pytest.mark.parametrize(
    ("name", "shape", "told"),
    [
        ("decoder.22.bias", [3], "TAEHV or LightTAE"),
        ("taesd_decoder.1.weight", [64, 4, 3, 3], "TAESD"),
        ("decoder.conv_in.weight", [512, 4, 3, 3], "VAE for pictures"),
        ("decoder.up_blocks.0.resnets.0.norm1.weight", [512], "VAE for pictures as diffusers has it"),
        ("decoder.conv_in.conv.weight", [512, 16, 3, 3, 3], "VAE for another video model"),
        ("decoder.mid_block.resnets.0.norm1.gamma", [384, 1, 1, 1], "as diffusers has it"),
        ("model.diffusion_model.blocks.0.weight", [8, 8], "whole checkpoint"),
        ("blocks.0.lora_down.weight", [8, 8], "LoRA"),
        ("something.weight", [8, 8], "no decoder that is known here (weights: 1, something.weight first)"),
    ],
)
def test_other_files_are_named(name: str, shape: list[int], told: str) -> None:
    assert told in sentence(empty({name: shape}))


def test_a_file_of_no_weights_is_named() -> None:
    assert "(weights: 0, none first)" in sentence({})


def test_missing_weights_are_counted() -> None:
    weights = narrow()
    del weights["decoder.upsamples.9.shortcut.bias"], weights["decoder.head.2.bias"]
    assert "is incomplete: it lacks weights (2 of 156, such as decoder.head.2.bias)" in sentence(weights)


@pytest.mark.parametrize("name", ["conv2.weight", "decoder.head.2.weight"])
def test_missing_weights_that_tell_widths_are_named(name: str) -> None:
    weights = narrow()
    del weights[name]
    assert name in sentence(weights)


def test_weights_too_many_are_named() -> None:
    assert "has weights that none has (1, such as decoder.more)" in sentence(
        narrow() | {"decoder.more": torch.zeros(1)}
    )


WIDTH_TELLING = (
    "conv2.weight",
    "decoder.conv1.weight",
    "decoder.upsamples.4.residual.3.gamma",
    "decoder.head.2.weight",
)
WIDTH_TELLING_LTX = ("decoder.conv_in.conv.weight", "decoder.up_blocks.3.conv_in.conv1.conv.weight")


@pytest.mark.parametrize("shape", [(), (0,), (0, 3, 3)])
@pytest.mark.parametrize("name", WIDTH_TELLING + WIDTH_TELLING_LTX)
def test_weights_that_tell_no_width_are_named_with_their_shape(name: str, shape: tuple[int, ...]) -> None:
    weights = narrow() if name in WIDTH_TELLING else filled(shapes_in(LTXStudent(NARROW_LTX)))
    assert f"{name} has the shape {shape}, which tells no number of channels" in sentence(
        weights | {name: torch.zeros(shape)}
    )


@pytest.mark.parametrize("name", ["decoder.head.0.gamma", "decoder.up_blocks.0.res_blocks.0.conv1.conv.weight"])
def test_other_files_with_single_numbers_in_place_of_weights_get_a_sentence(name: str) -> None:
    others = empty(shapes_of("teacher_wan")) | empty({"decoder.conv_in.conv.weight": [512, 128, 3, 3, 3]})
    assert sentence(others | empty({name: []}))


@pytest.mark.parametrize("shape", [(8,), (), (8, 8, 3, 3, 3)])
def test_other_shapes_are_named(shape: tuple[int, ...]) -> None:
    name = "decoder.upsamples.9.residual.2.weight"
    assert f"{name} with {shape}" in sentence(narrow() | {name: torch.zeros(shape)})


# --- files


def saved(path: Path, content: object, **how: bool) -> Path:
    torch.save(content, path, **how)
    return path


class Harmful:
    """Runs code when it is unpickled by someone careless."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("harm",)


def test_weights_are_the_same_from_either_kind_of_file(tmp_path: Path) -> None:
    weights = narrow()
    save_file(weights, tmp_path / "misnamed.pth")
    new, old = saved(tmp_path / "new.pth", weights), tmp_path / "old.pth"
    saved(old, weights, _use_new_zipfile_serialization=False)
    for path in (tmp_path / "misnamed.pth", new, old):
        read = read_weights(path)
        assert read.keys() == weights.keys()
        assert all(torch.equal(read[name], weights[name]) for name in weights)


@pytest.mark.parametrize("new", [True, False])
def test_no_code_of_a_pickle_is_run(tmp_path: Path, monkeypatch, new: bool) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path / "some.pth", narrow() | {"more": Harmful()}, _use_new_zipfile_serialization=new)
    with pytest.raises(ValueError, match="^some.pth must hold tensors by name and nothing else, but holds objects"):
        read_weights(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"state_dict": {"a": torch.zeros(1)}}, "a dict under 'state_dict'"),
        ({"epoch": 3}, "a int under 'epoch'"),
        ({0: torch.zeros(1)}, "a Tensor under 0"),
        ([torch.zeros(1)], "a list"),
    ],
)
def test_a_pickle_with_anything_but_tensors_is_refused(tmp_path: Path, content: object, found: str) -> None:
    with pytest.raises(ValueError, match=f"^some.pth must hold tensors by name and nothing else, but holds {found},"):
        read_weights(saved(tmp_path / "some.pth", content))


@pytest.mark.parametrize("kind", ["new", "old", "safetensors"])
@pytest.mark.parametrize("share", [0.3, 0.99])
def test_files_cut_short_are_named(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / "some.pth"
    if kind == "safetensors":
        save_file(narrow(), path)
    else:
        saved(path, narrow(), _use_new_zipfile_serialization=kind == "new")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match="^some.pth is damaged or was not downloaded to its end"):
        read_weights(path)


@pytest.mark.parametrize("content", [b"\0", b"<!DOCTYPE html><html>", b"version https://git-lfs.github.com/spec/v1\n"])
def test_what_is_no_file_of_weights_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "some.pth").write_bytes(content)
    with pytest.raises(ValueError, match="^some.pth is no file of weights: it begins with"):
        read_weights(tmp_path / "some.pth")


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "some.pth").touch()
    with pytest.raises(ValueError, match="^some.pth is empty: .* download it again"):
        read_weights(tmp_path / "some.pth")


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.pth"):
        with pytest.raises(ValueError, match=f"^{path} cannot be read"):
            read_weights(path)


def test_a_file_is_written_once(tmp_path: Path) -> None:
    path, weights = tmp_path / "some.safetensors", narrow()
    assert write_safetensors(path, weights, {"converted_from": "some.pth"})
    assert all(torch.equal(tensor, weights[name]) for name, tensor in read_weights(path).items())
    assert not write_safetensors(path, {"other": torch.zeros(1)}, {})
    assert read_weights(path).keys() == weights.keys()


def test_no_half_file_is_left(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights_module, "save", full)
    with pytest.raises(OSError, match="No space left"):
        write_safetensors(tmp_path / "a.safetensors", {"a": torch.zeros(1)}, {})
    assert not list(tmp_path.iterdir())


# --- weights that fit, and say nothing


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (lambda tensor: tensor.to(torch.int8), "holds int8 in place of weights"),
        (lambda tensor: tensor * float("nan"), "holds values that are not finite numbers"),
        (lambda tensor: tensor / 0.0, "holds values that are not finite numbers"),
    ],
)
def test_weights_without_meaning_are_named(spoilt: Callable[[Tensor], Tensor], said: str) -> None:
    weights = {"first": torch.ones(2), "second": torch.ones(3)}
    assert without_meaning(weights) == ""
    assert without_meaning(weights | {"second": spoilt(weights["second"])}) == f"second {said}"
