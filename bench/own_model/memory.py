"""The most memory that a piece of work takes: the device's, or without one the process's."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch

PROCESS = Path("/proc/self")


def begin(device: str) -> None:
    """Forget what was taken before."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        return
    with suppress(OSError):
        (PROCESS / "clear_refs").write_text("5")  # Linux: begin the peak of resident memory anew


def peak(device: str) -> int | None:
    """Bytes since `begin`; None where this machine does not tell."""
    if device == "cuda":
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()
    try:
        lines = (PROCESS / "status").read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    return found[0] if found else None
