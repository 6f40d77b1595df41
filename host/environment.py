"""The virtual environments of provisioned hosts: created, filled by pip stage by stage, repaired when torn.

A stage leaves its stamp only when it is done; the stamp holds what was asked for, so a changed request runs again.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from .location import ROOT, HostError, venv_python
from .progress import NEUTRAL_FOLDER, follow, say

LOG = ROOT / ".comfyui" / "provision.log"
TORCH = ("torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0")
DEV_REQUIREMENTS = ROOT / "requirements-dev.txt"
NO_CONNECTION = (
    "NewConnectionError",
    "NameResolutionError",
    "name resolution",
    "ConnectTimeout",
    "ProxyError",
    "Network is unreachable",
    "Connection refused",
)
PROBE = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n) is None])"
IMPORT = "import sys; [__import__(n) for n in sys.argv[1:]]"


def ensure_venv(venv: Path, python: str | Path = sys.executable) -> None:
    """A virtual environment in which pip runs, of ``python`` if it has to be created."""
    if not _works(venv):
        say(f"creating {venv.name} with {python}")
        _create(python, venv)


def fill_venv(venv: Path, requirements: Path) -> None:
    """Into a venv: the pinned torch, the host's requirements, the development tools. HostError if pip fails."""
    install(venv, "torch", "torch 2.11.0 (about 2 minutes, 5 GB)", TORCH)
    install(venv, "host", f"the requirements of {requirements.parent.name}", [*TORCH, *_requirement_file(requirements)])
    install(venv, "dev", "the development tools", _requirement_file(DEV_REQUIREMENTS))


def ensure_overlay(venv: Path, base: Path, requirements: Path) -> None:
    """A small venv over ``base`` for another ComfyUI: it adds only what that version pins differently."""
    if not _works(venv):
        say(f"creating {venv.name} over {base.name}")
        _create(venv_python(base), venv, "--without-pip")
        (_site_packages(venv) / "jano-base.pth").write_text(f"{_site_packages(base)}\n")
    install(venv, "host", f"the requirements of {requirements.parent.name}", [*TORCH, *_requirement_file(requirements)])


def install(venv: Path, stage: str, label: str, arguments: Sequence[str]) -> None:
    """Run ``pip install`` unless this stage is stamped with the same request. HostError with the cause if it fails."""
    stamp, request = venv / f"jano-{stage}.stamp", _request(arguments)
    if stamp.is_file() and stamp.read_text() == request:
        return
    for name in drop_torn_packages(_site_packages(venv)):
        say(f"  {name} was left half installed: again")
    say(f"installing {label}")
    _pip(venv, label, "install", "--no-input", *arguments)
    stamp.write_text(request)


def drop_torn_packages(site_packages: Path) -> list[str]:
    """Forget every package whose files are not all there, so that pip installs it again. Returns their names."""
    torn = [info for info in sorted(site_packages.glob("*.dist-info")) if not is_whole(info)]
    for info in torn:
        shutil.rmtree(info)
    return [info.name.removesuffix(".dist-info") for info in torn]


def is_whole(dist_info: Path) -> bool:
    """Whether every file of an installed package's RECORD is there in its full size.

    But for compiled ones, which pip compiles anew (numpy 2.2 brings one).
    """
    record = dist_info / "RECORD"
    if not record.is_file():
        return False
    with record.open(newline="", encoding="utf-8") as rows:
        found = [row for row in csv.reader(rows) if len(row) > 2 and row[2] and not row[0].endswith(".pyc")]
    sized = [(dist_info.parent / row[0], int(row[2])) for row in found]
    return all(path.is_file() and path.stat().st_size == size for path, size in sized)


def missing_modules(python: Path, names: Iterable[str]) -> list[str]:
    """Those of the modules that ``python`` does not find, without importing them. HostError if it cannot run."""
    probe = _run_python(python, PROBE, *names)
    if probe.returncode:
        raise HostError(f"{python} does not run: {_last(probe.stderr)}")
    return probe.stdout.split()


def import_complaint(python: Path, names: Iterable[str]) -> str | None:
    """What importing the modules says when it fails, None when it works. HostError if ``python`` cannot run."""
    attempt = _run_python(python, IMPORT, *names)
    return _last(attempt.stderr) if attempt.returncode else None


def _create(python: str | Path, venv: Path, *options: str) -> None:
    attempt = _run([str(python), "-m", "venv", "--clear", *options, str(venv)])
    if attempt.returncode:
        raise HostError(
            f"{python} cannot create a virtual environment: install python3-venv (Debian, Ubuntu), "
            f"or name another Python: make PYTHON=python3.12 ({_last(attempt.stdout + attempt.stderr)})."
        )


def _works(venv: Path) -> bool:
    """Whether pip runs in it; only a venv that was left half created, or lost its Python, does not have it."""
    try:
        return not missing_modules(venv_python(venv), ["pip"])
    except HostError:
        return False


def _site_packages(venv: Path) -> Path:
    return Path(_run_python(venv_python(venv), "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())


def _requirement_file(file: Path) -> list[str]:
    return ["--requirement", str(file)]


def _request(arguments: Sequence[str]) -> str:
    """What the stamp keeps: the arguments, with files by their content."""
    parts = [hashlib.sha256(Path(a).read_bytes()).hexdigest() if Path(a).is_file() else a for a in arguments]
    return "\n".join(parts) + "\n"


def _pip(venv: Path, label: str, *arguments: str) -> None:
    start = LOG.stat().st_size if LOG.is_file() else 0
    command = [str(venv_python(venv)), "-m", "pip", *arguments]
    if follow(command, LOG, label):
        raise HostError(pip_failure(label, LOG.read_bytes()[start:].decode("utf-8", errors="replace")))


def pip_failure(label: str, output: str) -> str:
    """One sentence on why pip failed, from what it wrote."""
    errors = [line.strip() for line in output.splitlines() if line.startswith("ERROR:")]
    reason = errors[-1].removeprefix("ERROR:").strip() if errors else "pip did not say why"
    if any(mark in output for mark in NO_CONNECTION):
        reason = "the package index cannot be reached"
    return f"{label}: {reason} (see {LOG}); run it again, or set COMFYUI_PATH to a ComfyUI that is already installed."


def _run_python(python: Path, code: str, *arguments: str) -> subprocess.CompletedProcess:
    return _run([str(python), "-c", code, *arguments])


def _run(command: Sequence[str]) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=NEUTRAL_FOLDER)
    except OSError as error:
        raise HostError(f"{command[0]} does not run: {error.strerror}.") from None


def _last(output: str) -> str:
    return (output.strip().splitlines() or ["no message"])[-1]
