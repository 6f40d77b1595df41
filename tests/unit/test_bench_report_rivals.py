"""Rivals are read off at equal compute, prompt by prompt."""

from __future__ import annotations

import json
from pathlib import Path

from comfyui_jano.bench.arms import beside_rivals
from comfyui_jano.bench.quality import KEY
from comfyui_jano.bench.report_rivals import best_of, rivals, value_at, values_at

SHARES = (0.5, 0.33, 0.2)


def row(arm: str, prompt: int, share: float, psnr: float) -> dict:
    """Of the arm's settings in the order of their shares."""
    names = [setting.name for setting in beside_rivals() if setting.arm == arm]
    way = {"model": "abc", "side": 256, "steps": 28, "sampler": "euler", "cfg": 4.0}
    measured = {"flops_fraction": share, "psnr_db": psnr, "ssim": 0.9, "exact_db": None}
    return {
        **way,
        "kind": "flux",
        "prompt": prompt,
        "arm": arm,
        "setting": names[SHARES.index(share) if share in SHARES else 0],
        **measured,
    }


def test_a_value_lies_between_the_points_around_it_or_is_the_nearest_point_s() -> None:
    assert value_at([(0.6, 40.0), (0.4, 20.0)], 0.5) == 30.0
    assert value_at([(0.214, 20.0), (0.5, 40.0)], 0.2) == 20.0
    assert value_at([(0.32, 20.0), (0.5, 40.0)], 0.2) is None


def test_every_prompt_counts_once() -> None:
    rows = [row("EasyCache", prompt, share, 10.0 * prompt) for prompt in (1, 2, 3) for share in (0.6, 0.4)]
    assert values_at("psnr_db", rows, 0.5) == [10.0, 20.0, 30.0]


def test_the_section_tells_mean_median_worst_decile_and_flips(tmp_path: Path) -> None:
    rows = [row("MeanCache", prompt, 0.5, psnr) for prompt, psnr in enumerate((10.0, 20.0, 60.0))]
    assert all(set(KEY) <= line.keys() for line in rows)
    file = tmp_path / "quality.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in rows))
    (section,) = rivals(tmp_path / "quality.jsonl")
    assert "| MeanCache | 30.0 / 20.0 / 10.0, 1 flips |  |  |" in section
    assert "exact" not in section
    file.write_text(json.dumps(row("EasyCache", 0, 0.5, 10.0)) + "\n")
    assert rivals(tmp_path / "quality.jsonl") == []


def test_of_the_samplers_the_best_on_the_first_prompts_is_shown_on_all(tmp_path: Path) -> None:
    ours = [row("MeanCache", prompt, share, 20.0) for prompt in range(6) for share in (0.5, 0.33, 0.2)]
    good, bad = "fewer steps, deis", "fewer steps, lms"
    theirs = [
        row(arm, prompt, share, 30.0 if (arm == good) == (prompt < 4) else 12.0)
        for arm in (good, bad)
        for prompt in range(6)
        for share in (0.5, 0.33, 0.2)
    ]
    assert best_of((good, bad), "psnr_db", theirs, 0.5) == good
    assert best_of((good, bad), "psnr_db", [], 0.5) is None
    file = tmp_path / "quality.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in (*ours, *theirs)))
    (section,) = rivals(file)
    cell = "24.0 / 30.0 / 12.0, 2 flips (deis)"
    assert f"| fewer steps, the best of 2 samplers on the first 4 prompts | {cell} | {cell} | {cell} |" in section
    assert "lms" not in section


def test_the_exact_solution_is_told_of_the_full_run_too(tmp_path: Path) -> None:
    rows = [row(arm, 0, 0.5, 20.0) | {"exact_db": exact} for arm, exact in (("MeanCache", 15.0), ("full run", 19.0))]
    file = tmp_path / "quality.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in rows))
    (section,) = rivals(file)
    assert "Against the exact solution (the full run itself: 19.0 / 19.0 / 19.0, 0 flips):" in section
    assert "| full run" not in section


def test_a_quality_that_was_measured_elsewhere_is_no_point_of_the_targets_curve(tmp_path: Path) -> None:
    """At 34 % a target kept 29.1 dB and a quality beside it 27.3: at a third the table told 26.7."""
    targets = [row("Jano", 0, 0.33, 30.0), row("Jano", 0, 0.2, 20.0), row("MeanCache", 0, 0.5, 20.0)]
    draft = {**row("Jano", 0, 0.333, 10.0), "setting": "draft"}
    file = tmp_path / "quality.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in (*targets, draft)))
    (section,) = rivals(file)
    assert "| Jano |  | 30.0 / 30.0 / 30.0, 0 flips | 20.0 / 20.0 / 20.0, 0 flips |" in section
