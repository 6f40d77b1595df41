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
STEPS_TOLD = r"\d+ of \d+ steps computed, \d+ forecast"  # what the node says of a run that was accelerated


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


def test_the_life_of_a_map(desk: Editor, web_server: Server) -> None:
    workflow, scheduler = flux_workflow(seed=43 + desk.vue)
    desk.load(workflow)
    desk.look_at(scheduler)
    assert desk.text(".jano-line") == "The run appears here while sampling."
    colour = desk.node("node.renderingColor", scheduler)
    seen = desk.run()
    assert seen["drawn"] is not None
    assert seen["drawn"] < seen["done"]  # the map was there before the run was over
    desk.wait_for_node("node.properties.jano_run", scheduler)
    assert re.match(STEPS_TOLD, desk.text(".jano-line"))
    assert desk.page.locator(".jano-strip > span").count() == STEPS
    left_out = next(step for step, kind in enumerate(cells(desk)) if kind == "jano-skipped")
    assert desk.page.locator(".jano-mark").all_inner_texts() == ["1 %", "3 %", "10 %", "30 %"]
    assert title_colours(desk, scheduler)["shown"] == "accelerated"
    assert desk.vue or desk.node("node.renderingColor", scheduler) != colour
    assert saved_verdict(web_server) == "accelerated"
    assert title_colours(desk, scheduler)["saved"] == flux_colour(scheduler)
    whole = settled_pixels(desk)
    told = desk.page.locator(".jano-map").get_attribute("aria-label")
    assert re.search(
        r"whole run\. at most \d+ % of the picture's strength, (top|bottom|left|right|in the middle)", told
    )
    assert re.search(STEPS_TOLD, desk.text(".jano-said"))
    assert len(set(whole)) > 10  # colours over a picture
    size = desk.node("[...node.size]", scheduler)
    desk.shot("after_run")

    desk.page.locator(".jano-strip > span").nth(left_out).click()
    assert desk.text(".jano-line").startswith(f"step {left_out + 1} of {STEPS} · ")
    forecast = settled_pixels(desk)
    assert forecast != whole  # the errors of this gap, not the largest of all
    desk.shot("scrubbed")
    strip = desk.page.locator(".jano-strip")
    assert re.fullmatch(
        rf"step {left_out + 1}: forecast · off by [\d.]+ % of the picture's strength, measured at step \d+ · [\d.]+ s",
        strip.get_attribute("aria-valuetext"),
    )
    desk.page.keyboard.press("ArrowLeft")
    assert desk.text(".jano-line").startswith(f"step {left_out} of {STEPS} · computed")
    computed = settled_pixels(desk)
    assert sum(map(redness, computed)) < sum(map(redness, whole))  # the preview without any heat
    assert "at most" not in desk.page.locator(".jano-map").get_attribute("aria-label")
    desk.page.keyboard.press("Home")
    assert strip.get_attribute("aria-valuenow") == "1"
    desk.page.keyboard.press("End")
    assert strip.get_attribute("aria-valuenow") == str(STEPS)
    desk.page.get_by_role("button", name="whole run").click()
    assert re.match(STEPS_TOLD, desk.text(".jano-line"))
    strip.press("PageDown")
    assert strip.get_attribute("aria-valuenow") == str(STEPS - 5)
    strip.press("Escape")
    assert re.match(STEPS_TOLD, desk.text(".jano-line"))

    desk.open()  # reload the page: the host brings the unsaved workflow back
    desk.wait_for_node("node?.properties.jano_run", scheduler)
    desk.look_at(scheduler)
    assert re.match(STEPS_TOLD, desk.text(".jano-line"))
    assert len(set(settled_pixels(desk))) > 10
    assert title_colours(desk, scheduler)["shown"] == "accelerated"
    assert desk.node("[...node.size]", scheduler) == pytest.approx(size, abs=2)  # as large as it was
    desk.shot("reloaded")

    desk.page.evaluate("id => app.graph.remove(app.graph.getNodeById(id))", scheduler)
    desk.page.wait_for_function("() => !document.querySelector('.jano-run')")
    desk.shot("removed")


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


def redness(colour: int) -> int:
    """How much more red than green there is: all of the heat's colours have more."""
    return (colour >> 16) - (colour >> 8 & 255)


