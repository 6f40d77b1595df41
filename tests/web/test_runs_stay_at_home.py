"""A run belongs to the workflow that queued it and to the node that made it: not to another tab, a copy, or undo."""

from __future__ import annotations

import re

from comfyui_jano.host.server import Server
from comfyui_jano.tests.web.editor import Editor
from comfyui_jano.tests.web.test_live_map import STEPS_TOLD, cells, flux_workflow
from comfyui_jano.tests.web.test_shared_workflow import record
from comfyui_jano.tests.web.test_shared_workflow import workflow as workflow_of

WAITING = "The run appears here while sampling."
NO_TABLE = "The table appears here after the next run."
TRACKER = "app.extensionManager.workflow.activeWorkflow.changeTracker"
FIRST_SEED = 500  # of this file: what the server has kept from another run is not sampled again


def quick_workflow(seed: int, steps: int = 12, side: int = 256) -> tuple[dict, int]:
    """A run of seconds, and the id of its Scheduler."""
    workflow, scheduler = flux_workflow(side, seed=FIRST_SEED + seed)
    for node in workflow["nodes"]:
        if node["type"] == "KSampler":
            node["widgets_values"][2] = steps
    return workflow, scheduler


def lines(editor: Editor) -> list[str]:
    """What the run views on the page say; a view that was left empty says nothing."""
    return editor.page.evaluate(
        "[...document.querySelectorAll('.jano-run')].map((view) => view.querySelector('.jano-line')?.textContent ?? '')"
    )


def start(editor: Editor) -> None:
    """Press Run and wait for the first step."""
    editor.page.evaluate("janoWatch()")
    editor.page.get_by_test_id("queue-button").first.click()
    editor.page.wait_for_selector(".jano-strip > [class^=jano-]")


def open_tab(editor: Editor, place: int) -> None:
    """Click a workflow's tab; places count from the left, or with a minus from the right."""
    editor.page.locator(".workflow-tab").nth(place).click()
    editor.page.wait_for_timeout(800)


def undo(editor: Editor, command: str = "Undo") -> None:
    editor.page.evaluate("command => app.extensionManager.command.execute(`Comfy.${command}`)", command)
    editor.page.wait_for_timeout(800)


def edit(editor: Editor, change: str, node: int) -> None:
    """An edit of the user's, as the host records it after each click and key."""
    editor.node(f"{{}}, {change}, {TRACKER}.captureCanvasState()", node)


def test_undo_takes_back_edits_and_leaves_the_run(desk: Editor) -> None:
    """Every state that undo and redo go to has the run, as large as it is shown; the run is none of them."""
    workflow, scheduler = quick_workflow(seed=1 + 10 * desk.vue)
    sampler = next(node["id"] for node in workflow["nodes"] if node["type"] == "KSampler")
    desk.load(workflow)
    desk.look_at(scheduler)
    edit(desk, "node.pos = [node.pos[0] + 30, node.pos[1]]", sampler)
    desk.run()
    desk.wait_for_node("node.properties.jano_run", scheduler)
    desk.page.wait_for_timeout(300)
    assert desk.page.evaluate(f"{TRACKER}.undoQueue.length") == 1
    (line,) = lines(desk)
    assert re.match(STEPS_TOLD, line)
    moved = desk.node("node.pos[0]", sampler)
    for command, x in (("Undo", moved - 30), ("Redo", moved)):
        undo(desk, command)
        assert desk.node("node.pos[0]", sampler) == x
        assert lines(desk) == [line]
        desk.page.locator(".jano-map").wait_for()  # to be seen
        assert desk.node("node.properties.jano_run.verdict", scheduler) == "accelerated"
        waiting = desk.page.evaluate(f"[{TRACKER}.undoQueue.length, {TRACKER}.redoQueue.length]")
        desk.page.evaluate(f"{TRACKER}.captureCanvasState()")  # as at each click: there is no change
        assert desk.page.evaluate(f"[{TRACKER}.undoQueue.length, {TRACKER}.redoQueue.length]") == waiting
    desk.shot("redone")
    edit(desk, f"node.widgets[0].value = {FIRST_SEED + 2 + 10 * desk.vue}", sampler)
    desk.run()  # what is drawn from now on is drawn where it is seen
    desk.page.wait_for_function("() => document.querySelector('.jano-line').textContent.includes('steps computed')")
    assert desk.page.evaluate("[...document.querySelectorAll('.jano-run')].every((view) => view.isConnected)")
    (line,) = lines(desk)
    assert line.startswith(f"{desk.node('node.properties.jano_run.result.steps_computed', scheduler)} of ")


