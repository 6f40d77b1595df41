"""Jano Compare's slider, Jano Sweep's sheet and table, and what Jano Report saves, in the page."""

from __future__ import annotations

import csv
import re

import pytest
from comfyui_jano.host.location import ROOT
from comfyui_jano.host.server import Server
from comfyui_jano.tests.stand_ins import small_workflow
from comfyui_jano.tests.web.editor import Editor
from comfyui_jano.tests.web.test_live_map import flux_workflow

SWEEP = ROOT / "example_workflows" / "Every quality of one seed.json"
FIRST_SEED = 900  # of this file: what the server has kept from another run is not sampled again


def sweep_workflow(seed: int) -> tuple[dict, int]:
    """The sweep of two qualities with a Compare and the id of its node; two of its pictures are compared."""
    workflow = small_workflow(SWEEP)
    sweep = next(node for node in workflow["nodes"] if node["type"] == "JanoSweep")
    sweep["widgets_values"][:2] = ["fast, draft", FIRST_SEED + seed]
    return workflow, sweep["id"]


def add_compare(editor: Editor, sweep: int) -> int:
    """A Compare of the first and the last picture of a sweep."""
    return editor.page.evaluate(
        """id => {
            const sweep = app.graph.getNodeById(id);
            const [compare, ...parts] = ['JanoCompare', 'ImageFromBatch', 'ImageFromBatch'].map((type, place) => {
                const node = LiteGraph.createNode(type);
                node.pos = [sweep.pos[0] + 1300 + 420 * !place, sweep.pos[1] + 150 * place];
                return app.graph.add(node);
            });
            parts.forEach((part, slot) => {
                part.widgets[0].value = 2 * slot;
                sweep.connect(1, part, 0);
                part.connect(0, compare, slot);
            });
            return compare.id;
        }""",
        sweep,
    )


def line_at(editor: Editor) -> float:
    """Where the line stands: a share of the width."""
    return editor.page.evaluate(
        """() => {
            const stage = document.querySelector('.jano-stage').getBoundingClientRect();
            const line = document.querySelector('.jano-stage > i').getBoundingClientRect();
            return (line.left - stage.left) / stage.width;
        }"""
    )


def test_all_qualities_on_one_sheet_and_two_of_them_under_the_slider(desk: Editor) -> None:
    workflow, sweep = sweep_workflow(seed=1 + desk.vue)
    desk.load(workflow)
    compare = add_compare(desk, sweep)
    assert desk.page.locator(".jano-stage").is_hidden()
    desk.look_at(sweep)
    desk.run()
    table = desk.page.locator(".jano-table .jano-wide")
    table.wait_for()
    rows = table.locator("> div > b").all_inner_texts()
    assert rows == ["", "full", "fast", "draft"]
    assert table.locator("> div").nth(3).locator("span").count() == 6
    desk.page.wait_for_timeout(1500)
    previews = desk.page.evaluate("id => app.nodePreviewImages?.[id]?.length ?? 0", sweep)
    assert previews == 0
    desk.shot("sweep")

    desk.look_at(compare)
    desk.page.locator(".jano-stage > img").first.wait_for()
    loaded = "() => [...document.querySelectorAll('.jano-stage > img')].every((img) => img.naturalWidth === 256)"
    desk.page.wait_for_function(loaded)
    a, b = desk.page.locator(".jano-stage > img").evaluate_all("pictures => pictures.map(({ src }) => src)")
    assert a != b
    stage = desk.page.locator(".jano-stage").bounding_box()
    desk.page.mouse.move(stage["x"] + 0.25 * stage["width"], stage["y"] + stage["height"] / 2)
    assert abs(line_at(desk) - 0.25) < 0.02
    desk.page.wait_for_timeout(1000)
    desk.shot("compare")
    desk.page.locator(".jano-stage").focus()
    desk.page.keyboard.press("ArrowRight")
    assert abs(line_at(desk) - 0.30) < 0.02
    text = desk.text(".jano-compare .jano-table")
    assert text.startswith("Verdict")
    assert "PSNR" in text
    assert "LPIPS" not in text
    fits = "node.size[1] + 1 >= node.computeSize()[1]"  # the difference map below too
    desk.wait_for_node(fits, compare)
    assert desk.page.locator(".jano-compare").evaluate("view => view.scrollHeight <= view.clientHeight + 1")


