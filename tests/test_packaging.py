"""The pack as ComfyUI loads it, and its contract with saved workflows.

A workflow stores widget values by position and links by name. After a deliberate change (inputs are only ever added
at the end), write the contract anew with `JANO_WRITE_CONTRACT=1 make test` and look at its diff.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from PIL import Image

import nodes

ROOT = Path(__file__).resolve().parents[1]
CONTRACT = ROOT / "tests" / "data" / "object_info.json"
JANO = {"JanoModelLoader", "JanoAnalyzer", "JanoScheduler", "JanoConvergenceMap", "JanoReport", "JanoCompare"}
NODE_IDS = JANO | {"JanoSweep", "FlashVAEDLoader", "FlashVAEDCompare", "FlashVAEDCompress"}
OF_THE_HOST = {"unet_name": "the files in models/diffusion_models", "vae_name": "the files in models/vae"}
OF_THE_HOST |= {"sampler_name": "the host's samplers", "scheduler": "the host's schedulers"}
NOT_PART_OF_IT = ("tooltip", "description")


def load_pack() -> bool:
    """ComfyUI's own loading of this repository; in a thread, because the browser tests leave a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(nodes.load_custom_node(str(ROOT)))).result()


@pytest.fixture(scope="module")
def pyproject() -> dict:
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")  # pytest brings it
    return toml.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def loaded() -> dict[str, dict]:
    """Our nodes as /object_info tells them, after ComfyUI's own loading of this repository."""
    before = set(nodes.NODE_CLASS_MAPPINGS)
    assert load_pack()
    ours = set(nodes.NODE_CLASS_MAPPINGS) - before
    infos = {node_id: nodes.NODE_CLASS_MAPPINGS[node_id].GET_NODE_INFO_V1() for node_id in sorted(ours)}
    return json.loads(json.dumps(infos))


def test_loading_registers_our_nodes_and_no_others(loaded: dict) -> None:
    assert set(loaded) == NODE_IDS


def test_loading_is_quiet(caplog) -> None:
    with caplog.at_level(logging.INFO):
        assert load_pack()
    assert caplog.text == ""


def test_every_input_and_output_has_a_tooltip(loaded: dict) -> None:
    for node_id, info in loaded.items():
        for section in ("required", "optional"):
            for name, (_, *options) in info["input"].get(section, {}).items():
                assert options, (node_id, name)
                assert options[0].get("tooltip", "").endswith("."), (node_id, name)
        assert all(tooltip for tooltip in info["output_tooltips"]), node_id


def test_every_node_says_what_it_does(loaded: dict) -> None:
    for info in loaded.values():
        assert info["display_name"].startswith(("Jano ", "Load "))
        assert info["category"] == "model/patch/jano"
        assert info["description"].endswith(".")
        assert "jano" in info["search_aliases"]


def test_every_node_has_a_help_page_and_no_page_lacks_its_node() -> None:
    assert {page.stem for page in (ROOT / "web" / "docs").glob("*.md")} == NODE_IDS


def test_saved_workflows_still_fit(loaded: dict) -> None:
    made = {node_id: contract(info) for node_id, info in loaded.items()}
    if os.environ.get("JANO_WRITE_CONTRACT"):
        CONTRACT.write_text(json.dumps(made, indent=1) + "\n")
    assert made == json.loads(CONTRACT.read_text())


def contract(info: dict) -> dict:
    """What a saved workflow relies on: names, order and ranges of inputs, names and order of outputs."""
    inputs = []
    for section in ("required", "optional"):
        for name, (kind, *rest) in info["input"].get(section, {}).items():
            options = {key: value for key, value in (rest[0] if rest else {}).items() if key not in NOT_PART_OF_IT}
            if name in OF_THE_HOST:
                options["options"] = OF_THE_HOST[name]
            inputs.append([section, name, kind, options])
    outputs = [list(output) for output in zip(info["output"], info["output_name"], strict=True)]
    return {
        "display_name": info["display_name"],
        "category": info["category"],
        "output_node": info["output_node"],
        "inputs": inputs,
        "outputs": outputs,
    }