def title_colours(editor: Editor, node: int) -> dict:
    """The colour that a workflow keeps of a node, and the state that the page's own colour of its title tells."""
    return editor.page.evaluate(
        """async id => {
            const node = app.graph.getNodeById(id);
            const { COLOURS } = await import('/extensions/jano/title.js');
            const head = document.querySelector(`[data-testid="node-header-${id}"]`);
            const paint = document.createElement('i');
            paint.style.color = node.renderingColor;
            const seen = head ? getComputedStyle(head).backgroundColor : paint.style.color;
            const shown = Object.entries(COLOURS.dark).find(([, colour]) => {
                paint.style.color = colour;
                return paint.style.color === seen;
            });
            return { saved: node.serialize().color ?? null, shown: shown?.[0] ?? null };
        }""",
        node,
    )


def flux_colour(node: int) -> str | None:
    """What the workflow itself says of the node's colour."""
    nodes = json.loads(FLUX.read_text(encoding="utf-8"))["nodes"]
    return next(saved.get("color") for saved in nodes if saved["id"] == node)


def test_a_run_that_stays_native_says_why(desk_of: object) -> None:
    editor = desk_of(vue=False)
    workflow, scheduler = flux_workflow(128)
    for node in workflow["nodes"]:
        if node["type"] == "KSampler":
            node["widgets_values"][2] = 4
    editor.load(workflow)
    editor.run()
    editor.wait_for_node("node.properties.jano_run", scheduler)
    assert editor.text(".jano-big") == "Not accelerated"
    assert editor.text(".jano-line").startswith("4 steps are too few to gain by with euler ")
    assert not editor.page.locator(".jano-map").is_visible()
    assert title_colours(editor, scheduler)["shown"] == "native"


@pytest.mark.parametrize("vue", [True], ids=["vue"])
def test_a_step_by_level_says_which_regions_and_how_many_of_the_tokens(desk_of: object, vue: bool) -> None:
    """ "10 active tokens" was read as a number of tokens, or as a kind of them: it was ten steps."""
    editor, run = desk_of(vue), ".jano-run:has(.jano-strip > .jano-active)"
    workflow = small_workflow(workflow_file("By regions, as published"))
    scheduler = next(node["id"] for node in workflow["nodes"] if node["type"] == "JanoScheduler")
    editor.load(workflow)
    editor.look_at(scheduler)
    editor.run()
    editor.wait_for_node("node.properties.jano_run", scheduler)
    kinds = editor.text(f"{run} .jano-kinds")
    assert re.search(r"\d+ in active regions only", kinds)
    assert "tokens" not in kinds
    cell = editor.page.locator(f"{run} .jano-strip > .jano-active").first
    told = r"step \d+: in active regions only · \d+ % of the tokens computed · [\d.]+ s"
    assert re.fullmatch(told, cell.get_attribute("title"))
    assert "of the tokens" not in editor.page.locator(f"{run} .jano-strip > .jano-store").first.get_attribute("title")
    cell.dispatch_event("pointerdown")
    editor.page.wait_for_timeout(300)
    editor.shot("by_level_step")
    share = re.search(r"(\d+) % of the tokens", cell.get_attribute("title"))[1]
    saved = editor.node("node.properties.jano_run", scheduler)
    active = next(step for step in saved["steps"] if step["kind"] == "active")
    assert float(share) == pytest.approx(100 * active["share"], abs=0.51)
    assert active["share"] == pytest.approx(saved["level_share"]["active"], abs=0.001)


def test_a_run_that_is_stopped_says_how_far_it_came(desk_of: object, web_server: Server) -> None:
    editor = desk_of(vue=False)
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
def test_two_experts_on_a_clip_one_of_them_in_a_subgraph(desk_of: object, vue: bool) -> None:
    """Each Scheduler shows its own run, wherever it stands, and a clip has a slider over its frames."""
    editor = desk_of(vue)
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
    assert all(run["verdict"] == "accelerated" for run in runs)
    editor.look_at(editor.page.evaluate("janoLow.id"))
    slider = editor.page.locator(".jano-frames:visible").first
    assert slider.get_attribute("max") == "2"
    slider.fill("2")
    assert slider.get_attribute("title") == "latent frame 3 of 3"
    editor.shot("clip")
    editor.page.get_by_role("button", name="Play the clip").first.click()
    editor.page.wait_for_function("() => document.querySelector('.jano-frames').value === '1'")
    editor.page.get_by_role("button", name="Pause").first.click()
    editor.page.emulate_media(reduced_motion="reduce")
    slider.fill("0")
    editor.page.get_by_role("button", name="Next frame").first.click()
    editor.page.wait_for_timeout(500)  # time for what must not happen
    assert slider.input_value() == "1"
