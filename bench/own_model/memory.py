"""The most memory that a piece of work takes: the device's, or without one the process's."""

from __future__ import annotations

from pathlib import Path

import torch

PROCESS = Path("/proc/self")
AT_MOST_ABOVE = 1.01
"""How far above what is resident a peak may stand that has just begun anew: other threads go on. Where a system ignores
the request it stands at the peak of all the work before."""


def begin(device: str) -> bool:
    """Forget what was taken before. False where this machine does not: no peak can be told then."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        return True
    try:
        (PROCESS / "clear_refs").write_text("5")  # Linux: begin the peak of resident memory anew
        found = resident()
    except OSError:
        return False
    return 0 < found["VmHWM"] <= AT_MOST_ABOVE * found["VmRSS"]


def peak(device: str) -> int:
    """Bytes since `begin`, where that said yes."""
    if device == "cuda":
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()
    return resident()["VmHWM"]


def resident() -> dict[str, int]:
    """Bytes of this process that are resident (`VmRSS`), and the most that were (`VmHWM`); 0 where it is not told."""
    found = {"VmRSS": 0, "VmHWM": 0}
    for line in (PROCESS / "status").read_text().splitlines():
        name, _, told = line.partition(":")
        if name in found:
            found[name] = int(told.split()[0]) * 1024
    return found
