"""What every test stands on: ComfyUI first on the path and on the CPU, this repository as the package comfyui_jano.

ComfyUI's ``nodes.py`` and our ``nodes/`` share a name, so the repository itself never comes before it on the path.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import random
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRATCH = ROOT / "build" / "tests"
SEED = 2025
FIRST = ("tests/web/", "tests/test_engines.py", "tests/host/by_level/", "tests/server/", "tests/host/")


def stage() -> None:
    """Make ready, or end the run: without ComfyUI there is nothing to test, and skipping would look like passing."""
    alias_repository()
    location = importlib.import_module("comfyui_jano.host.location")
    try:
        folder = location.chosen_host().folder
    except location.HostError as error:
        sys.exit(f"jano: {error}")
    if not location.is_comfyui(folder):
        sys.exit(f"jano: there is no ComfyUI in {folder}: run `make test`, which installs it, or set COMFYUI_PATH.")
    if importlib.util.find_spec("torch") is None:
        sys.exit(f"jano: {sys.executable} has no torch: run `make test`, which uses the Python that has it.")
    if "PYTEST_XDIST_WORKER" in os.environ:  # two threads that wait for each other on a busy core cost ten times one
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the servers and commands that tests start, too
    load_comfyui(folder)
    importlib.import_module("torch").set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))


def alias_repository() -> None:
    """Make ``comfyui_jano.jano``, ``comfyui_jano.nodes`` ... importable, whatever the checkout's folder is called."""
    package = types.ModuleType("comfyui_jano")
    package.__path__ = [str(ROOT)]
    sys.modules["comfyui_jano"] = package


def load_comfyui(folder: Path) -> None:
    """Put ComfyUI first on the path, on the CPU, its input and output below build/ and not in a user's install."""
    sys.path.insert(0, str(folder))
    args = importlib.import_module("comfy.cli_args").args
    (SCRATCH / "custom_nodes").mkdir(parents=True, exist_ok=True)
    args.cpu = True
    args.base_directory = str(SCRATCH)


stage()  # not in a hook: the conftest files below this one import ComfyUI before pytest runs any


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins, so that no process waits in the end for another's long file; of the page's tests those
    in Nodes 2.0 come last, so that one page after the other is open (tests/web/conftest.py)."""

    def place(item: pytest.Item) -> tuple[int, bool]:
        first = next((place for place, name in enumerate(FIRST) if name in item.nodeid), len(FIRST))
        given = item.callspec.params if hasattr(item, "callspec") else {}
        return first, any(given.get(name) is True for name in ("vue", "desk"))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    return importlib.import_module("comfyui_jano.tests.schedule").ByFile(config, log)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random numbers in every test, in whatever order they run."""
    random.seed(SEED)
    importlib.import_module("numpy").random.seed(SEED)
    importlib.import_module("torch").manual_seed(SEED)


@pytest.fixture(scope="session")
def host():
    """The ComfyUI under test: its folder and its Python."""
    return importlib.import_module("comfyui_jano.host.location").chosen_host()
