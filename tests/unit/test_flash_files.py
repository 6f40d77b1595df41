"""The files of a small decoder: their names, what is never overwritten, what stays where a report cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from comfyui_jano.flash_vaed import files
from comfyui_jano.flash_vaed.checkpoint import load_about, save_checkpoint
from comfyui_jano.flash_vaed.compress import Recipe
from comfyui_jano.flash_vaed.distill import Plan
from comfyui_jano.flash_vaed.files import check_name, check_path, report_path
from comfyui_jano.flash_vaed.lessons import Size
from comfyui_jano.flash_vaed.make import Order, make_student
from comfyui_jano.tests.small_teacher import small_clips, small_teacher
from safetensors.torch import load_file


@pytest.mark.parametrize("name", ["CON", "nul", "Aux", "com1", "LPT9", "prn.fast", "NUL .x", "COM\u00b9", "conin$"])
def test_names_of_devices_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is the name of a device on Windows"):
        check_name(name)


@pytest.mark.parametrize("name", ["", "a.", "a ", " a", "a. .", "..", "a:b", "a?", 'a"b', "a\nb", "a\\b"])
def test_names_that_some_system_does_not_take_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a file"):
        check_name(name)


@pytest.mark.parametrize("name", ["console", "com", "com10", "v1.5 wan", "nulled", "a.con", "schnell_\u00fc"])
def test_other_names_are_taken(name: str, tmp_path: Path) -> None:
    check_path(tmp_path / f"{name}.safetensors")


def test_a_report_in_the_way_is_told_before_anything_is_made(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    report_path(path, ".md").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="small_report.md is there already and is not overwritten"):
        check_path(path)


def made(path: Path) -> tuple[dict, Path]:
    order = Order(path, Recipe((0.5, 0.5), refit=False), Plan(steps=(0, 0, 1), batch=2, size=Size(2, 2), windows=2))
    return make_student(small_teacher(), small_clips(3), order, torch.device("cpu")), order.checkpoint


@pytest.mark.parametrize("suffix", [".json", ".md"])
def test_a_report_that_appears_meanwhile_stays_and_the_weights_are_kept(
    suffix: str, tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "small.safetensors"
    wrote = files.write

    def write(*what: object) -> None:
        wrote(*what)
        report_path(path, suffix).write_text("another's")

    monkeypatch.setattr("comfyui_jano.flash_vaed.make.write", write)
    report, checkpoint = made(path)
    assert f"small_report{suffix} has appeared in the meantime and is not overwritten" in report["missing"]
    assert report["missing"] in files.markdown(report)
    assert report_path(path, suffix).read_text() == "another's"
    assert load_file(path)
    assert not checkpoint.exists()


def test_a_report_that_cannot_be_written_is_told_and_the_weights_are_kept(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "small.safetensors"
    opened = Path.open

    def full(self: Path, mode: str = "r", *how: object, **more: object) -> object:
        if mode == "x":
            raise OSError(28, "No space left on device")
        return opened(self, mode, *how, **more)

    monkeypatch.setattr(Path, "open", full)
    report, _ = made(path)
    assert report["missing"] == (
        "small.safetensors was made, but its report small_report.json could not be written (No space left on device)."
    )
    assert load_file(path)


def test_half_a_report_is_not_left(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    report = {"name": float}  # JSON has no such thing
    with pytest.raises(TypeError):
        files.write_reports(path, report)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("fault", "words"), [(28, "could not be written"), (None, "has appeared in the meantime")])
def test_weights_that_cannot_be_written_leave_the_training(
    fault: int | None, words: str, tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "small.safetensors"

    def write(*_: object) -> bool:
        if fault:
            raise OSError(fault, "No space left on device")
        return False

    monkeypatch.setattr(files, "write_safetensors", write)
    with pytest.raises(ValueError, match=f"{words}.*start the same again"):
        made(path)
    assert [one.name for one in tmp_path.iterdir()] == ["small.training"]


def test_a_checkpoint_that_cannot_be_written_is_told_and_leaves_the_earlier_one(tmp_path: Path, monkeypatch) -> None:
    path, weights = tmp_path / "small.training", {"a": torch.zeros(1)}
    save_checkpoint(path, {"step": 1}, weights, weights, {})

    def full(tensors: dict, name: str, about: dict) -> None:
        Path(name).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("comfyui_jano.flash_vaed.checkpoint.save_file", full)
    with pytest.raises(ValueError, match="small.training could not be written.*goes on from what it holds"):
        save_checkpoint(path, {"step": 2}, weights, weights, {})
    assert load_about(path) == {"step": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["small.training"]
