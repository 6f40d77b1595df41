"""The table with which `make demo` ends."""

from __future__ import annotations

import importlib
import sys

import pytest
from comfyui_jano.host.location import ROOT

ACCOUNT = {
    "headline": "1.2x faster, saved 1.0 s (estimated from this run's full steps)",
    "steps": 28,
    "tokens": 1024,
    "steps_computed": 13,
    "steps_forecast": 15,
    "flops_fraction": 0.4643,
    "seconds_full": 23.9,
    "seconds_jano": 4.8,
    "psnr_db": 43.1,
    "ssim": 0.998,
    "cache_bytes_peak": 0,
    "fallbacks": ["a reason that is longer than any column was once wide, and then some more"],
}


def test_no_column_runs_into_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])  # last: `nodes` is the host's
    table = importlib.import_module("comfyui_jano.demo.closeness").table
    lines = table({"flux": ACCOUNT, "wan": ACCOUNT}).splitlines()
    second = lines[0].index("wan")
    assert all(line[second - 2 : second] == "  " and line[second] != " " for line in lines if len(line) > second)
    assert [line[second:] for line in lines[1:3]] == [
        "1.2x faster, saved 1.0 s",
        "estimated from this run's full steps",
    ]
    assert "46.4 %" in "\n".join(lines)
