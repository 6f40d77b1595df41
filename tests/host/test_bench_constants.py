"""Constants are moved in runs of the host and of the plain loop alike, and each is as it was afterwards."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from comfyui_jano.bench import constants
from comfyui_jano.bench.records import Lines
from comfyui_jano.jano.whole import control
from comfyui_jano.tests.host.test_bench_patches import made


def test_a_moved_constant_changes_the_run_and_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = [one for one in constants.every() if one.names in (("FADING",), ("LOOK",), ("settling",), ("UNCOUNTED",))]
    monkeypatch.setattr(constants, "loaded", lambda args: made())
    monkeypatch.setattr(constants, "every", lambda: order)
    before = control.FADING
    asked = argparse.Namespace(out=tmp_path, prompts=1, model="patches")
    constants.measure(asked)
    rows = list(Lines(tmp_path / constants.FILE, constants.KEY))
    # As it is in seven ways; one constant at two values in three, one with two targets, one in its own.
    assert len(rows) == 7 + 2 * 3 + 2 * 2 + 2
    found = {(row["constant"], row["factor"]): row["psnr_db"] for row in rows if row["way"] == "target 3x"}
    assert len(set(found.values())) == len(found) == 5, "every value makes another picture"
    assert before == control.FADING
    size = (tmp_path / constants.FILE).stat().st_size
    constants.measure(asked)
    assert (tmp_path / constants.FILE).stat().st_size == size
