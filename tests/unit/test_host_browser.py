"""Which Chromium the tests of the web page take, and what is said when there is none."""

import sys
from pathlib import Path

import pytest
from comfyui_jano.host import browser
from comfyui_jano.host.browser import ensure_browser, find_browser
from comfyui_jano.host.location import HostError

PYTHON = Path(sys.executable)


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_one_that_is_named_is_taken(tmp_path: Path) -> None:
    named, other = executable(tmp_path / "mine"), executable(tmp_path / "bin" / "chromium")
    assert find_browser(PYTHON, {"JANO_BROWSER": str(named), "PATH": str(other.parent)}) == named


def test_one_that_is_named_and_not_there_is_not_replaced(tmp_path: Path) -> None:
    other = executable(tmp_path / "chromium")
    assert find_browser(PYTHON, {"JANO_BROWSER": str(tmp_path / "no"), "PATH": str(other.parent)}) is None


def test_one_on_the_path_is_found(tmp_path: Path) -> None:
    found = executable(tmp_path / "google-chrome")
    assert find_browser(PYTHON, {"PATH": str(tmp_path)}) == found


def test_without_any_there_is_none(tmp_path: Path) -> None:
    assert find_browser(tmp_path / "no-python", {"PATH": str(tmp_path)}) is None


def test_when_none_can_be_had_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tried: list[str] = []
    monkeypatch.delenv("JANO_BROWSER", raising=False)
    monkeypatch.setattr(browser, "find_browser", lambda python: None)
    monkeypatch.setattr(browser, "follow", lambda command, log, label: tried.append(label))
    with pytest.raises(HostError, match="install it .* or set JANO_BROWSER to one, or leave them out: make test "):
        ensure_browser(PYTHON)
    assert tried[-1] == "Chromium, by Playwright"


def test_nothing_is_installed_over_one_that_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(browser, "follow", lambda *_: pytest.fail("installs"))
    monkeypatch.setattr(browser, "find_browser", lambda python: tmp_path)
    assert ensure_browser(PYTHON) == tmp_path
