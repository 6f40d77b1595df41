"""The gap to what knows the picture is told on the prompts that nothing common was made on, by the newest engine."""

from __future__ import annotations

import json
from pathlib import Path

from comfyui_jano.bench import report_oracle
from comfyui_jano.bench.oracle import ALL_BUT, COMMON, CONTROL, FILE, KEY, NUDGED, ORACLE


def row(plan_of: str, prompt: int | None, psnr: float, code: str = "new", **more: object) -> dict:
    values = ("ab", code, 50, 4.0, 4, plan_of, prompt)
    return {**dict(zip(KEY, values, strict=True)), "plan": [0, 1, 20, 49], "psnr_db": psnr, **more}


def test_the_gap_is_told_on_the_judged_prompts(tmp_path: Path) -> None:
    rows = [
        row(ORACLE, 0, 99.0, "old", tries=5),
        *(row(CONTROL, prompt, psnr) for prompt, psnr in enumerate((20.0, 30.0, 26.0))),
        *(row(ORACLE, prompt, psnr, tries=5) for prompt, psnr in enumerate((24.0, 33.0))),
        *(row(COMMON, prompt, psnr) for prompt, psnr in enumerate((17.0, 29.0))),
        row(COMMON, None, 28.5, tries=3),
    ]
    (tmp_path / FILE).write_text("".join(json.dumps(line) + "\n" for line in rows), encoding="utf-8")
    (section,) = report_oracle.oracle(tmp_path)
    assert "| 4 of 50 | Jano's own plan | 25.0 | 25.0 | 20.0 | 0% | +0.0 |" in section
    assert "| 4 of 50 | best common plan (28.5; 26.0) | 23.0 | 23.0 | 17.0 | 50% | -2.0 |" in section
    assert "| 4 of 50 | best plan of each run | 28.5 | 28.5 | 24.0 | 0% | +3.5 |" in section
    assert "| 4 of 50 | best plan of each run | 2.0 | 0.0 | 1.0 | 0.0 | 1.0 |" in section
    assert "2 prompts (ab, engine new)" in section
    assert "control chose 1 plan(s) for the 3 prompts" in section
    assert "5 tries from Jano's own" in section
    assert "3 tries from what most" in section


def test_luck_and_what_a_single_step_costs_are_told(tmp_path: Path) -> None:
    rows = [
        *(row(plan_of, prompt, 25.0) for plan_of in (CONTROL, ORACLE) for prompt in (0, 1)),
        *(row(NUDGED[CONTROL], prompt, psnr) for prompt, psnr in enumerate((22.0, 24.0))),
        *(row(NUDGED[ORACLE], prompt, psnr) for prompt, psnr in enumerate((21.0, 24.0))),
        *(row(f"{ALL_BUT} {step}", prompt, 20.0 + step) for step in (8, 12) for prompt in (0, 1)),
    ]
    (tmp_path / FILE).write_text("".join(json.dumps(line) + "\n" for line in rows), encoding="utf-8")
    (section,) = report_oracle.oracle(tmp_path)
    assert "| 4 of 50 | Jano's own plan, noise nudged | 23.0 | 23.0 | 22.0 | 0% | +0.0 |" in section
    assert "| 4 of 50 | those best plans, noise nudged | 22.5 | 22.5 | 21.0 | 0% | -0.5 |" in section
    assert "| 8 | 12 |\n|---|---|\n| 28.0 | 32.0 |" in section


def test_nothing_is_told_where_nothing_was_measured(tmp_path: Path) -> None:
    assert report_oracle.oracle(tmp_path) == []
