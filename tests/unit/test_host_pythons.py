"""Which Pythons the promise is kept on, and where each is found."""

import os
import re
import sys
from pathlib import Path

import pytest
from comfyui_jano.host import pythons
from comfyui_jano.host.location import ROOT, USAGE
from comfyui_jano.host.pythons import PROMISED, find_python, main

OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"


def stand_in(path: Path, version: str) -> Path:
    """A program that answers as a Python of this version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": str(tmp_path / "bin"), "PYENV_ROOT": str(tmp_path / "pyenv")}


def test_the_oldest_is_the_one_that_the_pack_requires() -> None:
    (required,) = re.findall(r'^requires-python = ">=(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert PROMISED[0] == required
    assert OWN in PROMISED


def test_one_on_the_path_is_found_first(tmp_path: Path) -> None:
    there = stand_in(tmp_path / "bin" / "python3.10", "3.10")
    stand_in(tmp_path / "pyenv" / "versions" / "3.10.13" / "bin" / "python", "3.10")
    assert find_python("3.10", environ(tmp_path)) == there


def test_a_stand_in_for_nothing_is_passed_over_for_the_newest_of_pyenv(tmp_path: Path) -> None:
    stand_in(tmp_path / "bin" / "python3.10", "pyenv: python3.10: command not found")
    for patch in ("9", "13", "4"):
        stand_in(tmp_path / "pyenv" / "versions" / f"3.10.{patch}" / "bin" / "python", "3.10")
    assert find_python("3.10", environ(tmp_path)) == tmp_path / "pyenv" / "versions" / "3.10.13" / "bin" / "python"


def test_none_is_none(tmp_path: Path) -> None:
    assert find_python("3.10", environ(tmp_path)) is None


def test_this_one_is_found(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    os.symlink(sys.executable, tmp_path / "bin" / f"python{OWN}")
    assert find_python(OWN, environ(tmp_path)) == tmp_path / "bin" / f"python{OWN}"


def test_a_version_that_is_not_promised_is_refused(capsys) -> None:
    assert main(["3.9"]) == USAGE
    assert capsys.readouterr().err == f"jano: Python 3.9 is not promised: choose of {', '.join(PROMISED)}.\n"


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ({"3.10": True, "3.11": True}, 0),
        ({"3.10": True, "3.11": None}, 0),
        ({"3.10": True, "3.11": False}, 1),
        ({"3.10": None, "3.11": None}, 1),
    ],
)
def test_one_that_fails_fails_and_so_does_finding_none(monkeypatch, capsys, outcomes: dict, code: int) -> None:
    monkeypatch.setattr(pythons, "find_python", lambda version: None if outcomes[version] is None else Path(version))
    monkeypatch.setattr(pythons, "test_on", lambda python, version: outcomes[version])
    assert main(list(outcomes)) == code
    words = {True: "passed", False: "failed", None: "not found"}
    assert capsys.readouterr().out == "".join(f"Python {v}: {words[o]}\n" for v, o in outcomes.items())
