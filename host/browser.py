"""A Chromium for the tests of the web page: the machine's own, else installed by apt (as root) or by Playwright."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .environment import LOG
from .location import HostError
from .progress import NEUTRAL_FOLDER, follow, say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en-US",
)
OWN_PATH = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
APT = "apt-get update && apt-get install --yes --no-install-recommends chromium"


def find_browser(python: Path, environ: Mapping[str, str] = os.environ) -> Path | None:
    """JANO_BROWSER, a Chromium on the PATH, or what ``python``'s Playwright has downloaded; None without any."""
    named = environ.get("JANO_BROWSER")
    if named:
        return Path(named) if Path(named).is_file() else None
    found = next(filter(None, (shutil.which(name, path=environ.get("PATH")) for name in NAMES)), None)
    return Path(found) if found else _downloaded(python)


def ensure_browser(python: Path) -> Path:
    """Find a Chromium, or install one. HostError with what to do if there is none after all."""
    if os.environ.get("JANO_BROWSER") is None and find_browser(python) is None:
        say("installing Chromium for the tests of the web page")
        _install(python)
    browser = find_browser(python)
    if browser is None:
        raise HostError(
            "there is no Chromium for the tests of the web page: install it (apt install chromium), or set "
            f"JANO_BROWSER to one, or leave them out: make test PYTEST_ARGS=--ignore=tests/web (see {LOG})."
        )
    return browser


def _install(python: Path) -> None:
    """By apt where that is allowed, else by Playwright; whether it worked is seen by looking for the browser."""
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        environ = ["env", "DEBIAN_FRONTEND=noninteractive"]
        follow([*environ, "sh", "-c", APT], LOG, "Chromium, by apt")
    if find_browser(python) is None:
        follow([str(python), "-m", "playwright", "install", "chromium"], LOG, "Chromium, by Playwright")


def _downloaded(python: Path) -> Path | None:
    try:
        probe = subprocess.run(
            [str(python), "-c", OWN_PATH], capture_output=True, text=True, check=False, cwd=NEUTRAL_FOLDER
        )
    except OSError:
        return None
    path = Path(probe.stdout.strip())
    return path if probe.returncode == 0 and path.is_file() else None
