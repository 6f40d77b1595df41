"""The report tells honestly whether the speed-up follows the content."""

import json
from pathlib import Path

import pytest
import torch
from comfyui_jano.bench.content import share_in
from comfyui_jano.bench.report_clips import content, motion

ABOUT = {"model": "0123abcd", "steps": 30, "sampler": "uni_pc", "cfg": 5.0, "published_point": "1.3B 2.25x"}


def row(kind: str, computed: float) -> dict:
    counted = {"speedup": 1 / computed, "latent_psnr_db": 30.0, "moving": 0.25}
    return {"kind": kind, "arm": "balanced", "computed": computed, **counted}


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ((0.4, 0.5, 0.6, 0.8), "falls from still over busy over moving (2.50x, 2.00x, 1.43x)"),
        ((0.4, 0.5, 0.4, 0.6), "does not fall from still over busy over moving (2.50x, 2.00x, 2.00x)"),
    ],
)
def test_the_verdict_on_content_is_that_of_the_numbers(tmp_path: Path, shares: tuple, verdict: str) -> None:
    kinds = ("still", "busy", "moving", "moving")
    rows = [row(kind, share) for kind, share in zip(kinds, shares, strict=True)]
    paper = {"still": 2.5, "busy": 2.1, "moving": 1.8}
    (tmp_path / "wan_content.json").write_text(json.dumps({**ABOUT, "paper": paper, "rows": rows}))
    (section,) = content(tmp_path)
    assert f"- balanced: the speed-up by computed share {verdict}." in section
    assert "| still | 25% | 40.0% | 2.50x | 30.0 dB | 2.5x |" in section


def test_what_was_not_measured_is_not_reported(tmp_path: Path) -> None:
    assert content(tmp_path) == motion(tmp_path) == []


def test_a_share_of_nothing_is_unknown() -> None:
    chosen, where = torch.tensor([True, False, True]), torch.tensor([True, True, False])
    assert share_in(chosen, where) == 0.5
    assert share_in(chosen, torch.zeros(3, dtype=torch.bool)) is None
