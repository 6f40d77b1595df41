"""The pack in the editor: templates, search box, help, languages, and a workflow where the pack is missing."""

from __future__ import annotations

import json
from itertools import combinations

import pytest
from comfyui_jano.host.server import Server
from comfyui_jano.tests.stand_ins import WORKFLOWS, workflow_file
from comfyui_jano.tests.web.editor import Editor

TITLE = 30  # of a node, in both renderers
OPENED = ("Flux text to image", "Qwen-Image-Edit in 4 steps", "Wan 2.2 image to video")


def browse(editor: Editor) -> object:
    """The template browser, at this pack's."""
    editor.page.keyboard.press("Escape")
    editor.page.evaluate("app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    dialog = editor.page.get_by_role("dialog").last
    dialog.get_by_text("jano", exact=True).first.click()  # below "Extensions", each pack by its name
    return dialog


def test_workflows_come_from_the_template_browser(desk_of: object) -> None:
    editor = desk_of(vue=False)
    for title in OPENED:
        browse(editor)
        for path in WORKFLOWS if title == OPENED[0] else ():
            card = editor.page.locator(f"[data-testid='template-workflow-{path.stem}']").first
            card.scroll_into_view_if_needed()
            assert path.stem in card.inner_text()
        if title == OPENED[0]:
            editor.shot("templates")
        editor.page.locator(f"[data-testid='template-workflow-{title}']").first.click()
        wanted = sorted(node["type"] for node in json.loads(workflow_file(title).read_text(encoding="utf-8"))["nodes"])
        found = "wanted => app.graph.nodes.map((node) => node.type).sort().join() === wanted"
        editor.page.wait_for_function(found, arg=",".join(wanted))
        editor.close_dialogs()
        editor.fit()
        editor.shot(f"template_{title}")


# What a node takes up on the page, its title bar included; nodes that grow for a picture do so inside their own border.
BOXES = """() => app.graph.nodes.map((node) => {
    const [x, y, width, height] = node.getBounding();
    return [node.type, x, y, width, height];
})"""


def test_in_the_editor_no_node_of_a_template_covers_another_or_grows(desk: Editor) -> None:
    """It makes nodes larger that are saved too small for what is in them, and counts that as an edit of the user's."""
    for path in WORKFLOWS:
        workflow = json.loads(path.read_text(encoding="utf-8"))
        desk.load(workflow)
        boxes = desk.page.evaluate(BOXES)
        assert len(boxes) > 9
        assert covered(boxes) == [], path.stem
        assert grown(boxes, workflow) == [], path.stem
        assert desk.page.evaluate("app.graph.nodes.every(({ type }) => type in LiteGraph.registered_node_types)")


def grown(boxes: list[list], workflow: dict) -> list[str]:
    saved = [node["size"] for node in workflow["nodes"]]
    return [
        box[0]
        for box, (width, height) in zip(boxes, saved, strict=True)
        if box[3] > width + 1 or box[4] > height + TITLE + 1
    ]


def covered(boxes: list[list]) -> list[tuple[str, str]]:
    return [
        (one[0], other[0])
        for one, other in combinations(boxes, 2)
        if all(one[side] < other[side] + other[side + 2] and other[side] < one[side] + one[side + 2] for side in (1, 2))
    ]


def search_box(editor: object) -> object:
    """What a double click on the empty canvas opens; clicked again where the page was still busy with loading."""
    box = editor.page.locator("input:focus")
    for _ in range(10):
        editor.page.mouse.dblclick(700, 450)
        for _ in range(20):
            if box.count():
                return box
            editor.page.wait_for_timeout(250)
    raise AssertionError("a double click on the empty canvas opened no search box")


@pytest.mark.parametrize("words", ["jano scheduler", "teacache"])
def test_nodes_come_from_the_search_box(desk_of: object, words: str) -> None:
    editor = desk_of(vue=False)
    editor.load({"nodes": [], "links": [], "version": 0.4})
    box = search_box(editor)
    box.type(words, delay=30)
    editor.page.wait_for_timeout(1500)
    editor.shot(f"search_{words.split()[-1]}")
    editor.page.keyboard.press("Enter")
    editor.page.wait_for_function("() => app.graph.nodes.length === 1")
    (kind,) = editor.page.evaluate("app.graph.nodes.map((node) => node.type)")
    assert kind in ("JanoScheduler", "JanoModelLoader")


def test_a_link_is_drawn_by_mouse(desk_of: object) -> None:
    editor = desk_of(vue=False)
    editor.load({"nodes": [], "links": [], "version": 0.4})
    made = """() => ['UNETLoader', 'JanoAnalyzer', 'JanoScheduler'].map((type, place) => {
        const node = LiteGraph.createNode(type);
        node.pos = [100 + 450 * place, 150];
        return app.graph.add(node).id;
    })"""
    loader, analyzer, scheduler = editor.page.evaluate(made)
    editor.look_at(loader)
    editor.drag_link((loader, 0), (analyzer, 0))
    editor.drag_link((analyzer, 0), (scheduler, 0))
    joined = "() => [...app.graph.links.values()].map((link) => [link.origin_id, link.target_id])"
    assert editor.page.evaluate(joined) == [[loader, analyzer], [analyzer, scheduler]]


def test_a_deleted_node_leaves_no_more_behind_than_the_hosts_own(desk_of: object) -> None:
    """Nothing on the page, no map in memory, and nothing alive that outlives one of the host's own widgets."""
    editor = desk_of(vue=False)
    editor.load({"nodes": [], "links": [], "version": 0.4})
    editor.page.evaluate(
        """() => {
            window.janoLeft = {};
            for (const type of ['JanoScheduler', 'JanoReport', 'CLIPTextEncode']) {
                const node = LiteGraph.createNode(type);
                app.graph.add(node);
                janoLeft[type] = new WeakRef(node.widgets.at(-1).element);
            }
        }"""
    )
    editor.page.wait_for_timeout(1000)
    assert editor.page.evaluate("document.querySelectorAll('.jano-run, .jano-table').length") == 2
    editor.page.evaluate("() => { for (const node of [...app.graph.nodes]) app.graph.remove(node); }")
    editor.page.wait_for_function("() => !document.querySelector('.jano-run, .jano-table')")
    editor.page.context.new_cdp_session(editor.page).send("HeapProfiler.collectGarbage")
    assert editor.page.evaluate("janoLeft.JanoScheduler.deref()?.childElementCount ?? 0") == 0
    alive = editor.page.evaluate(
        "Object.fromEntries(Object.entries(janoLeft).map(([type, left]) => [type, Boolean(left.deref())]))"
    )
    assert max(alive["JanoScheduler"], alive["JanoReport"]) <= alive["CLIPTextEncode"]


def test_where_the_pack_is_missing_only_its_nodes_are(open_editor: object, bare_server: Server) -> None:
    """The host's own notice of missing nodes, everything else in place."""
    editor: Editor = open_editor(bare_server)
    workflow = json.loads(workflow_file("Flux text to image").read_text(encoding="utf-8"))
    editor.page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
    editor.page.wait_for_timeout(2000)
    editor.shot("missing_pack")
    types = editor.page.evaluate("app.graph.nodes.map(({ type }) => [type, type in LiteGraph.registered_node_types])")
    assert {kind for kind, known in types if not known} == {"JanoScheduler", "JanoConvergenceMap", "JanoReport"}
    assert len(types) == len(workflow["nodes"])
    saved = editor.page.evaluate("app.graph.serialize()")
    for graph in (saved, workflow):  # nothing is lost on the way
        (scheduler,) = (node for node in graph["nodes"] if node["type"] == "JanoScheduler")
        assert scheduler["widgets_values"][:2] == ["balanced", 0.4]
