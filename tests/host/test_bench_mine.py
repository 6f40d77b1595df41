"""A user's own model, measured with one command: here the demo's, and what is said where files are not what they are
named to be."""

from __future__ import annotations

import json
import math
import os
import subprocess
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from comfyui_jano.bench import mine
from comfyui_jano.bench.arms import QUALITIES
from comfyui_jano.bench.own_model.subject import empty_latent, shifted, subject_of
from comfyui_jano.bench.own_model.usual import Usual
from comfyui_jano.host.location import ROOT, Host, HostError
from comfyui_jano.tests.host import tiny
from PIL import Image

MODELS = ROOT / "demo" / "models"
UNSAID = ("checkpoint", "unet", "clip", "clip_type", "vae", "prompt", "scheduler", "shift", "guidance")
UNSAID += ("steps", "cfg", "sampler", "width", "height", "frames", "side")


def said(**options: object) -> Namespace:
    """The command line, with what it says."""
    usual = {"device": "cpu", "model": "flux", "negative": "", "seed": 42, "weight_dtype": "default"}
    return Namespace(**{**dict.fromkeys(UNSAID), **usual, **options})


def test_a_run_leaves_a_sheet_and_a_line_to_paste(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine.measure(said(side=128, steps=[12], out=tmp_path))
    printed = capsys.readouterr().out
    told = json.loads(printed.split(mine.BEGIN)[1].split(mine.END)[0])
    assert told == json.loads((tmp_path / "mine.json").read_text())
    assert {"jano", "comfyui", "torch", "device_name", "network", "sampler", "steps", "width"} <= told.keys()
    full, *runs = told["runs"]
    assert (full["quality"], full["computed"]) == ("full", 1.0)
    assert [run["quality"] for run in runs] == list(QUALITIES)
    assert all(run["seconds"] > 0 for run in told["runs"])
    computed, psnr = [run["computed"] for run in runs], [run["psnr_db"] for run in runs]
    assert computed == sorted(computed, reverse=True)
    assert computed[-1] < 0.7
    assert psnr[0] > psnr[-1] > 15
    width, height = Image.open(tmp_path / "mine.png").size
    assert width > 5 * 240
    assert height > 240
    for quality in QUALITIES:
        assert f"| {quality} |" in printed


def nan_in(monkeypatch: pytest.MonkeyPatch, *which: int) -> None:
    """Pictures by their number, full first, come out of the decoder with a value that is no number."""
    decoded, count = mine.decoded, iter(range(99))
    monkeypatch.setattr(mine, "decoded", lambda *args: decoded(*args).fill_(math.nan if next(count) in which else 0.5))


def test_without_a_picture_in_full_there_is_nothing_to_compare_with(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = subject_of(said(side=64, steps=[9]))
    nan_in(monkeypatch, 0)
    with (
        torch.inference_mode(),
        pytest.raises(HostError, match="^the picture in full cannot be compared with: .* finite numbers [^\n]*$"),
    ):
        mine.runs(subject, "cpu")


def test_a_quality_without_a_picture_ends_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    subject = subject_of(said(side=64, steps=[9]))
    nan_in(monkeypatch, 2)
    with torch.inference_mode():
        rows, columns = mine.runs(subject, "cpu")
    assert [row["quality"] for row in rows if "no_picture" in row] == [QUALITIES[1]]
    assert [("psnr_db" in row) for row in rows[1:]] == [True, False, True, True]
    assert f"no picture: {mine.NOT_FINITE}" in columns[2][1][1]
    assert mine.NOT_FINITE in mine.line(rows[2])[-1]
    assert "nan" not in json.dumps(rows).lower()
    mine.sheet.save(tmp_path / "sheet.png", "title", columns)


TINY_FLUX = MODELS / "jano_tiny_flux.safetensors"
COMPLAINTS = {
    "no such file": ({"unet": Path("nothing.safetensors")}, "there is no file nothing.safetensors"),
    "a VAE": ({"unet": MODELS / "jano_tiny_flux_vae.safetensors"}, "does not load as a diffusion model"),
    "not a model": ({"checkpoint": ROOT / "README.md"}, "does not load as a checkpoint"),
    "no encoder": ({"unet": TINY_FLUX}, "no text encoder was named"),
    "no model": ({"vae": TINY_FLUX}, "name the model too"),
    "no sampler": ({"sampler": "best"}, "the host has no sampler 'best'; choose one of euler"),
    "no steps": ({"steps": [0]}, "must be 1 or more"),
    "another bed": ({"model": "patches"}, "mine measures files"),
}


@pytest.mark.parametrize("case", COMPLAINTS)
def test_what_cannot_be_measured_is_said_in_one_sentence(case: str) -> None:
    options, sentence = COMPLAINTS[case]
    with pytest.raises(HostError, match="^[^\n]+$") as complaint:
        subject_of(said(**options))
    assert sentence in str(complaint.value)


def test_files_that_do_not_belong_together_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = subject_of(said(side=64, steps=[9]))
    wrong = [[torch.zeros(1, 77, 4096), {"pooled_output": torch.zeros(1, 768)}]]
    object.__setattr__(subject, "positive", wrong)
    with pytest.raises(HostError, match="cannot be sampled together"):
        mine.warm_up(subject)


def test_latents_are_as_large_as_the_family_s() -> None:
    how = Usual(width=128, height=64, frames=9)
    assert empty_latent(tiny.flux(), how).shape == (1, 16, 8, 16)
    assert empty_latent(tiny.wan(), how).shape == (1, 16, 3, 8, 16)
    with pytest.raises(HostError, match="multiples of 8"):
        empty_latent(tiny.flux(), Usual(width=100))


def test_a_shift_is_set_where_there_is_one() -> None:
    wan, flux = tiny.wan(), tiny.flux()
    assert shifted(wan, 5.0, said=True).get_model_object("model_sampling").shift == 5.0
    assert shifted(flux, 5.0, said=False) is flux
    with pytest.raises(HostError, match="no shift to set"):
        shifted(flux, 5.0, said=True)


def test_the_command_ends_with_a_sentence(host: Host, tmp_path: Path) -> None:
    command = [str(host.python), str(ROOT / "bench" / "run.py"), "mine", "--out", str(tmp_path)]
    environment = {**os.environ, "COMFYUI_PATH": str(tmp_path), "COMFYUI_PYTHON": str(host.python)}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"jano: there is no ComfyUI in {tmp_path}")


def test_results_that_have_no_folder_are_told_before_anything_is_measured(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for out in (file, file / "below"):
        command = [str(host.python), str(ROOT / "bench" / "run.py"), "mine", "--out", str(out)]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.returncode == 1
        assert ended.stderr.startswith(f"jano: --out {out} cannot be a folder for results (")
        assert len(ended.stderr.splitlines()) == 1
    assert file.read_text() == "mine"
