"""Every shipped workflow is executed, with tiny models under the names that it asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfyui_jano.host.server import PACKS, Server
from comfyui_jano.host.workflow import to_prompt
from comfyui_jano.jano.presets import PRESETS
from comfyui_jano.templates.catalogue import TEMPLATES
from comfyui_jano.tests.stand_ins import TINY_PACK, WORKFLOWS, small_workflow, write_files

OUR_NODES = {"JanoModelLoader", "JanoAnalyzer", "JanoScheduler", "JanoConvergenceMap", "JanoReport", "JanoCompare"}
OUR_NODES |= {"JanoSweep"}
SWEEP = "Every quality of one seed"


@pytest.fixture(scope="module")
def small_server(host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(host, tmp_path_factory.mktemp("workflows"), {**PACKS, "jano_tiny": TINY_PACK})
    write_files(server.base)
    with server:
        yield server


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_shipped_workflow_runs_and_is_accelerated(small_server: Server, path: Path) -> None:
    prompt = to_prompt(small_workflow(path), small_server.object_info())
    outputs = small_server.run(prompt)
    by_class = [(prompt[node_id]["class_type"], output) for node_id, output in outputs.items()]
    reports = [output["jano"][0] for kind, output in by_class if kind == "JanoReport"]
    assert [report["verdict"] for report in reports] == ["accelerated"] * (path.stem != SWEEP)
    assert [report["fallbacks"] for report in reports] == [[] for _ in reports]
    assert all(output["images"] for kind, output in by_class if kind == "JanoConvergenceMap")
    sweeps = [output["jano"][0]["rows"] for kind, output in by_class if kind == "JanoSweep"]
    assert [[row["name"] for row in rows] for rows in sweeps] == [["full", *PRESETS]] * (path.stem == SWEEP)
    assert all(row["computed_token_fraction"] < 1.0 for rows in sweeps for row in rows[1:])

    if path.stem == "By regions, as published":  # there the map decides
        assert reports[0]["step_classes"].keys() >= {"active", "moderate"}
    if path.stem == "Qwen-Image-Edit in 4 steps":  # there it is the references that are left out
        assert reports[0]["references"]["frozen_steps"]


def test_the_workflows_are_what_is_drawn(small_server: Server) -> None:
    """After a change in `templates/`, write them anew: python templates/write.py. Widgets are the schemas' matter."""
    object_info = small_server.object_info()
    drawn = {template.title: template.workflow(object_info) for template in TEMPLATES}
    assert sorted(drawn) == [path.stem for path in WORKFLOWS]
    for path in WORKFLOWS:
        assert outline(json.loads(path.read_text(encoding="utf-8"))) == outline(drawn[path.stem]), path.stem


def outline(workflow: dict) -> dict:
    """What a template says of itself, whatever inputs nodes have got since."""
    places = [(node["type"], node["pos"], node["size"], node.get("title")) for node in workflow["nodes"]]
    (note,) = (node["widgets_values"] for node in workflow["nodes"] if node["type"] == "MarkdownNote")
    ends = sorted((link[1], link[3], link[5]) for link in workflow["links"])
    return {"nodes": places, "note": note, "links": ends, "groups": workflow["groups"], "id": workflow["id"]}
