"""A workflow as 0.1.0 shipped it still loads, keeps every setting where it was, and runs."""

from __future__ import annotations

from comfyui_jano.host.location import ROOT
from comfyui_jano.tests.stand_ins import small_workflow
from comfyui_jano.tests.web.editor import Editor

SHIPPED = ROOT / "tests" / "data" / "workflow_of_0.1.0.json"  # workflows/jano_flux_text_to_image.json of that version
ACCELERATOR = 2
SET = {
    "quality": "custom",
    "static_threshold": 0.4,
    "moderate_threshold": 0.9,
    "static_interval": 4,
    "moderate_interval": 3,
    "active_interval": 1,
    "cooldown": 0.03,
    "target_speedup": 1.5,
}
VALUES = "Object.fromEntries(node.widgets.filter((widget) => widget.name).map(({ name, value }) => [name, value]))"


def test_a_workflow_of_the_first_version_keeps_its_settings_and_runs(desk: Editor) -> None:
    workflow = small_workflow(SHIPPED)
    (accelerator,) = (node for node in workflow["nodes"] if node["id"] == ACCELERATOR)
    accelerator["widgets_values"] = list(SET.values())  # by place, each another than the default
    desk.load(workflow)
    values = desk.node(VALUES, ACCELERATOR)
    assert {name: values[name] for name in SET} == SET
    assert (values["references"], values["cache"]) == ("auto", "auto")  # what it had not got yet
    assert desk.page.evaluate("app.graph.nodes.filter((node) => node.has_errors).length") == 0
    desk.run()
    told = "node.widgets.at(-1).element.querySelector('.jano-big')?.textContent"
    desk.wait_for_node(told, ACCELERATOR)
    desk.fit()
    desk.shot("workflow_of_first_version")
    assert desk.page.evaluate("[app.lastNodeErrors, app.lastExecutionError]") == [None, None]
    assert desk.page.evaluate("document.querySelector('.jano-report .jano-table')?.textContent")