def test_the_version_is_semantic(pyproject: dict) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", pyproject["project"]["version"])


def test_nothing_is_installed_beside_the_host(pyproject: dict) -> None:
    assert pyproject["project"]["dependencies"] == []
    assert not (ROOT / "requirements.txt").exists()
    assert not (ROOT / "install.py").exists()


def test_the_registry_finds_what_it_needs(pyproject: dict) -> None:
    assert "comfyui" not in pyproject["project"]["name"].lower()
    assert pyproject["project"]["license"] == {"file": "LICENSE"}
    assert pyproject["project"]["urls"]["Repository"].startswith("https://")
    assert pyproject["tool"]["comfy"]["PublisherId"]
    assert "web" not in pyproject["tool"]["comfy"]  # with WEB_DIRECTORY it would serve every script twice


def test_every_address_of_the_card_is_the_repositorys_own(pyproject: dict) -> None:
    urls, card = pyproject["project"]["urls"], pyproject["tool"]["comfy"]
    repository = urls["Repository"]
    assert urls["Documentation"] == f"{repository}#readme"
    assert urls["Bug Tracker"] == f"{repository}/issues"
    raw = repository.replace("https://github.com", "https://raw.githubusercontent.com") + "/main/"
    for name in ("Icon", "Banner"):
        assert card[name].startswith(raw)
        assert (ROOT / card[name].removeprefix(raw)).is_file()


def test_icon_and_banner_have_the_shapes_that_the_registry_asks_for() -> None:
    with Image.open(ROOT / "assets" / "icon.png") as icon, Image.open(ROOT / "assets" / "banner.png") as banner:
        assert icon.size == (400, 400)
        assert banner.width * 9 == banner.height * 21


def test_what_only_developers_need_is_not_published() -> None:
    left_out = set((ROOT / ".comfyignore").read_text().splitlines())
    assert {"bench/", "demo/", "host/", "templates/", "tests/"} <= left_out
    assert not {"assets/", "example_workflows/", "examples/", "locales/", "web/"} & left_out


def test_nothing_is_published_before_the_tests_have_passed() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "publish.yml").read_text())["jobs"]
    secrets = [name for name, job in jobs.items() if "secrets." in str(job)]
    assert secrets == ["publish"]
    assert jobs["publish"]["needs"] == "test"
    assert [step["run"] for step in jobs["test"]["steps"] if "run" in step] == ["bash .ci/run"]
    actions = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in actions), actions


def test_scripts_and_pages_are_served_from_one_folder(loaded: dict) -> None:
    served = {Path(folder) for folder in nodes.EXTENSION_WEB_DIRS.values()}
    assert ROOT / "web" in served


# --- what users read, in their language


def test_english_is_what_the_schemas_say(loaded: dict) -> None:
    file = ROOT / "locales" / "en" / "nodeDefs.json"
    made = {node_id: definition(info) for node_id, info in loaded.items()}
    if os.environ.get("JANO_WRITE_CONTRACT"):
        file.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert made == json.loads(file.read_text(encoding="utf-8"))


def definition(info: dict) -> dict:
    """A node as locales/en/nodeDefs.json has it; the schema is the source."""
    inputs = {}
    for section in ("required", "optional"):
        for name, (_, *rest) in info["input"].get(section, {}).items():
            inputs[name] = {"name": name, "tooltip": rest[0]["tooltip"]}
    outputs = zip(info["output_name"], info["output_tooltips"], strict=True)
    return {
        "display_name": info["display_name"],
        "description": info["description"],
        "inputs": inputs,
        "outputs": {str(index): {"name": name, "tooltip": tooltip} for index, (name, tooltip) in enumerate(outputs)},
    }
