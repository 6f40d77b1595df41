"""A level, and a kind of step, has one colour: in pictures of the report, on the map of the page, in its strip."""

import re
from itertools import combinations

import pytest
from comfyui_jano.host.location import ROOT
from comfyui_jano.jano.levels.map import Level
from comfyui_jano.jano.show.render import ERROR_RAMP, LEVEL_COLOURS, PAPER, RGB, STEP_COLOURS
from comfyui_jano.jano.show.report import StepClass

LEVELS = (ROOT / "web" / "levels.js").read_text(encoding="utf-8")
TITLE = (ROOT / "web" / "title.js").read_text(encoding="utf-8")
STYLE = (ROOT / "web" / "jano.css").read_text(encoding="utf-8")
GRAPHIC, TEXT = 3.0, 4.5  # WCAG 2.2, 1.4.11 and 1.4.3
HOSTS_TITLE = {"dark": (0x99, 0x99, 0x99), "light": (0x44, 0x44, 0x44)}  # the fainter one of its two renderers
HOSTS_OWN = 4.2  # of a title on a node without colour, in the dark: 4.4
RUNS = ("accelerated", "partly", "native", "error")


def in_bytes(colour: RGB) -> list[int]:
    return [round(255 * part) for part in colour]


def contrast(one: list[int], other: list[int]) -> float:
    """Of two colours in bytes (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: list[int]) -> float:
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def styled(selector: str, name: str) -> list[int]:
    """A colour of the style sheet, in bytes; it must be one that hides what is below."""
    rules = re.search(rf"^{re.escape(selector)} \{{(.*?)\}}", STYLE, re.DOTALL | re.MULTILINE).group(1)
    return list(bytes.fromhex(re.search(rf"(?<![\w-]){name}:[^;]*#([0-9a-f]{{6}});", rules).group(1)))


@pytest.mark.parametrize("level", Level)
def test_the_map_on_the_page_has_the_colours_of_the_picture(level: Level) -> None:
    table = re.search(r"LEVEL_COLOURS = \{(.*?)\};", LEVELS).group(1)
    colour = re.search(rf"\b{int(level)}: \[([\d, ]+)\]", table).group(1)
    assert [int(part) for part in colour.split(",")] == in_bytes(LEVEL_COLOURS[level])


@pytest.mark.parametrize("step_class", sorted(set(StepClass) - {StepClass.FULL, StepClass.SKIPPED}))
def test_the_strip_has_the_colours_of_the_drawn_chart(step_class: StepClass) -> None:
    """Computed and forecast steps have the theme's; how well all are seen is measured in the page."""
    panels = ":is(.jano-run .jano-panel, .jano-report .jano-chart)"
    assert styled(f"{panels} .jano-{step_class}", "background") == in_bytes(STEP_COLOURS[step_class])


@pytest.mark.parametrize("step_class", StepClass)
def test_a_step_is_seen_on_the_paper_of_the_drawn_chart(step_class: StepClass) -> None:
    assert contrast(in_bytes(STEP_COLOURS[step_class]), in_bytes(PAPER)) >= GRAPHIC


def test_no_colour_means_two_things() -> None:
    """Errors, and the steps of a run that is forecast as a whole; levels, where they act."""
    whole = (StepClass.FULL, StepClass.STORE, StepClass.PICTURE, StepClass.SKIPPED)
    steps = [in_bytes(STEP_COLOURS[kind]) for kind in whole]
    for meanings in ([*steps, *map(list, ERROR_RAMP)], [*steps, *map(in_bytes, LEVEL_COLOURS.values())]):
        distances = [sum(abs(a - b) for a, b in zip(*pair, strict=True)) for pair in combinations(meanings, 2)]
        assert min(distances) > 60


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("theme", HOSTS_TITLE)
def test_a_title_can_be_read_in_every_state_and_both_renderers_agree(theme: str, run: str) -> None:
    table = re.search(rf"{theme}: \{{(.*?)\}}", TITLE).group(1)
    colour = list(bytes.fromhex(re.search(rf'{run}: "#([0-9a-f]{{6}})"', table).group(1)))
    html = ".dark-theme" if theme == "dark" else "html:not(.dark-theme)"
    assert styled(f'{html} .lg-node:has(.jano-run[data-state="{run}"]) .lg-node-header', "background") == colour
    assert contrast(colour, HOSTS_TITLE[theme]) >= (HOSTS_OWN if theme == "dark" else TEXT)