def test_what_nodes_say_without_a_run_is_there_after_undo(desk: Editor) -> None:
    """In Nodes 2.0 views in another state than that of a map were not put in the place of those that were left."""
    workflow, scheduler = quick_workflow(seed=9)
    sampler = next(node["id"] for node in workflow["nodes"] if node["type"] == "KSampler")
    desk.load(workflow)
    desk.look_at(scheduler)
    edit(desk, "node.pos = [node.pos[0] + 30, node.pos[1]]", sampler)
    for command in ("Undo", "Redo"):
        undo(desk, command)
        assert lines(desk) == [WAITING]
        tables = desk.page.locator(".jano-table").evaluate_all("tables => tables.map((table) => table.innerText)")
        assert tables == [NO_TABLE]


def test_a_node_that_was_deleted_in_mid_run_comes_back_with_it(desk: Editor) -> None:
    workflow, scheduler = quick_workflow(seed=3 + 10 * desk.vue, steps=40)
    desk.load(workflow)
    desk.look_at(scheduler)
    start(desk)
    edit(desk, "app.graph.remove(node)", scheduler)
    desk.page.wait_for_function("() => janoSeen.done")
    desk.page.wait_for_timeout(500)
    assert lines(desk) == []
    undo(desk)
    (line,) = lines(desk)
    assert re.match(STEPS_TOLD, line)


def test_a_run_that_ends_in_another_tab_is_kept_for_its_own(desk: Editor) -> None:
    """Two tabs of one template have the same node ids, and the same id of the workflow."""
    workflow, scheduler = quick_workflow(seed=4 + 10 * desk.vue, steps=100)
    desk.load(workflow)
    start(desk)
    desk.load(quick_workflow(seed=5)[0])
    desk.page.wait_for_function("() => janoSeen.done")
    desk.page.wait_for_timeout(500)
    assert lines(desk) == [WAITING]
    assert desk.node("node.properties.jano_run", scheduler) is None
    tables = desk.page.locator(".jano-table").evaluate_all("tables => tables.map((table) => table.innerText)")
    assert tables == [NO_TABLE]
    desk.shot("other_tab")
    open_tab(desk, -2)
    (line,) = lines(desk)
    assert re.match(STEPS_TOLD, line)
    assert desk.node("node.properties.jano_run.verdict", scheduler) == "accelerated"
    assert "steps computed" in desk.text(".jano-table")
    desk.look_at(scheduler)
    desk.shot("own_tab")


def test_a_page_that_is_loaded_again_in_mid_run(open_editor: object, web_server: Server) -> None:
    """It still knows whose run it is, and is told anew what it had been told; another browser tab hears nothing."""
    editor = open_editor(web_server)
    other = Editor(editor.page.context.new_page(), editor.url, editor.shots, vue=False)
    workflow, scheduler = quick_workflow(seed=6, steps=400, side=512)
    for page in (other, editor):
        page.page.bring_to_front()
        page.load(workflow)
    start(editor)
    editor.load(quick_workflow(seed=7)[0])
    editor.open()
    editor.page.evaluate(
        """() => {
            window.janoSteps = [];
            window.comfyAPI.api.api.addEventListener('jano.step', ({ detail }) => janoSteps.push(detail));
        }"""
    )
    editor.page.wait_for_function("() => janoSteps.length > 3")
    assert lines(editor) == [WAITING]
    open_tab(editor, -2)
    editor.page.wait_for_selector(".jano-strip > [class^=jano-]")
    assert re.fullmatch(r"step \d+ of 400 · .*", lines(editor)[0])
    assert cells(editor)[0] == "jano-full"
    editor.page.wait_for_function("count => janoSteps.length > count + 1", arg=editor.page.evaluate("janoSteps.length"))
    told = editor.page.evaluate("janoSteps.map(({ levels, classes }) => [levels, Object.keys(classes).length])")
    assert told[-1] == [None, 1]  # what has been said once is not said again
    editor.page.wait_for_function("() => janoSteps.at(-1).step > 50")
    web_server.interrupt()
    editor.wait_for_node("node.properties.jano_run", scheduler)
    assert re.fullmatch(r"stopped: step \d+ of 400", lines(editor)[0])
    assert editor.node("node.properties.jano_run.steps.some(({ errors }) => errors)", scheduler)
    assert lines(other) == [WAITING]
    assert other.complaints == []


