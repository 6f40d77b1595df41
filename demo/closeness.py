"""How close two renderings are, from what the demo saved, and the report as a table for the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image, ImageSequence
from torch import Tensor

from host.pack import import_pack


def load_frames(path: Path) -> Tensor:
    """A picture or an animation -> (frames, height, width, 3) in 0..1."""
    with Image.open(path) as picture:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(picture)]
    data = [torch.frombuffer(bytearray(frame.tobytes()), dtype=torch.uint8) for frame in frames]
    return torch.stack(data).reshape(len(frames), frames[0].height, frames[0].width, 3).double() / 255


def closeness(reference: Path, made: Path) -> dict[str, float]:
    """PSNR in dB and SSIM, means over the frames; of an animation the worst frame's PSNR too."""
    quality = import_pack("jano.show.quality")
    pair = [load_frames(path) for path in (reference, made)]
    psnr = quality.psnr(*pair)
    figures = {"psnr_db": round(float(psnr.mean()), 2), "ssim": round(float(quality.ssim(*pair).mean()), 4)}
    return figures | ({"psnr_worst_frame_db": round(float(psnr.min()), 2)} if len(psnr) > 1 else {})


def references(told: dict) -> str:
    """In how many of the steps, and what was kept of them."""
    computed, frozen = len(told["computed_steps"]), len(told["frozen_steps"])
    return f"in {computed} of {computed + frozen} steps, {told['bytes_peak'] / 2**20:.1f} MiB kept"


def table(report: dict[str, dict]) -> str:
    """The report for the terminal."""
    rows: list[tuple[str, Callable[[dict], str]]] = [
        ("result", lambda r: r["headline"].partition(" (")[0]),
        ("which is", lambda r: r["headline"].partition(" (")[2].removesuffix(")")),
        ("steps, image tokens", lambda r: f"{r['steps']}, {r['tokens']}"),
        ("steps computed", lambda r: f"{r['steps_computed']} in full, {r['steps_forecast']} forecast"),
        ("FLOPs against full", lambda r: f"{100 * r['flops_fraction']:.1f} %"),
        ("seconds full / Jano", lambda r: f"{r['seconds_full']:.1f} / {r['seconds_jano']:.1f}"),
        ("PSNR, SSIM", lambda r: f"{r['psnr_db']:.1f} dB, {r['ssim']:.3f}"),
        ("worst frame", lambda r: f"{r['psnr_worst_frame_db']:.1f} dB" if "psnr_worst_frame_db" in r else ""),
        ("cache at its peak", lambda r: f"{r['cache_bytes_peak'] / 2**20:.1f} MiB"),
        ("references computed", lambda r: references(r["references"]) if "references" in r else ""),
        ("partly in full, why", lambda r: "; ".join(r["fallbacks"]) or "no"),
    ]
    labels = ["", *(label for label, _ in rows)]
    columns = [[name, *(show(of) for _, show in rows)] for name, of in report.items()]
    return "\n".join("".join(cells).rstrip() for cells in zip(*map(_aligned, [labels, *columns]), strict=True))


def _aligned(column: list[str]) -> list[str]:
    """As wide as its longest entry, and two blanks to the next column."""
    wide = max(map(len, column)) + 2
    return [f"{entry:<{wide}}" for entry in column]
