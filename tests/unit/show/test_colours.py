"""A level, and a kind of step, has one colour: in pictures of the report, on the map of the page, in its strip."""

import re

import pytest
from comfyui_jano.host.location import ROOT
from comfyui_jano.jano.levels.map import Level
from comfyui_jano.jano.show.render import LEVEL_COLOURS, RGB, STEP_COLOURS
from comfyui_jano.jano.show.report import StepClass

VIEW = (ROOT / "web" / "run_view.js").read_text(encoding="utf-8")
STYLE = (ROOT / "web" / "jano.css").read_text(encoding="utf-8")


def in_bytes(colour: RGB) -> list[int]:
    return [round(255 * part) for part in colour]


@pytest.mark.parametrize("level", Level)
def test_the_map_on_the_page_has_the_colours_of_the_picture(level: Level) -> None:
    table = re.search(r"LEVEL_COLOURS = \{(.*?)\};", VIEW).group(1)
    colour = re.search(rf"\b{int(level)}: \[([\d, ]+)\]", table).group(1)
    assert [int(part) for part in colour.split(",")] == in_bytes(LEVEL_COLOURS[level])


@pytest.mark.parametrize("step_class", StepClass)
def test_the_strip_on_the_page_has_the_colours_of_the_chart(step_class: StepClass) -> None:
    colour = re.search(rf"\.jano-{step_class} \{{ background: #([0-9a-f]{{6}});", STYLE).group(1)
    assert list(bytes.fromhex(colour)) == in_bytes(STEP_COLOURS[step_class])


def test_no_two_levels_look_alike() -> None:
    assert len({tuple(in_bytes(colour)) for colour in LEVEL_COLOURS.values()}) == len(Level)
