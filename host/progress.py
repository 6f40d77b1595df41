"""Long commands that stay legible: their output goes to a log, one line every few seconds to the terminal."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

HEARTBEAT_SECONDS = 10.0
LINE_LENGTH = 100
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
NEUTRAL_FOLDER = Path(__file__).anchor  # Python takes its working folder's files for modules: not ours


def say(line: str) -> None:
    """One progress line, at once."""
    print(line, flush=True)


def follow(command: Sequence[str], log: Path, label: str) -> int:
    """Run a command, its output appended to ``log``, with a line every ten seconds. Returns its exit status.

    The command never outlives this call, not even when it is interrupted.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("a", encoding="utf-8") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, cwd=NEUTRAL_FOLDER)
        try:
            while (status := _status_within(process, HEARTBEAT_SECONDS)) is None:
                say(f"  {label}: {time.monotonic() - started:.0f} s; {last_line(log)}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return status


def last_line(log: Path, length: int = LINE_LENGTH) -> str:
    """The last thing a log says, cut to ``length`` characters; a progress bar counts as a line. "" for no log."""
    lines = [line.strip() for line in tail(log).replace("\r", "\n").split("\n")]
    return next((line for line in reversed(lines) if line), "")[:length]


def tail(log: Path, size: int = 4096) -> str:
    """The last ``size`` bytes of a log as plain text without colours, "" where there is none."""
    if not log.is_file():
        return ""
    with log.open("rb") as source:
        source.seek(max(0, log.stat().st_size - size))
        return COLOUR.sub("", source.read().decode("utf-8", errors="replace"))


def _status_within(process: subprocess.Popen, seconds: float) -> int | None:
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
