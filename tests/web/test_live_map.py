"""The run on the node: it appears while sampling, can be scrubbed, stays, comes back, and leaves with the node."""

from __future__ import annotations

import json
import re
from io import BytesIO

import pytest
from comfyui_jano.host.server import Server
from comfyui_jano.tests.stand_ins import small_workflow, workflow_file
from comfyui_jano.tests.web.editor import Editor
from PIL import Image

FLUX, WAN = workflow_file("Flux text to image"), workflow_file("Wan 2.2 image to video")
STEPS = 20


def flux_workflow(side: int = 512, seed: int = 42) -> tuple[dict, int]:
    """The text to image workflow with the tiny Flux, and the id of its Scheduler.

    A seed of its own for each test: what the server has kept from the last one is not sampled again.
    """
    workflow = small_workflow(FLUX)
    for node in workflow["nodes"]:
        if node["type"] == "KSampler":
            node["widgets_values"][0], node["widgets_values"][2] = seed, STEPS
        if node["type"] == "EmptySD3LatentImage":
            node["widgets_values"] = [side, side, 1]
    return workflow, next(node["id"] for node in workflow["nodes"] if node["type"] == "JanoScheduler")


def test_the_life_of_a_map(editor: Editor, web_server: Server) -> None:
    workflow, scheduler = flux_workflow(seed=43 + editor.vue)
    editor.load(workflow)
    editor.look_at(scheduler)
    assert editor.text(".jano-run") == "The level map appears here while sampling."
    seen = editor.run()
    assert seen["drawn"] is not None
    assert seen["drawn"] < seen["done"]  # the map was there before the run was over
    editor.wait_for_node("node.properties.jano_run", scheduler)
    assert editor.text(".jano-line").startswith("Jano: accelerated, ")
    assert editor.page.locator(".jano-strip > span").count() == STEPS
    left_out = next(step for step, kind in enumerate(cells(editor)) if kind not in ("jano-full", "jano-store"))
    assert saved_verdict(web_server) == "accelerated"
    whole = settled_pixels(editor)
    assert len(set(whole)) > 10  # colours over a picture
    size = editor.node("[...node.size]", scheduler)
    editor.shot("after_run")

    editor.page.locator(".jano-strip > span").nth(left_out).click()
    assert editor.text(".jano-line").startswith(f"step {left_out + 1} of {STEPS} · ")
    partial = settled_pixels(editor)
    assert sum(map(lightness, partial)) < sum(map(lightness, whole))  # what was not computed is dark
    editor.shot("scrubbed")
    editor.page.keyboard.press("Escape")
    assert editor.text(".jano-line").startswith("Jano: accelerated, ")

    editor.open()  # reload the page: the host brings the unsaved workflow back
    editor.wait_for_node("node?.properties.jano_run", scheduler)
    editor.look_at(scheduler)
    assert editor.text(".jano-line").startswith("Jano: accelerated, ")
    assert len(set(settled_pixels(editor))) > 10
    assert editor.node("[...node.size]", scheduler) == pytest.approx(size, abs=2)  # as large as it was
    editor.shot("reloaded")

    editor.page.evaluate("id => app.graph.remove(app.graph.getNodeById(id))", scheduler)
    editor.page.wait_for_function("() => !document.querySelector('.jano-run')")
    editor.shot("removed")


def saved_verdict(server: Server) -> str:
    """What the picture that was saved last says of its run, in the metadata of the file."""
    (entry,) = server.get_json("/history?max_items=1").values()
    images = [image for output in entry["outputs"].values() for image in output.get("images", ())]
    (saved,) = (image for image in images if image["type"] == "output")
    (verdict,) = json.loads(Image.open(BytesIO(server.image(saved))).info["jano"]).values()
    return verdict["verdict"]


def cells(editor: Editor) -> list[str]:
    return editor.page.evaluate("[...document.querySelectorAll('.jano-strip > span')].map((cell) => cell.className)")


def settled_pixels(editor: Editor) -> list[int]:
    """The map once it no longer changes: it is drawn a moment after what it shows has changed."""
    before = None
    while before != (now := editor.pixels()):
        before = now
        editor.page.wait_for_timeout(300)
    return now


def lightness(colour: int) -> int:
    return (colour >> 16) + (colour >> 8 & 255) + (colour & 255)


def test_a_run_that_stays_native_says_why(open_editor: object, web_server: Server) -> None:
    editor = open_editor(web_server)
    workflow, scheduler = flux_workflow(128)
    for node in workflow["nodes"]:
        if node["type"] == "KSampler":
            node["widgets_values"][2] = 4
    editor.load(workflow)
    editor.run()
    editor.wait_for_node("node.properties.jano_run", scheduler)
    assert editor.text(".jano-line").startswith("Jano: native, 4 steps because ")
    assert not editor.page.locator(".jano-map").is_visible()


def test_a_run_that_is_stopped_says_how_far_it_came(open_editor: object, web_server: Server) -> None:
    editor = open_editor(web_server)
    workflow, scheduler = flux_workflow(512, seed=47)
    for node in workflow["nodes"]:
        if node["type"] == "KSampler":
            node["widgets_values"][2] = 200
    editor.load(workflow)
    editor.page.get_by_test_id("queue-button").first.click()
    editor.page.wait_for_selector(".jano-strip > [class^=jano-]")
    web_server.interrupt()
    editor.wait_for_node("node.properties.jano_run", scheduler)
    assert re.fullmatch(r"stopped: step \d+ of 200", editor.text(".jano-line"))


@pytest.mark.parametrize("vue", [False, True], ids=["canvas", "vue"])
def test_two_experts_on_a_clip_one_of_them_in_a_subgraph(open_editor: object, web_server: Server, vue: bool) -> None:
    """Each Scheduler shows its own run, wherever it stands, and a clip has a slider over its frames."""
    editor = open_editor(web_server, vue=vue)
    workflow = small_workflow(WAN)
    for node in workflow["nodes"]:
        if node["type"] == "KSamplerAdvanced":
            node["widgets_values"][1] = 43 + vue
    editor.load(workflow)
    editor.page.evaluate(
        """() => {
            const [high, low] = app.graph.nodes.filter((node) => node.type === 'JanoScheduler');
            window.janoHolder = app.graph.convertToSubgraph(new Set([high])).node;
            window.janoInner = janoHolder.subgraph.nodes.find((node) => node.type === 'JanoScheduler');
            window.janoLow = low;
        }"""
    )
    editor.run()
    editor.page.wait_for_function("() => janoInner.properties.jano_run && janoLow.properties.jano_run")
    runs = editor.page.evaluate("[janoInner, janoLow].map((node) => node.properties.jano_run)")
    assert [run["grid"] for run in runs] == [[3, 4, 6]] * 2
    assert all(run["summary"].startswith("Jano: accelerated, ") for run in runs)
    editor.look_at(editor.page.evaluate("janoLow.id"))
    slider = editor.page.locator(".jano-frames:visible").first
    assert slider.get_attribute("max") == "2"
    slider.fill("2")
    assert slider.get_attribute("title") == "frame 3 of 3"
    editor.shot("clip")
