"""The pack as a user's ComfyUI loads it: nodes, web files, help pages, workflow templates, and a quiet log."""

import urllib.error
from pathlib import Path
from urllib.parse import quote

import pytest
from comfyui_jano.host.location import ROOT
from comfyui_jano.host.server import Server

NODES = ("JanoModelLoader", "JanoAnalyzer", "JanoScheduler", "JanoConvergenceMap", "JanoReport", "JanoCompare")
DECODER_NODES = ("FlashVAEDLoader", "FlashVAEDCompare", "FlashVAEDCompress")
COMPLAINTS = ("Traceback", "IMPORT FAILED", "Cannot import", "Error while calling comfy_entrypoint", "Error loading")


@pytest.mark.parametrize("node_id", [*NODES, *DECODER_NODES])
def test_every_node_is_offered(server: Server, node_id: str) -> None:
    assert server.object_info()[node_id]["python_module"] == "custom_nodes.jano"


@pytest.mark.parametrize("complaint", COMPLAINTS)
def test_the_log_has_no_complaint(server: Server, complaint: str) -> None:
    loading = server.log.read_text(errors="replace").partition("got prompt")[0]
    assert complaint not in loading


def test_exactly_our_scripts_are_given_to_the_editor(server: Server) -> None:
    scripts = {path for path in server.get_json("/extensions") if path.startswith("/extensions/jano/")}
    web = ROOT / "web"
    assert scripts == {f"/extensions/jano/{path.relative_to(web).as_posix()}" for path in web.rglob("*.js")}
    for script in scripts:
        assert server.fetch(script) == (web / script.removeprefix("/extensions/jano/")).read_bytes()


def test_help_pages_are_served(server: Server) -> None:
    for page in (ROOT / "web" / "docs").glob("*.md"):
        assert server.fetch(f"/extensions/jano/docs/{page.name}") == page.read_bytes()


def test_workflows_are_offered_as_templates(server: Server) -> None:
    ours: list[Path] = sorted((ROOT / "example_workflows").glob("*.json"))
    assert sorted(server.get_json("/api/workflow_templates").get("jano", [])) == [path.stem for path in ours]
    for path in ours:  # of several folders that ComfyUI knows, it serves the first: "examples" would hide "workflows"
        assert server.fetch(f"/api/workflow_templates/jano/{quote(path.name)}") == path.read_bytes()


def test_nothing_outside_the_web_folder_is_served(server: Server) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        server.fetch("/extensions/jano/../pyproject.toml")
