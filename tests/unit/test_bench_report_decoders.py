"""The table of fast decoders in bench's report."""

from __future__ import annotations

from pathlib import Path

from comfyui_jano.bench.records import save
from comfyui_jano.bench.report_decoders import decoders

ABOUT = {"device_name": "a card", "device": "cuda", "threads": 1, "torch": "2", "comfyui": "0", "clock": "events"}


def row(decoder: str, flops: float, ratio: float, peak: int | None) -> dict:
    speed = {"ratio": ratio, "low": ratio - 1, "high": ratio + 1}
    numbers = {"parameters": 2e6, "flops_a_frame": flops, "seconds": 0.5, "times_as_fast": speed, "peak_bytes": peak}
    return {"decoder": decoder, **numbers}


def test_operations_are_set_against_the_vaes(tmp_path: Path) -> None:
    rows = [row("VAE", 6e9, 1.0, 3 * 2**20), row("small", 2e9, 5.0, None)]
    clip = {"model": "Wan", "frames": 9, "height": 64, "width": 128, "dtype": "torch.float32", "rows": rows}
    save(tmp_path / "vae_decoders_cuda.json", {**ABOUT, "rounds": 3, "models": [clip]})
    (told,) = decoders(tmp_path)
    assert "### Wan: 9 frames of 128 x 64, float32" in told
    assert "| VAE | 2.00 M | 6.0 | 1.0x | 0.5 | 1.0 | 0.0 to 2.0 | 3 MiB |" in told
    assert "| small | 2.00 M | 2.0 | 3.0x | 0.5 | 5.0 | 4.0 to 6.0 | not measured |" in told


def test_what_was_not_measured_has_no_table(tmp_path: Path) -> None:
    assert decoders(tmp_path) == []
