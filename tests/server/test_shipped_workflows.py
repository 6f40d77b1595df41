"""Every shipped workflow is executed, with tiny models under the names that it asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfyui_jano.host.server import PACKS, Server
from comfyui_jano.host.workflow import to_prompt
from comfyui_jano.tests.stand_ins import TINY_PACK, WORKFLOWS, small_workflow, write_files

OUR_NODES = {"JanoModelLoader", "JanoAnalyzer", "JanoScheduler", "JanoConvergenceMap", "JanoReport", "JanoCompare"}


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
    assert [report["verdict"] for report in reports] == ["accelerated"]
    assert [report["fallbacks"] for report in reports] == [[] for _ in reports]
    assert all(output["images"] for kind, output in by_class if kind == "JanoConvergenceMap")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_shipped_workflow_says_what_it_needs(path: Path) -> None:
    workflow = json.loads(path.read_text(encoding="utf-8"))
    notes = [node["widgets_values"][0] for node in workflow["nodes"] if node["type"] == "MarkdownNote"]
    assert notes
    if path.stem == "jano_tune_and_compare":  # it points to another one
        return
    for node in workflow["nodes"]:
        if node["type"] in ("UNETLoader", "JanoModelLoader", "CLIPLoader", "VAELoader"):
            assert node["widgets_values"][0].split("_high_")[0].split("_low_")[0] in notes[0], node["type"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_shipped_workflow_has_a_picture(path: Path) -> None:
    assert path.with_suffix(".jpg").read_bytes().startswith(b"\xff\xd8")
    assert path.with_suffix(".jpg").stat().st_size < 100_000


def test_every_node_is_in_a_workflow() -> None:
    used = {node["type"] for path in WORKFLOWS for node in json.loads(path.read_text(encoding="utf-8"))["nodes"]}
    assert used >= OUR_NODES
