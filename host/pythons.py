"""The pack on every Python that it promises: unit tests, import by ComfyUI and nodes, on each one that is found.

``python3 -m host.pythons [3.10 ...]``, after ``host.provision``. Each Python gets a venv of its own, filled as the
reference one is (about 3 minutes and 6 GB each, the first time).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .environment import ensure_venv, fill_venv
from .location import COMFYUI_HOME, MACHINE, ROOT, USAGE, HostError, chosen_host, venv_python
from .progress import say

PROMISED = ("3.10", "3.11", "3.12", "3.13")
TESTS = ("tests/unit", "tests/test_packaging.py", "tests/host/test_nodes.py")


def find_python(version: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """A Python of this version ("3.10"): on the PATH, else the newest that pyenv has; None without any."""
    found = shutil.which(f"python{version}", path=environ.get("PATH"))
    if found and _is(version, Path(found)):
        return Path(found)
    root = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "~")).expanduser() / ".pyenv")
    kept = sorted((root / "versions").glob(f"{version}.*/bin/python"), key=lambda path: _number(path.parents[1].name))
    return next((path for path in reversed(kept) if _is(version, path)), None)


def test_on(python: Path, version: str) -> bool:
    """Whether the tests pass on a Python; their output goes to the terminal. HostError if its venv cannot be had."""
    host, venv = chosen_host({}), COMFYUI_HOME / f"python-{version}"
    ensure_venv(venv, python)
    fill_venv(venv, host.folder / "requirements.txt")
    say(f"testing on Python {version}")
    return subprocess.run([str(venv_python(venv)), "-m", "pytest", "-q", *TESTS], cwd=ROOT, check=False).returncode == 0


def _is(version: str, python: Path) -> bool:
    """Whether it runs and is of this version: pyenv's stand-ins on the PATH may be neither."""
    code = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    try:
        answer = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return answer.stdout.strip() == version


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def main(argv: Sequence[str]) -> int:
    """Test on the versions named, on all promised ones without any. Returns the exit code."""
    unknown = [version for version in argv if version not in PROMISED]
    if unknown:
        print(f"jano: Python {unknown[0]} is not promised: choose of {', '.join(PROMISED)}.", file=sys.stderr)
        return USAGE
    outcomes = {}
    for version in argv or PROMISED:
        python = find_python(version)
        try:
            outcomes[version] = "not found" if python is None else "passed" if test_on(python, version) else "failed"
        except HostError as error:
            outcomes[version] = str(error)
    for version, outcome in outcomes.items():
        say(f"Python {version}: {outcome}")
    return 0 if set(outcomes.values()) <= {"passed", "not found"} and "passed" in outcomes.values() else MACHINE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
