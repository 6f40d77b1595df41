"""The shipped workflows as files: titles, notes, downloads, groups, and a layout that can be read."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from comfyui_jano.bench.published import as_published
from comfyui_jano.host.location import ROOT
from comfyui_jano.templates.sheet import Sheet
from PIL import Image

WORKFLOWS = sorted((ROOT / "example_workflows").glob("*.json"))
OUR_NODES = {"JanoModelLoader", "JanoAnalyzer", "JanoScheduler", "JanoConvergenceMap", "JanoReport", "JanoCompare"}
GROUPS = ["1 Models", "2 Prompt", "3 Sample (Jano)", "4 Look"]
LOADERS = ("Loader", "LoaderSimple", "LoaderModelOnly")
OWN_CHOICE = {"flux_style_lora.safetensors", "flux_canny_controlnet.safetensors"}  # any of the user's own
BY_REGIONS = "By regions, as published.json"
LEVELS = {"threshold": ("static", "moderate"), "interval": ("static", "moderate", "active")}
TITLE = 30
WINDOW, SHOWN, READ = (1870, 945), 0.75, 0.571
"""Of a screen of 1920 x 1080, what ComfyUI's page leaves; how much of it "fit view" fills; the zoom from which the
classic renderer draws text (14 pixels at 8)."""
Box = tuple[float, float, float, float]

of_every = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def box_of(node: dict) -> Box:
    """With its title bar, which stands above its position."""
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE, x + width, y + height


def group_box(group: dict) -> Box:
    x, y, width, height = group["bounding"]
    return x, y, x + width, y + height


def meet(one: Box, other: Box) -> bool:
    return all(one[side] < other[side + 2] and other[side] < one[side + 2] for side in (0, 1))


def holds(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def note_of(workflow: dict) -> dict:
    (note,) = (node for node in workflow["nodes"] if node["type"] == "MarkdownNote")
    return note


def loaded_files(workflow: dict) -> Iterator[tuple[dict, str]]:
    """Nodes that load models, with the names of the files that they ask for."""
    for node in workflow["nodes"]:
        if node["type"].endswith(LOADERS):
            yield from ((node, name) for name in node["widgets_values"] if str(name).endswith(".safetensors"))


@of_every
def test_nothing_covers_anything(path: Path) -> None:
    workflow = read(path)
    nodes = workflow["nodes"]
    assert [(a["type"], b["type"]) for a, b in combinations(nodes, 2) if meet(box_of(a), box_of(b))] == []
    boxes = [*map(group_box, workflow["groups"]), box_of(note_of(workflow))]
    assert not any(meet(one, other) for one, other in combinations(boxes, 2))


@of_every
def test_every_node_is_in_its_group_and_the_note_comes_first(path: Path) -> None:
    workflow = read(path)
    assert [group["title"] for group in workflow["groups"]] == GROUPS
    note = note_of(workflow)
    boxes = [group_box(group) for group in workflow["groups"]]
    for node in workflow["nodes"]:
        assert sum(holds(box, box_of(node)) for box in boxes) == (node is not note), node["type"]
    assert box_of(note)[:2] == (0, 0)
    assert all(box[0] >= 0 and box[1] >= 0 for box in boxes)


@of_every
def test_it_can_be_read_when_it_is_fitted(path: Path) -> None:
    boxes = [group_box(group) for group in read(path)["groups"]]
    size = max(box[2] for box in boxes), max(box[3] for box in boxes)
    assert min(SHOWN * window / side for window, side in zip(WINDOW, size, strict=True)) >= READ


@of_every
def test_every_file_can_be_downloaded_and_is_in_the_note(path: Path) -> None:
    """ComfyUI offers what a node's `properties.models` has."""
    workflow = read(path)
    note = note_of(workflow)["widgets_values"][0]
    asked = list(loaded_files(workflow))
    assert asked
    for node, name in asked:
        assert name in note
        offered = {entry["name"]: entry for entry in node["properties"].get("models", ())}
        assert name in offered or name in OWN_CHOICE
    for node in workflow["nodes"]:
        for entry in node["properties"].get("models", ()):
            assert entry.keys() == {"name", "url", "directory"}
            assert entry["url"].startswith("https://huggingface.co/")
            assert entry["url"].endswith(f"/{entry['name']}")
            assert f"]({entry['url']}) in models/{entry['directory']}" in note


