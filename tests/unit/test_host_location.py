"""Which ComfyUI is chosen, from the environment variables alone."""

import os
import sys
from pathlib import Path

import pytest
from comfyui_jano.host.location import ROOT, USAGE, HostError, chosen_host, is_comfyui, venv_python


def test_without_variables_it_is_the_provisioned_reference() -> None:
    host = chosen_host({})
    assert host.folder == ROOT / ".comfyui" / "ComfyUI-0.30.0"
    assert host.python == venv_python(ROOT / ".venv")
    assert not host.is_own


def test_another_version_has_its_own_folder_and_environment() -> None:
    host = chosen_host({"COMFYUI_VERSION": "0.24.0"})
    assert host.folder == ROOT / ".comfyui" / "ComfyUI-0.24.0"
    assert host.python == venv_python(ROOT / ".comfyui" / "venv-0.24.0")


def test_an_asked_version_wins_over_the_variable() -> None:
    assert chosen_host({"COMFYUI_VERSION": "0.24.0"}, "0.18.2").version == "0.18.2"


def test_a_users_own_install_wins_over_everything(tmp_path: Path) -> None:
    host = chosen_host({"COMFYUI_PATH": str(tmp_path), "COMFYUI_PYTHON": "/opt/python", "COMFYUI_VERSION": "0.24.0"})
    assert (host.folder, host.python, host.is_own) == (tmp_path, Path("/opt/python"), True)


def test_the_python_of_an_own_install_is_its_venvs(tmp_path: Path) -> None:
    python = venv_python(tmp_path / "venv")
    python.parent.mkdir(parents=True)
    python.touch()
    assert chosen_host({"COMFYUI_PATH": str(tmp_path)}).python == python


def test_without_a_venv_it_is_the_python_running_now(tmp_path: Path) -> None:
    assert chosen_host({"COMFYUI_PATH": str(tmp_path)}).python == Path(sys.executable)


@pytest.mark.skipif(os.name == "nt", reason="venvs hold links only elsewhere")
def test_a_venvs_python_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    host = chosen_host({"COMFYUI_PATH": str(tmp_path), "COMFYUI_PYTHON": str(tmp_path / "python")})
    assert host.python == tmp_path / "python"


def test_a_python_alone_is_refused() -> None:
    with pytest.raises(HostError, match="COMFYUI_PYTHON is set without COMFYUI_PATH") as refusal:
        chosen_host({"COMFYUI_PYTHON": "/opt/python"})
    assert refusal.value.exit_code == USAGE


def test_comfyui_is_known_by_its_files(host, tmp_path: Path) -> None:
    assert is_comfyui(host.folder)
    assert not is_comfyui(tmp_path)
