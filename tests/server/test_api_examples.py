"""The examples for the API: they are what the templates are, and the client runs them as a stranger would."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from comfyui_jano.demo.graphs import SCENES, only, with_tiny_models
from comfyui_jano.host.location import ROOT
from comfyui_jano.host.server import Server
from comfyui_jano.host.workflow import to_prompt
from comfyui_jano.tests.stand_ins import workflow_file

EXAMPLES = sorted((ROOT / "examples" / "api").glob("*.json"))
CLIENT = ROOT / "examples" / "api_client.py"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_its_template(server: Server, path: Path) -> None:
    """The same nodes, links and values, but for names that a node shows, which may change."""
    workflow = json.loads(workflow_file(path.stem).read_text(encoding="utf-8"))
    made = to_prompt(workflow, server.object_info())
    shipped = json.loads(path.read_text(encoding="utf-8"))
    assert {name: node["class_type"] for name, node in shipped.items()} == {
        name: node["class_type"] for name, node in made.items()
    }
    assert {name: node["inputs"] for name, node in shipped.items()} == {
        name: node["inputs"] for name, node in made.items()
    }


def test_the_client_prints_a_table(server: Server, tmp_path: Path) -> None:
    example = json.loads((ROOT / "examples" / "api" / "Flux text to image.json").read_text(encoding="utf-8"))
    prompt = with_tiny_models(example, SCENES["flux"])
    prompt[only(prompt, "KSampler")]["inputs"]["steps"] = 16
    prompt[only(prompt, "EmptySD3LatentImage")]["inputs"].update(width=128, height=128)
    workflow = tmp_path / "flux.json"
    workflow.write_text(json.dumps(prompt), encoding="utf-8")
    heading, full, *others = client(workflow, server.url).stdout.splitlines()
    assert heading.split() == ["run", "seconds", "computed", "verdict"]
    assert full.split()[3:5] == ["100", "%"]
    assert [line.split()[0] for line in others] == ["balanced", "fast"]
    shares = [int(line.split()[2]) for line in others]
    assert 100 > shares[0] > shares[1]
    assert [line.split()[4] for line in others] == ["accelerated", "accelerated"]


def test_the_client_says_what_the_server_refuses(server: Server, tmp_path: Path) -> None:
    workflow = tmp_path / "unknown.json"
    kinds = ("JanoScheduler", "JanoReport", "NoSuchNode")
    prompt = {kind: {"class_type": kind, "inputs": {}} for kind in kinds}
    workflow.write_text(json.dumps(prompt), encoding="utf-8")
    refused = client(workflow, server.url)
    assert refused.returncode == 1
    assert "NoSuchNode" in refused.stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file or directory"),
        ("no json", "is no workflow in API format (in ComfyUI: File > Export (API))"),
        ('{"nodes": [], "links": []}', "is no workflow in API format (in ComfyUI: File > Export (API))"),
        ('{"1": {"class_type": "KSampler"}}', "lacks a Jano Accelerator (JanoScheduler) or a Jano Report (JanoReport)"),
    ],
)
def test_the_client_says_what_is_wrong_with_a_file(tmp_path: Path, content: str | None, sentence: str) -> None:
    workflow = tmp_path / "workflow.json"
    if content is not None:
        workflow.write_text(content)
    refused = client(workflow, "http://127.0.0.1:9")
    assert (refused.returncode, refused.stderr) == (1, f"{workflow} {sentence}\n")


def test_the_client_says_how_it_is_called() -> None:
    refused = subprocess.run([sys.executable, "-I", "-S", str(CLIENT)], capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr == "usage: python api_client.py WORKFLOW.json [http://127.0.0.1:8188]\n"


def test_the_client_says_that_no_server_answers() -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        refused = client(EXAMPLES[0], url)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"no ComfyUI answers at {url}: ")


def client(workflow: Path, url: str) -> subprocess.CompletedProcess:
    """Isolated from everything that is installed: it is to need the standard library alone."""
    return subprocess.run([sys.executable, "-I", "-S", str(CLIENT), str(workflow), url], capture_output=True, text=True)