def test_wrong_qualities_are_told_in_a_sentence(desk: Editor) -> None:
    """The host says that the node rejected the value, and no more."""
    workflow, sweep = sweep_workflow(seed=80 + desk.vue)
    node = next(node for node in workflow["nodes"] if node["type"] == "JanoSweep")
    node["widgets_values"][0] = "fastest, balanced"
    desk.load(workflow)
    desk.look_at(sweep)
    desk.page.get_by_test_id("queue-button").first.click()
    sentence = (
        "'fastest' in qualities cannot be swept; name one or more of fidelity, balanced, fast, draft, separated by "
    )
    toast = desk.page.locator(".p-toast-message", has_text=sentence)
    toast.wait_for()
    assert toast.count() == 1
    assert "Jano Sweep" in toast.inner_text()
    desk.page.wait_for_timeout(500)
    desk.shot("sweep_rejected")
    desk.node("node.widgets[0].value = 'draft'", sweep)
    desk.run()
    toast.wait_for(state="detached")
    assert all(said.startswith("PromptExecutionError") for said in desk.complaints)  # the host's own word for it
    desk.complaints.clear()


@pytest.mark.parametrize(
    ("values", "marked"),
    [
        (["custom", 0.95, 0.5, 2, 2, 1, 0.03, 0], ["static_threshold", "moderate_threshold"]),
        (["custom", 0.4, 0.9, 2, 2, 3, 0.03, 0], ["static_interval", "moderate_interval", "active_interval"]),
        (["custom", 0.4, 0.9, 2, 2, 1, 0.03, 0.5], ["target_speedup"]),
        (["target", 0.4, 0.9, 2, 2, 1, 0.03, 0], ["quality", "target_speedup"]),
    ],
)
def test_only_what_is_wrong_is_marked(desk: Editor, values: list, marked: list[str]) -> None:
    """The host marks every input that the node was asked about: seven of them."""
    workflow, scheduler = flux_workflow(128, seed=FIRST_SEED + 90)
    next(node for node in workflow["nodes"] if node["id"] == scheduler)["widgets_values"][:8] = values
    desk.load(workflow)
    desk.look_at(scheduler)
    desk.page.get_by_test_id("queue-button").first.click()
    desk.page.locator(".p-toast-message", has_text=re.compile("must not|or between|asks for")).first.wait_for()
    desk.page.wait_for_timeout(500)
    inputs = desk.node("node.inputs.filter(({ hasErrors }) => hasErrors).map(({ name }) => name)", scheduler)
    assert sorted(inputs) == sorted(marked)
    desk.shot(f"rejected_{marked[-1]}")
    desk.page.evaluate("async () => (await import('/extensions/jano/rejected.js')).tellRejected({})")
    desk.page.keyboard.press("Escape")
    assert all(said.startswith("PromptExecutionError") for said in desk.complaints)  # the host's own word for it
    desk.complaints.clear()


def test_in_a_sentence_of_refusal_the_name_of_an_input_stays_as_it_is(desk_of: object) -> None:
    editor = desk_of(vue=False)
    editor.page.evaluate(
        """async () => (await import('/extensions/jano/rejected.js')).tellRejected({ 9: {
            class_type: 'JanoScheduler',
            errors: [{ details: 'quality - Jano: static_threshold 0.95 must not be above moderate_threshold 0.5.' }],
        } })"""
    )
    toast = editor.page.locator(".p-toast-message", has_text="must not be above")
    toast.wait_for()
    assert "static_threshold 0.95 must" in toast.inner_text()
    editor.page.evaluate("async () => (await import('/extensions/jano/rejected.js')).tellRejected({})")
    toast.wait_for(state="detached")


def test_two_runs_are_two_lines_in_the_table_of_runs(desk_of: object, web_server: Server) -> None:
    editor = desk_of(vue=False)
    workflow = small_workflow(ROOT / "example_workflows" / "Flux text to image.json")
    editor.load(workflow)
    report, sampler = (
        next(n["id"] for n in workflow["nodes"] if n["type"] == kind) for kind in ("JanoReport", "KSampler")
    )
    editor.node("node.widgets.find(({ name }) => name === 'save').value = true", report)
    for seed in (1, 2):
        editor.node(f"node.widgets[0].value = {FIRST_SEED + 50 + seed}", sampler)
        editor.run()
        editor.page.wait_for_timeout(500)
    assert "a line in jano_runs.csv" in editor.text(".jano-table")
    editor.look_at(report)
    editor.shot("report_saved")
    with (web_server.base / "output" / "jano_runs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["jano/run_00001.json", "jano/run_00002.json"]
    assert {row["size"] for row in rows} == {"256 x 256"}
    assert all((web_server.base / "output" / row["file"]).is_file() for row in rows)
