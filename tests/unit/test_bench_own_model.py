"""The usual values of families, and the sheet of pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import comfy.samplers
import comfy.sd
import comfy.supported_models
import pytest
import torch
from comfyui_jano.bench.own_model import memory, sheet
from comfyui_jano.bench.own_model.usual import OTHERWISE, USUAL, usual_of
from PIL import Image


@pytest.mark.parametrize("family", USUAL)
def test_usual_values_are_the_host_s_own_words(family: str) -> None:
    how = usual_of(getattr(comfy.supported_models, family))
    assert how is USUAL[family]
    assert how.sampler in comfy.samplers.SAMPLER_NAMES
    assert how.scheduler in comfy.samplers.SCHEDULER_NAMES
    assert how.clip_type.upper() in comfy.sd.CLIPType.__members__


def test_a_family_has_the_values_of_the_nearest_one_that_is_known() -> None:
    assert usual_of(comfy.supported_models.WAN21_I2V) is USUAL["WAN21_T2V"]
    assert usual_of(comfy.supported_models.WAN22_T2V) is USUAL["WAN22_T2V"]
    assert usual_of(comfy.supported_models.AuraFlow) is OTHERWISE


def test_a_sheet_has_a_column_for_every_picture_and_shows_it(tmp_path: Path) -> None:
    red, blue = torch.zeros(2, 5, 64, 96, 3)
    red[..., 0], blue[..., 2] = 1.0, 1.0
    sheet.save(tmp_path / "sheet.png", "a title " * 40, [(red, ["full", "1 s"]), (blue, ["fast: 2x", "0.5 s"])])
    picture = Image.open(tmp_path / "sheet.png").convert("RGB")
    height = sheet.NARROWEST * 64 // 96
    assert picture.width == 3 * sheet.GAP + 2 * sheet.NARROWEST
    assert picture.height > sheet.FRAMES_OF_A_CLIP * height
    middle = sheet.LINE + 2 * sheet.GAP + height // 2
    first = sheet.GAP + sheet.NARROWEST // 2
    assert picture.getpixel((first, middle)) == (255, 0, 0)
    assert picture.getpixel((first + sheet.GAP + sheet.NARROWEST, middle)) == (0, 0, 255)
    darkest = min(low for low, _ in picture.crop((0, 0, picture.width, 30)).getextrema())
    assert darkest < 100  # the title


PEAKS = """
import torch
import memory

held = torch.ones(64 * 2**20)
del held
print(memory.begin("cpu"), memory.peak("cpu"))
held = torch.ones(16 * 2**20)
print(memory.peak("cpu"))
"""


def test_the_peak_of_memory_begins_anew() -> None:
    """In a process of its own: what the threads of other tests free here in between is no fault."""
    room = Path(memory.__file__).parent
    found = subprocess.run([sys.executable, "-c", PEAKS], cwd=room, capture_output=True, text=True, check=True)
    told, before, peak = found.stdout.split()
    if told == "True":  # not every system tells
        assert 0.8 * 64 * 2**20 < int(peak) - int(before) < 1.5 * 64 * 2**20


@pytest.mark.parametrize(
    ("status", "told"),
    [
        pytest.param("VmHWM:\t  900 kB\nVmRSS:\t  400 kB\n", False, id="the request is ignored"),
        pytest.param("VmHWM:\t  400 kB\nVmRSS:\t  400 kB\n", True, id="begun"),
        pytest.param("Name:\tpython\n", False, id="not told"),
        pytest.param(None, False, id="no such file"),
    ],
)
def test_no_peak_is_told_that_did_not_begin_anew(
    status: str | None, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PROCESS", tmp_path)
    if status is not None:
        (tmp_path / "status").write_text(status)
    assert memory.begin("cpu") is told
