"""The venv's stages: stamped when done, repaired when torn, one sentence when pip fails."""

import subprocess
import sys
from pathlib import Path

import pytest
from comfyui_jano.host import environment
from comfyui_jano.host.environment import (
    HostError,
    drop_torn_packages,
    ensure_overlay,
    import_complaint,
    install,
    is_whole,
    missing_modules,
    pip_failure,
)
from comfyui_jano.host.location import venv_python

NO_NETWORK = """WARNING: Retrying after connection broken by 'NewConnectionError(...)'
ERROR: Could not find a version that satisfies the requirement torch==2.11.0 (from versions: none)
ERROR: No matching distribution found for torch==2.11.0
"""


def write_package(site_packages: Path, name: str) -> Path:
    info = site_packages / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site_packages / f"{name}.py").write_text("x = 1\n")
    (info / "RECORD").write_text(f"{name}.py,sha256=abc,6\n{name}.pyc,,\n{info.name}/RECORD,,\n")
    return info


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A venv without pip, made in a moment."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    return tmp_path / "venv"


@pytest.fixture
def pip_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What pip would have been asked."""
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(environment, "_pip", lambda venv, label, *arguments: calls.append(arguments))
    return calls


def test_an_installed_package_is_whole(tmp_path: Path) -> None:
    assert is_whole(write_package(tmp_path, "good"))


def test_a_compiled_file_may_differ(tmp_path: Path) -> None:
    """numpy 2.2.6 lists one with the size that it had before pip compiled it anew."""
    info = write_package(tmp_path, "good")
    (tmp_path / "good.pyc").write_bytes(b"compiled here")
    with (info / "RECORD").open("a") as record:
        record.write("good.pyc,sha256=abc,999\n")
    assert is_whole(info)


def test_a_cut_or_missing_file_or_record_tears_a_package(tmp_path: Path) -> None:
    cut, gone, blank = (write_package(tmp_path, name) for name in ("cut", "gone", "blank"))
    (tmp_path / "cut.py").write_text("x")
    (tmp_path / "gone.py").unlink()
    (blank / "RECORD").unlink()
    assert not any(is_whole(info) for info in (cut, gone, blank))


def test_torn_packages_are_forgotten_and_others_kept(tmp_path: Path) -> None:
    write_package(tmp_path, "good")
    (write_package(tmp_path, "torn") / "RECORD").unlink()
    assert drop_torn_packages(tmp_path) == ["torn-1.0"]
    assert [info.name for info in tmp_path.glob("*.dist-info")] == ["good-1.0.dist-info"]


def test_a_stage_runs_once_for_the_same_request(venv: Path, pip_calls: list) -> None:
    install(venv, "torch", "torch", ["torch==1"])
    install(venv, "torch", "torch", ["torch==1"])
    assert pip_calls == [("install", "--no-input", "torch==1")]


def test_a_changed_requirements_file_runs_its_stage_again(venv: Path, pip_calls: list, tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    for content in ("a==1\n", "a==2\n"):
        requirements.write_text(content)
        install(venv, "host", "a", ["--requirement", str(requirements)])
    assert len(pip_calls) == 2


def test_a_failed_stage_leaves_no_stamp(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_pip", lambda *_: (_ for _ in ()).throw(HostError("no")))
    with pytest.raises(HostError):
        install(venv, "torch", "torch", ["torch==1"])
    assert not list(venv.glob("*.stamp"))


def test_a_failing_pip_is_one_sentence(venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "LOG", tmp_path / "log" / "provision.log")
    with pytest.raises(HostError, match="^torch: .*set COMFYUI_PATH to a ComfyUI that is already installed.$"):
        install(venv, "torch", "torch", ["torch==1"])


def test_no_network_is_called_that() -> None:
    sentence = pip_failure("torch", NO_NETWORK)
    assert sentence.startswith("torch: the package index cannot be reached (see ")
    assert "\n" not in sentence


def test_another_failure_is_repeated() -> None:
    assert pip_failure("torch", "ERROR: No space left on device\n").startswith("torch: No space left on device (see ")


def test_an_overlay_sees_the_packages_of_its_base(
    venv: Path, tmp_path: Path, pip_calls: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(environment._site_packages(venv), "shared")
    requirements = tmp_path / "requirements.txt"
    requirements.touch()
    monkeypatch.setattr(environment, "_works", lambda _: False)
    ensure_overlay(tmp_path / "overlay", venv, requirements)
    assert missing_modules(venv_python(tmp_path / "overlay"), ["shared", "nowhere"]) == ["nowhere"]
    assert pip_calls[0][-1] == str(requirements)


def test_a_module_that_fails_to_import_says_so(venv: Path) -> None:
    (environment._site_packages(venv) / "broken.py").write_text("raise RuntimeError('no GPU')\n")
    assert import_complaint(venv_python(venv), ["broken"]) == "RuntimeError: no GPU"
    assert import_complaint(venv_python(venv), ["json"]) is None


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="nowhere does not run: No such file"):
        missing_modules(tmp_path / "nowhere", ["torch"])
