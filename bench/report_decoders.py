"""Tables of bench/vae_decoders.py, one per device that was measured."""

from __future__ import annotations

from pathlib import Path

from .records import load
from .tables import host_line, table

DEVICES = ("cpu", "cuda")
MIB = 2**20
INTRODUCTION = """## What do fast decoders save at real widths?

{host}; clock: {clock}; random weights, {rounds} rounds in which all decoders of a model take turns. Operations are
those of a clip of 81 frames at 480 x 832, by frame, counted. `python bench/run.py vae_decoders --rounds {rounds}`
"""
HEAD = ("decoder", "parameters", "GFLOP a frame", "fewer", "seconds", "times as fast", "quartiles", "memory of the GPU")


def decoders(out: Path) -> list[str]:
    found = [load(out / f"vae_decoders_{device}.json") for device in DEVICES]
    return [_device(about) for about in found if about]


def _device(about: dict) -> str:
    parts = [INTRODUCTION.format(host=host_line(about), clock=about["clock"], rounds=about["rounds"])]
    return "\n".join([*parts, *(_model(model) for model in about["models"])])


def _model(model: dict) -> str:
    size = f"{model['frames']} frames of {model['width']} x {model['height']}, {model['dtype'].removeprefix('torch.')}"
    most = model["rows"][0]["flops_a_frame"]
    return f"### {model['model']}: {size}\n\n{table(HEAD, [_row(row, most) for row in model['rows']])}"


def _row(row: dict, most: float) -> list[str]:
    speed, peak = row["times_as_fast"], row["peak_bytes"]
    return [
        row["decoder"],
        f"{row['parameters'] / 1e6:.2f} M",
        f"{row['flops_a_frame'] / 1e9:.1f}",
        f"{most / row['flops_a_frame']:.1f}x",
        f"{row['seconds']:.3g}",
        f"{speed['ratio']:.1f}",
        f"{speed['low']:.1f} to {speed['high']:.1f}",
        "not measured" if peak is None else f"{peak / MIB:.0f} MiB",
    ]
