"""The run, its report and a comparison without eyes and without a pointer: what is read aloud, and where Tab goes."""

from __future__ import annotations

import re
from collections.abc import Callable

from comfyui_jano.tests.stand_ins import small_workflow, workflow_file
from comfyui_jano.tests.web.editor import Editor
from comfyui_jano.tests.web.test_live_map import flux_workflow

RESULT = r"Accelerated|[\d.]+x faster(, saved .* s)?|About as fast as in full|Slower than in full.*"
STEPS = r"\d+ of \d+ steps computed, \d+ forecast"
# Where the keyboard is: the view's own elements, by what they are called.
FOCUS = "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"


def read_aloud(editor: Editor, selector: str) -> str:
    """The accessibility tree of a view, as text."""
    return editor.page.locator(selector).first.aria_snapshot()


def test_a_run_is_read_aloud_and_worked_by_keys(desk: Editor) -> None:
    workflow, scheduler = flux_workflow(128, seed=700 + desk.vue)
    desk.load(workflow)
    desk.look_at(scheduler)
    desk.run()
    desk.wait_for_node("node.properties.jano_run", scheduler)
    desk.page.wait_for_timeout(1000)
    read = read_aloud(desk, ".jano-run")
    assert re.search(rf"- status: \"?({RESULT})\. {STEPS}", read), read
    at_most = r"(at most [\d.]+ % of the picture's strength, |below 1 % of the picture's strength everywhere)"
    assert re.search(rf'img "Map over the picture\. whole run\. {at_most}', read), read
    assert 'slider "Steps of the run: choose one to see what it did"' in read
    said = desk.page.locator(".jano-said")
    assert said.evaluate("element => element.role ?? element.getAttribute('role')") == "status"

    strip = desk.page.get_by_role("slider", name="Steps of the run")
    strip.focus()
    desk.page.keyboard.press("Home")
    assert strip.get_attribute("aria-valuetext").startswith("step 1: computed")
    desk.page.keyboard.press("Tab")
    assert desk.page.evaluate(FOCUS) == "whole run"
    desk.page.keyboard.press("Shift+Tab")
    assert desk.page.evaluate(FOCUS).startswith("Steps of the run")
    desk.page.keyboard.press("Tab")
    desk.page.keyboard.press("Enter")
    assert strip.get_attribute("aria-valuetext") == "whole run"
    assert desk.page.evaluate(FOCUS).startswith("Steps of the run")  # the button has gone: the keys go on here

    read = read_aloud(desk, ".jano-report")
    assert re.search(rf"- row .*:\n\s+- rowheader \"Steps\"\n\s+- cell \"{STEPS}\"", read), read
    assert re.search(r'img "Steps of the run as a chart\. step 1: computed · [\d.]+ s\. step 2: ', read), read


def test_a_clip_is_played_and_stepped_by_keys(desk_of: Callable[[bool], Editor]) -> None:
    editor = desk_of(vue=False)
    workflow = small_workflow(workflow_file("Wan 2.1 text to video"))
    editor.load(workflow)
    scheduler = next(node["id"] for node in workflow["nodes"] if node["type"] == "JanoScheduler")
    editor.look_at(scheduler)
    editor.run()
    editor.wait_for_node("node.properties.jano_run", scheduler)
    read = read_aloud(editor, ".jano-run")
    assert '- button "Play the clip"' in read
    assert '- slider "Latent frames of the clip"' in read
    editor.page.get_by_role("button", name="Play the clip").focus()
    names = []
    for _ in range(3):
        names.append(editor.page.evaluate(FOCUS))
        editor.page.keyboard.press("Tab")
    assert names == ["Play the clip", "Latent frames of the clip", "Steps of the run: choose one to see what it did"]
    frames = editor.page.get_by_role("slider", name="Latent frames of the clip")
    frames.press("End")
    assert frames.get_attribute("aria-valuetext") == "latent frame 3 of 3"
    editor.page.locator(".jano-map[aria-label*='latent frame 3 of 3']").wait_for()


def test_pictures_are_compared_by_keys(desk: Editor) -> None:
    desk.load(small_workflow(workflow_file("Tune and compare")))
    desk.run()
    compare = desk.page.evaluate("app.graph.nodes.find((node) => node.type === 'JanoCompare').id")
    desk.look_at(compare)
    desk.page.wait_for_timeout(1500)
    slider = desk.page.get_by_role("slider", name="Line between the reference and the image").first
    slider.focus()
    for key, text in (
        ("Home", "reference 0 %, image 100 %"),
        ("ArrowRight", "reference 5 %, image 95 %"),
        ("ArrowUp", "reference 10 %, image 90 %"),
        ("End", "reference 100 %, image 0 %"),
    ):
        desk.page.keyboard.press(key)
        assert slider.get_attribute("aria-valuetext") == text
    read = read_aloud(desk, ".jano-compare")
    assert '- img "reference"' in read
    assert '- rowheader "Verdict"' in read