def test_a_copy_claims_no_run(desk: Editor) -> None:
    """Pasted or cloned, of a node with a run of this version or of 0.1.0; one moved into a subgraph stays itself."""
    desk.load(workflow_of([record(summary="of 0.1.0"), record(summary="of now", node="3")]))
    assert lines(desk) == ["of 0.1.0", "of now"]
    copies = desk.page.evaluate(
        """() => {
            const schedulers = app.graph.nodes.filter(({ type }) => type === 'JanoScheduler');
            app.canvas.selectItems(schedulers);
            app.canvas.copyToClipboard();
            app.canvas.pasteFromClipboard({ position: [0, 1500] });
            for (const node of schedulers) app.graph.add(node.clone());
            const all = app.graph.nodes.filter(({ type }) => type === 'JanoScheduler');
            const copies = all.filter((node) => !schedulers.includes(node));
            return copies.map(({ properties }) => properties.jano_run ?? null);
        }"""
    )
    assert copies == [None] * 4
    desk.page.wait_for_timeout(500)
    assert sorted(lines(desk)) == sorted(["of 0.1.0", "of now", *[WAITING] * 4])
    inside = """() => {
        const { subgraph } = app.graph.convertToSubgraph(new Set([app.graph.getNodeById(1), app.graph.getNodeById(3)]));
        return subgraph.nodes.map(({ properties }) => properties.jano_run?.summary);
    }"""
    assert desk.page.evaluate(inside) == ["of 0.1.0", "of now"]


def test_a_bypassed_node_shows_its_run_as_a_past_one(desk: Editor) -> None:
    desk.load(workflow_of([record()]))
    desk.look_at(1)
    size = desk.node("[...node.size]", 1)
    assert not desk.page.locator(".jano-head").is_visible()
    for mode, word in ((4, "bypassed"), (2, "muted")):
        desk.node(f"node.mode = {mode}", 1)
        desk.page.wait_for_timeout(300)
        assert desk.text(".jano-head") == f"Last run with Jano; this node is {word}"
        opacity = "getComputedStyle(document.querySelector('.jano-line')).opacity"
        assert float(desk.page.evaluate(opacity)) < 1
        desk.shot(word)
    desk.node("node.mode = 0", 1)
    assert not desk.page.locator(".jano-head").is_visible()
    assert desk.node("[...node.size]", 1) == size
    assert desk.node("node.serialize().mode", 1) == 0


TABLE = "| Jano run | |\n|---|---|\n" + "\n".join(
    f"| Row {place} | {'a value that has more words than fit into one line of the node ' * 2} |" for place in range(6)
)


def test_new_nodes_are_wide_enough_to_read(desk: Editor) -> None:
    """In the middle of the loader, the waiting text in one line; of a table, every line that wraps."""
    desk.load({"nodes": [], "links": [], "version": 0.4})
    kinds = ["JanoScheduler", "JanoModelLoader", "JanoAnalyzer", "JanoReport", "JanoCompare", "JanoConvergenceMap"]
    ids = desk.page.evaluate(
        """kinds => kinds.map((kind, place) => {
            const node = LiteGraph.createNode(kind);
            node.pos = [50 + (place % 3) * 440, 60 + Math.floor(place / 3) * 400];
            return app.graph.add(node).id;
        })""",
        kinds,
    )
    desk.page.evaluate("app.canvas.ds.scale = 1; app.canvas.ds.offset = [40, 60]; app.canvas.setDirty(true, true)")
    desk.page.wait_for_timeout(500)
    widths = {kind: desk.node("node.size[0]", node) for kind, node in zip(kinds, ids, strict=True)}
    assert min(widths.values()) >= 300
    assert widths["JanoReport"] >= 340
    overflow = "[...document.querySelectorAll('.jano-line')].filter((line) => line.scrollHeight > 20).length"
    assert desk.page.evaluate(overflow) == 0
    told = "data => window.comfyAPI.api.api.dispatchCustomEvent('executed', data)"
    for node in ids[3:5]:
        desk.page.evaluate(told, {"prompt_id": "another extension's", "node": str(node), "output": {"text": [TABLE]}})
    desk.page.wait_for_timeout(800)
    desk.shot("new_nodes")
    hidden = "(table) => [table.scrollHeight - table.clientHeight, table.scrollWidth - table.clientWidth]"
    assert desk.page.evaluate(f"[...document.querySelectorAll('.jano-table')].map({hidden})") == [[0, 0], [0, 0]]
