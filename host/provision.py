"""Make sure there is a ComfyUI to run against; the last line printed is its folder.

``python3 -m host.provision [--comfyui 0.24.0] [--needs pytest ...] [--browser]``, from the repository root,
with any Python 3.10+.
COMFYUI_PATH (and COMFYUI_PYTHON) name a user's own install: that one is only checked, nothing is installed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from .archive import SOURCES, source_of, unpack_comfyui
from .browser import ensure_browser
from .environment import (
    DEV_REQUIREMENTS,
    ensure_overlay,
    ensure_venv,
    fill_venv,
    import_complaint,
    missing_modules,
)
from .index import download
from .location import COMFYUI_HOME, REFERENCE_VENV, REFERENCE_VERSION, USAGE, Host, HostError, chosen_host, is_comfyui
from .progress import say

OLDEST_PYTHON = (3, 10)
INTERRUPTED = 130
STDIN = 0


def provision(host: Host, needs: Sequence[str] = ()) -> None:
    """Check or install the host; its Python then finds torch and the modules of ``needs``. HostError if not."""
    if host.is_own:
        check_own(host, needs)
        return
    source_of(host.version)
    with _alone():
        _install_reference(chosen_host({}))
        if host.version != REFERENCE_VERSION:
            _install_other(host)
    missing = missing_modules(host.python, ["torch", *needs])
    if missing:
        venv = host.python.parents[1]
        raise HostError(f"{venv} has lost {', '.join(missing)}: delete that folder and run it again.")


def check_own(host: Host, needs: Sequence[str] = ()) -> None:
    """HostError unless COMFYUI_PATH is a ComfyUI folder whose Python imports torch and the modules of ``needs``."""
    if not is_comfyui(host.folder):
        raise HostError(f"COMFYUI_PATH={host.folder} is not a ComfyUI folder: it has no main.py with comfy/.", USAGE)
    missing = missing_modules(host.python, ["torch", *needs])
    if "torch" in missing:
        raise HostError(f"{host.python} has no torch: set COMFYUI_PYTHON to the Python that runs this ComfyUI.", USAGE)
    if missing:
        raise HostError(
            f"{host.python} has no {', '.join(missing)}: run {host.python} -m pip install -r {DEV_REQUIREMENTS}", USAGE
        )
    complaint = import_complaint(host.python, ["torch"])
    if complaint:
        raise HostError(f"{host.python} cannot import torch: {complaint}", USAGE)


def python_complaint(version: Sequence[int]) -> str | None:
    """Why a Python of this version cannot provision, None if it can."""
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return None
    return (
        f"Python {version[0]}.{version[1]} is too old for ComfyUI: run it with 3.10 or newer (make PYTHON=python3.12)."
    )


def _install_reference(host: Host) -> None:
    ensure_venv(REFERENCE_VENV)
    unpack_comfyui(host.version, host.folder, partial(download, REFERENCE_VENV))
    fill_venv(REFERENCE_VENV, host.folder / "requirements.txt")


def _install_other(host: Host) -> None:
    unpack_comfyui(host.version, host.folder, partial(download, REFERENCE_VENV))
    ensure_overlay(host.python.parents[1], REFERENCE_VENV, host.folder / "requirements.txt")


@contextmanager
def _alone() -> Iterator[None]:
    """One provisioning of this checkout at a time; a second one waits."""
    COMFYUI_HOME.mkdir(exist_ok=True)
    with (COMFYUI_HOME / "lock").open("w") as lock:
        try:
            import fcntl
        except ImportError:  # Windows
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another provisioning of this folder is at work: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # As standard input every child inherits the lock: a pip that outlives a killed parent still holds it.
        os.dup2(lock.fileno(), STDIN)
        yield


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="host.provision", description=__doc__.splitlines()[0])
    parser.add_argument("--comfyui", metavar="VERSION", help=f"one of {', '.join(SOURCES)}")
    parser.add_argument("--needs", nargs="*", default=[], metavar="MODULE", help="modules its Python must also find")
    parser.add_argument("--browser", action="store_true", help="also find or install a Chromium for tests/web")
    return parser.parse_args(argv)


def _provide_browser(host: Host) -> None:
    """Without one the rest can still be tested: say so now, and tests/web fails with the same sentence."""
    try:
        ensure_browser(host.python)
    except HostError as error:
        print(f"jano: {error}", file=sys.stderr)


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Provision as the command line and the environment say. Returns the exit code."""
    arguments = _arguments(argv)
    signal.signal(signal.SIGTERM, _stop)
    try:
        complaint = python_complaint(sys.version_info)
        if complaint:
            raise HostError(complaint)
        host = chosen_host(version=arguments.comfyui)
        provision(host, arguments.needs)
        if arguments.browser:
            _provide_browser(host)
    except HostError as error:
        print(f"jano: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"jano: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("jano: interrupted; the same command carries on from here.", file=sys.stderr)
        return INTERRUPTED
    print(host.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
