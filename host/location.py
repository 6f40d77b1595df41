"""Which ComfyUI this checkout runs against, and with which Python: the provisioned one, or the user's own.

``python3 -m host.location`` prints the Python.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMFYUI_HOME = ROOT / ".comfyui"
REFERENCE_VERSION = "0.30.0"
REFERENCE_VENV = ROOT / ".venv"
LANDMARKS = ("main.py", "nodes.py", "server.py", "folder_paths.py", "comfy/cli_args.py")

MACHINE, USAGE = 1, 2  # exit codes: something on this machine is in the way; it was asked for wrongly


class HostError(Exception):
    """Why there is no usable ComfyUI, in one sentence that says what to do. ``exit_code`` is MACHINE or USAGE."""

    def __init__(self, sentence: str, exit_code: int = MACHINE) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Host:
    """A ComfyUI folder and the Python that runs it. ``version`` is None for a user's own install."""

    folder: Path
    python: Path
    version: str | None

    @property
    def is_own(self) -> bool:
        """True for a user's own install, into which nothing is ever installed."""
        return self.version is None


def chosen_host(environ: Mapping[str, str] = os.environ, version: str | None = None) -> Host:
    """The host that COMFYUI_PATH / COMFYUI_PYTHON name, else the provisioned one of ``version`` or COMFYUI_VERSION.

    Nothing is checked on disk for a provisioned host; HostError where the variables contradict each other.
    """
    path, python = environ.get("COMFYUI_PATH"), environ.get("COMFYUI_PYTHON")
    if path:
        folder = Path(path).expanduser().resolve()
        # Not resolved: a venv's python is a link, and its own path is what makes it a venv's.
        own_python = Path(python).expanduser().absolute() if python else python_beside(folder)
        return Host(folder, own_python, None)
    if python:
        raise HostError("COMFYUI_PYTHON is set without COMFYUI_PATH: set both, or neither.", USAGE)
    version = version or environ.get("COMFYUI_VERSION") or REFERENCE_VERSION
    return Host(COMFYUI_HOME / f"ComfyUI-{version}", venv_python(venv_folder(version)), version)


def venv_folder(version: str) -> Path:
    """Where the environment of a provisioned ComfyUI lies."""
    return REFERENCE_VENV if version == REFERENCE_VERSION else COMFYUI_HOME / f"venv-{version}"


def venv_python(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def python_beside(folder: Path) -> Path:
    """The Python that comes with a user's ComfyUI: its venv, the portable build's, else the one running now."""
    candidates = [venv_python(folder / name) for name in (".venv", "venv")]
    candidates.append(folder.parent / "python_embeded" / "python.exe")
    return next((python for python in candidates if python.exists()), Path(sys.executable))


def is_comfyui(folder: Path) -> bool:
    """Whether the folder holds ComfyUI's source."""
    return all((folder / name).is_file() for name in LANDMARKS)


def main() -> int:
    """Print the chosen host's Python, for the Makefile."""
    try:
        print(chosen_host().python)
    except HostError as error:
        print(f"jano: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
