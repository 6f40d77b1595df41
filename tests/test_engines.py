"""Either engine can be deleted, in a copy of this repository: the other one works, and its tests say so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("jano", "flash_vaed", "nodes", "host", "web", "locales", "tests", "demo", "bench")
# Of each engine, all that there is: its equations, its adapters, its tests.
ENGINES = {
    "whole": (
        "jano/whole",
        "jano/adapters/whole.py",
        "jano/adapters/windows.py",
        "tests/unit/whole",
        "tests/host/whole",
    ),
    "by_level": ("jano/by_level", "jano/adapters/by_level", "tests/unit/by_level", "tests/host/by_level"),
}
# What shows each at work in the host; the rest of its folder has to load, and runs beside both engines.
AT_WORK = {
    "whole": ("test_from_node_to_report.py", "test_error_control.py"),
    "by_level": ("test_partial_exact.py", "test_tokens.py", "test_wan.py"),
}
ROOMS = ("tests/unit/forecast", "tests/unit/levels", "tests/unit/show", "tests/unit/test_run.py")


def without(engine: str, folder: Path) -> Path:
    """A copy of the pack that lacks everything of one engine."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "results"))
    for name in ("__init__.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for name in (".venv", ".comfyui"):
        if (ROOT / name).exists():
            (folder / name).symlink_to((ROOT / name).resolve())
    for name in ENGINES[engine]:
        gone = folder / name
        assert gone.exists()
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    return folder


@pytest.mark.parametrize(("deleted", "left"), [("by_level", "whole"), ("whole", "by_level")])
def test_without_one_engine_the_other_works(deleted: str, left: str, tmp_path: Path) -> None:
    copy = without(deleted, tmp_path)
    *_, units, hosts = ENGINES[left]
    rest = [file for file in (copy / hosts).glob("test_*.py") if not file.name.startswith(AT_WORK[left])]
    loaded = [f"--deselect={hosts}/{file.name}" for file in rest]
    command = [sys.executable, "-m", "pytest", "-q", "-x", *ROOMS, units, hosts, *loaded]
    run = subprocess.run(command, cwd=copy, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    told = run.stdout.splitlines()[-1]
    assert " passed" in told
    assert ("deselected" in told) is bool(rest)
