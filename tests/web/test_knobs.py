"""Inputs that do nothing at the chosen quality are not offered, in both renderers, and lose nothing by it."""

from __future__ import annotations

import pytest
from comfyui_jano.tests.web.editor import Editor
from comfyui_jano.tests.web.test_live_map import flux_workflow

LEVELS = {"static_threshold", "moderate_threshold", "static_interval", "moderate_interval", "active_interval"}
TARGET = {"target_speedup", "cooldown"}
CHOOSE = """([id, name, value]) => {
    const widget = app.graph.getNodeById(id).widgets.find((one) => one.name === name);
    widget.value = value;
    widget.callback(value, app.canvas, app.graph.getNodeById(id));
}"""


@pytest.fixture
def node(desk: Editor) -> int:
    """A new Jano Accelerator."""
    desk.load({"nodes": [], "links": [], "version": 0.4})
    made = """() => {
        const node = LiteGraph.createNode('JanoScheduler');
        node.pos = [100, 100];
        return app.graph.add(node).id;
    }"""
    node = desk.page.evaluate(made)
    desk.look_at(node)
    return node


def choose(desk: Editor, node: int, **values: object) -> None:
    for name, value in values.items():
        desk.page.evaluate(CHOOSE, [node, name, value])
    desk.page.wait_for_timeout(400)


def inputs(desk: Editor, node: int, state: str) -> set[str]:
    names = f"node.widgets.filter(({{ {state} }}) => {state}).map(({{ name }}) => name)"
    return set(desk.node(names, node))


def offered(desk: Editor, node: int) -> set[str]:
    """What can be seen of the inputs in question; in Nodes 2.0 that leaves out the advanced ones."""
    if desk.vue:
        text = desk.page.locator(f"[data-node-id='{node}']").inner_text()
        return {name for name in LEVELS | TARGET if name in text}
    return (LEVELS | TARGET) - inputs(desk, node, "hidden")


def test_a_preset_offers_none_of_them(desk: Editor, node: int) -> None:
    assert inputs(desk, node, "hidden") == LEVELS | TARGET
    assert offered(desk, node) == set()
    height = desk.node("node.size[1]", node)
    assert height < 330  # no room is left for them
    desk.shot("knobs_preset")


def test_a_target_offers_its_number_and_starts_with_one(desk: Editor, node: int) -> None:
    choose(desk, node, quality="target")
    assert inputs(desk, node, "hidden") == LEVELS
    assert "target_speedup" in offered(desk, node)  # without opening the advanced ones
    assert desk.node("node.widgets.find(({ name }) => name === 'target_speedup').value", node) == 2
    desk.shot("knobs_target")
    choose(desk, node, target_speedup=3, quality="fast")
    assert inputs(desk, node, "hidden") == LEVELS | TARGET
    choose(desk, node, quality="target")
    assert desk.node("node.widgets.find(({ name }) => name === 'target_speedup').value", node) == 3


def test_custom_offers_all_and_greys_levels_beside_a_target(desk: Editor, node: int) -> None:
    choose(desk, node, quality="custom", target_speedup=0)
    assert inputs(desk, node, "hidden") == set()
    assert inputs(desk, node, "disabled") == set()
    choose(desk, node, target_speedup=2)
    assert inputs(desk, node, "disabled") == LEVELS
    desk.shot("knobs_custom")
    choose(desk, node, references="every step")
    assert inputs(desk, node, "disabled") == LEVELS | {"cache", "cache_budget_gb"}


def target(desk: Editor, node: int) -> float:
    return desk.node("node.widgets.find(({ name }) => name === 'target_speedup').value", node)


def test_what_custom_shows_is_what_acts_whatever_was_chosen_before(desk: Editor, node: int) -> None:
    """A target that was left from before went on acting, in Nodes 2.0 unseen."""
    choose(desk, node, quality="target", target_speedup=3)
    choose(desk, node, quality="custom")
    assert target(desk, node) == 0
    assert inputs(desk, node, "disabled") == set()
    assert offered(desk, node) == LEVELS | TARGET  # without opening the advanced ones
    desk.shot("knobs_custom_after_target")
    choose(desk, node, target_speedup=2.5)  # by hand it may be both
    assert inputs(desk, node, "disabled") == LEVELS
    choose(desk, node, quality="custom")  # nothing was chosen anew
    assert target(desk, node) == 2.5
    choose(desk, node, quality="fast")
    choose(desk, node, quality="custom")
    assert target(desk, node) == 0
    choose(desk, node, quality="target")
    assert target(desk, node) == 2.5  # as it was


def test_a_workflow_with_both_stays_as_it_is(desk: Editor, node: int) -> None:
    kept = desk.page.evaluate(
        """() => {
            const node = LiteGraph.createNode('JanoScheduler');
            app.graph.add(node);
            const values = ['custom', 0.3, 0.9, 2, 2, 1, 0.03, 2.5];
            node.configure({ ...node.serialize(), id: node.id, widgets_values: values });
            node.widgets[0].callback('custom');
            return node.widgets.map(({ value }) => value).slice(0, 8);
        }"""
    )
    assert kept == ["custom", 0.3, 0.9, 2, 2, 1, 0.03, 2.5]


def test_what_is_hidden_is_saved_and_queued_as_ever(desk: Editor, node: int) -> None:
    choose(desk, node, static_threshold=0.25)
    saved = desk.node("node.serialize()", node)
    assert saved["widgets_values"][:3] == ["balanced", 0.25, 0.9]
    prompt = desk.page.evaluate("async () => (await app.graphToPrompt()).output")
    assert prompt[str(node)]["inputs"]["static_threshold"] == 0.25
    again = desk.page.evaluate(
        """saved => {
            const node = LiteGraph.createNode('JanoScheduler');
            app.graph.add(node);
            node.configure({ ...saved, id: node.id, widgets_values: ['custom', 0.3, 0.9, 2, 2, 1, 0.03, 0] });
            return node.widgets.filter(({ hidden }) => hidden).length;
        }""",
        saved,
    )
    assert again == 0  # what a workflow says of the quality counts


def test_a_run_of_another_quality_is_told_as_that(desk: Editor) -> None:
    """What stands under a quality would else be read as what it promises."""
    workflow, scheduler = flux_workflow(128, seed=770 + desk.vue)
    desk.load(workflow)
    desk.look_at(scheduler)
    desk.run()
    desk.wait_for_node("node.properties.jano_run", scheduler)
    desk.page.wait_for_timeout(500)
    head = desk.page.locator(".jano-head").first
    assert not head.is_visible()
    for quality in ("draft", "custom"):
        choose(desk, scheduler, quality=quality)
        assert head.inner_text() == "Last run: quality balanced"
    desk.shot("knobs_another_quality")
    choose(desk, scheduler, quality="balanced")
    assert not head.is_visible()
