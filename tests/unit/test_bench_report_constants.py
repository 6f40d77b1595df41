"""What a moved constant changes is told prompt by prompt, and every constant of the control has its line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from comfyui_jano.bench import report_constants
from comfyui_jano.bench.constants import KEY, code, every, instead
from comfyui_jano.host.location import ROOT
from comfyui_jano.jano.whole import control

ABOUT = {"model": "ab", "kind": "patches", "way": "target 2x"}
ROOMS = ("whole/control.py", "forecast/repair.py", "whole/errors.py")


def row(constant: str, factor: float, prompt: int, psnr: float, source: str | None = None) -> dict:
    found = {**ABOUT, "code": source or code(), "constant": constant, "factor": factor, "prompt": prompt}
    assert set(KEY) <= found.keys()
    return {**found, "share": 0.5, "psnr_db": psnr}


def written(folder: Path, rows: list[dict]) -> str:
    (folder / "constants.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rows), encoding="utf-8")
    report_constants.write(folder)
    return (folder / "CONSTANTS.md").read_text(encoding="utf-8")


def test_cells_tell_the_change_and_on_how_many_prompts(tmp_path: Path) -> None:
    order = "whole/control.py: ORDER"
    old = [row("", 1.0, 0, 90.0, "old"), row(order, 0.5, 0, 10.0, "old")]
    before = [row("", 1.0, 0, 20.0), row("", 1.0, 1, 30.0)]
    moved = [row(order, 0.5, 0, 21.0), row(order, 0.5, 1, 27.0)]
    told = written(tmp_path, [*old, *before, *moved])
    assert "As it is: target 2x: 25.0 dB at 50%." in told
    assert "| whole/control.py | ORDER | 1.5 | 0.75 | -1.00 (1 up, 1 down of 2) |" in told
    assert "not moved: a mark, no size" in told


def test_rows_of_other_constants_are_not_told_beside_these(tmp_path: Path) -> None:
    """What -0.7 and -0.35 had done was told of -0.65 and -0.325."""
    (tmp_path / "CONSTANTS.md").write_text("of another source", encoding="utf-8")
    order = "whole/control.py: ORDER"
    assert written(tmp_path, [row("", 1.0, 0, 90.0, "old"), row(order, 0.5, 0, 10.0, "old")]) == "of another source"


@pytest.mark.parametrize("room", ROOMS)
def test_every_constant_of_a_room_is_in_the_table(room: str) -> None:
    source = (ROOT / "jano" / room).read_text(encoding="utf-8")
    lines = re.findall(r"^([A-Z][A-Z_, ]+) = ", source, re.MULTILINE)
    defined = {name for line in lines for name in line.split(", ")}
    assert defined == {name for constant in every() if constant.room == room for name in constant.names}


def test_a_constant_is_moved_while_it_is_measured_and_no_longer() -> None:
    (order,) = [constant for constant in every() if constant.names == ("ORDER",)]
    before = control.ORDER
    with instead(order, order.at(2.0)):
        assert 2 * before == control.ORDER
    assert before == control.ORDER
    (gap,) = [constant for constant in every() if constant.names == ("FEWEST_OF_A_BUDGET",)]
    assert gap.at(0.5) == (2,), "counts stay counts"