def test_addresses_and_folders_are_those_of_comfyui() -> None:
    """Every one is in a template of the installed ComfyUI, so a file that moves there is noticed here."""
    templates = importlib.import_module("comfyui_workflow_templates_json")
    known = {}
    for file in (Path(templates.__file__).parent / "templates").glob("*.json"):
        for entry in entries(json.loads(file.read_text(encoding="utf-8"))):
            known.setdefault(entry["name"], set()).add((entry["directory"], entry["url"].partition("?")[0]))
    ours = [entry for path in WORKFLOWS for entry in entries(read(path))]
    assert ours
    assert [entry["name"] for entry in ours if (entry["directory"], entry["url"]) not in known[entry["name"]]] == []


def entries(tree: object) -> Iterator[dict]:
    """All entries of `properties.models`, in subgraphs too."""
    if isinstance(tree, dict):
        yield from (entry for entry in (tree.get("properties") or {}).get("models", ()) if "directory" in entry)
        for branch in tree.values():
            yield from entries(branch)
    elif isinstance(tree, list):
        for branch in tree:
            yield from entries(branch)


@of_every
def test_it_looks_as_the_users_own_nodes_do(path: Path) -> None:
    """No colours of its own, and names of nodes only where two of a kind must be told apart."""
    nodes = read(path)["nodes"]
    assert not any({"color", "bgcolor"} & node.keys() for node in nodes)
    named = [node for node in nodes if "title" in node and node["type"].startswith("Jano")]
    kinds = [node["type"] for node in nodes]
    assert all(kinds.count(node["type"]) > 1 for node in named)


@of_every
def test_links_lead_where_their_ends_say(path: Path) -> None:
    workflow = read(path)
    nodes = {node["id"]: node for node in workflow["nodes"]}
    for number, source, output, target, slot, kind in workflow["links"]:
        assert number in nodes[source]["outputs"][output]["links"]
        assert nodes[target]["inputs"][slot]["link"] == number
        assert kind == nodes[source]["outputs"][output]["type"]


@of_every
def test_it_has_a_picture(path: Path) -> None:
    card = path.with_suffix(".jpg")
    assert card.stat().st_size < 100_000
    with Image.open(card) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (512, 512)


def test_no_picture_is_left_without_its_workflow() -> None:
    cards = {path.stem for path in (ROOT / "example_workflows").glob("*.jpg")}
    assert cards == {path.stem for path in WORKFLOWS}


def test_by_regions_has_the_papers_settings() -> None:
    nodes = {node["type"]: node["widgets_values"] for node in read(ROOT / "example_workflows" / BY_REGIONS)["nodes"]}
    analyzer, scheduler = as_published("flux", "2.00x")
    levels = [f"{level}_{kind}" for kind, of in LEVELS.items() for level in of]
    wanted = [getattr(scheduler, name) for name in (*levels, "cooldown", "target_speedup")]
    assert nodes["JanoScheduler"][:8] == ["custom", *wanted]
    assert (nodes["JanoAnalyzer"][0], nodes["JanoAnalyzer"][5]) == (analyzer.warmup, analyzer.score)
    assert nodes["KSampler"][2] == 50


@pytest.mark.parametrize(
    ("upper", "lower"), [((2100, 90), (300, 90)), ((300, 400), (300, 800)), ((300, 90), (2500, 90))]
)
def test_a_sheet_that_does_not_fit_is_not_written(upper: tuple[int, int], lower: tuple[int, int]) -> None:
    """No room for the note, rows too high, the lower one too wide."""
    sheet = Sheet("Too large", {"Node": {"output_name": [], "input": {}}})
    for size in (upper, lower):
        sheet.row()
        sheet.group("1")
        sheet.add("Node", size=size)
    sheet.say("What it is for.")
    with pytest.raises(ValueError, match="Too large does not fit"):
        sheet.lay_out()


def test_every_node_is_in_a_workflow() -> None:
    assert {node["type"] for path in WORKFLOWS for node in read(path)["nodes"]} >= OUR_NODES
