"""Every shipped workflow is executed, with tiny models under the names that it asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfyui_jano.host.server import PACKS, Server
from comfyui_jano.host.workflow import to_prompt
from comfyui_jano.jano.presets import QUALITIES
from comfyui_jano.tests.stand_ins import WORKFLOWS, small_workflow, write_files

OUR_NODES = {"JanoModelLoader", "JanoAnalyzer", "JanoScheduler", "JanoConvergenceMap", "JanoReport", "JanoCompare"}
OUR_NODES |= {"JanoSweep"}
PRESETS = [name for name in QUALITIES if name != "custom"]
SWEEP = "Every quality of one seed"
RUNS_JANO = {"jano_wan22_image_to_video": 2, SWEEP: 0}  # how many runs a workflow reports; one if not said


@pytest.fixture(scope="module")
def small_server(host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(host, tmp_path_factory.mktemp("workflows"), PACKS)
    write_files(server.base)
    with server:
        yield server


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_shipped_workflow_runs_and_is_accelerated(small_server: Server, path: Path) -> None:
    prompt = to_prompt(small_workflow(path), small_server.object_info())
    outputs = small_server.run(prompt)
    by_class = [(prompt[node_id]["class_type"], output) for node_id, output in outputs.items()]
    reports = [output["jano"][0] for kind, output in by_class if kind == "JanoReport"]
    assert [report["verdict"] for report in reports] == ["accelerated"] * RUNS_JANO.get(path.stem, 1)
    assert [report["fallbacks"] for report in reports] == [[] for _ in reports]
    assert all(output["images"] for kind, output in by_class if kind == "JanoConvergenceMap")
    sweeps = [output["jano"][0]["rows"] for kind, output in by_class if kind == "JanoSweep"]
    assert [[row["name"] for row in rows] for rows in sweeps] == [["full", *PRESETS]] * (path.stem == SWEEP)
    assert all(row["computed_token_fraction"] < 1.0 for rows in sweeps for row in rows[1:])


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
