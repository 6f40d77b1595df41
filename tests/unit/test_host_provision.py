"""The provisioning command: exit codes and sentences, as a shell sees them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from comfyui_jano.host.location import LANDMARKS, ROOT
from comfyui_jano.host.provision import python_complaint

VARIABLES = ("COMFYUI_PATH", "COMFYUI_PYTHON", "COMFYUI_VERSION")


def provision(*arguments: str, **variables: str | Path) -> subprocess.CompletedProcess:
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environ |= {name: str(value) for name, value in variables.items()}
    command = [sys.executable, "-m", "host.provision", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def write_comfyui(folder: Path) -> Path:
    for name in LANDMARKS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def assert_refused(run: subprocess.CompletedProcess, exit_code: int, *words: str) -> None:
    assert run.returncode == exit_code
    assert run.stdout == ""
    assert run.stderr.startswith("jano: ")
    assert run.stderr.count("\n") == 1
    for word in words:
        assert word in run.stderr


def test_a_folder_that_is_not_comfyui_is_refused(tmp_path: Path) -> None:
    assert_refused(provision(COMFYUI_PATH=tmp_path), 2, f"COMFYUI_PATH={tmp_path} is not a ComfyUI folder")


def test_an_unknown_version_is_refused() -> None:
    assert_refused(provision("--comfyui", "9.9"), 2, "choose one of 0.30.0, 0.24.0, 0.18.2, 0.16.3")


def test_a_python_without_a_path_is_refused() -> None:
    assert_refused(provision(COMFYUI_PYTHON=sys.executable), 2, "set both, or neither")


def test_a_python_that_does_not_run_is_refused(tmp_path: Path) -> None:
    folder = write_comfyui(tmp_path)
    assert_refused(provision(COMFYUI_PATH=folder, COMFYUI_PYTHON=tmp_path / "no"), 1, "does not run")


def test_a_python_without_torch_is_refused(tmp_path: Path) -> None:
    folder = write_comfyui(tmp_path / "ComfyUI")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    assert_refused(provision(COMFYUI_PATH=folder), 2, "has no torch", "COMFYUI_PYTHON")


def test_a_missing_tool_comes_with_its_command(tmp_path: Path) -> None:
    run = provision("--needs", "no_such_tool", COMFYUI_PATH=write_comfyui(tmp_path), COMFYUI_PYTHON=sys.executable)
    assert_refused(run, 2, "has no no_such_tool", "-m pip install -r")


def test_an_own_install_ends_with_its_folder(tmp_path: Path) -> None:
    run = provision("--needs", "pytest", COMFYUI_PATH=write_comfyui(tmp_path), COMFYUI_PYTHON=sys.executable)
    assert (run.returncode, run.stdout) == (0, f"{tmp_path}\n")


def test_an_own_install_is_left_as_it_is(tmp_path: Path) -> None:
    before = sorted(write_comfyui(tmp_path).rglob("*"))
    provision(COMFYUI_PATH=tmp_path, COMFYUI_PYTHON=sys.executable)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 8), (2, 7)])
def test_an_old_python_is_told_so(version: tuple[int, ...]) -> None:
    assert python_complaint(version).startswith(f"Python {version[0]}.{version[1]} is too old")


def test_python_3_10_will_do() -> None:
    assert python_complaint((3, 10, 0)) is None
