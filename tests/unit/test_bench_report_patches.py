"""The reports of the beds: what is compared at equal cost, and what calibration says in words."""

import json
from pathlib import Path

import pytest
from comfyui_jano.bench import report_calibration, report_patches
from comfyui_jano.bench.quality import KEY
from comfyui_jano.bench.records import load, save
from comfyui_jano.bench.report_calibration import REAL, bumps, plainly, unguided
from comfyui_jano.bench.report_patches import arm_of, at_share, nearby
from comfyui_jano.bench.stats import flips

HALF = "50% of the steps"
ENTRY = {
    "kind": "patches",
    "grain": 0.03,
    "model": "ab",
    "cfg": 4.0,
    "sigmas": [0.99, 0.97, 0.95, 0.9, 0.8, 0.7, 0.5, 0.3, 0.1],
    "x0_error": [2.0, 1.5, 1.2, 0.9, 0.5, 0.3, 0.2, 0.1, 0.1],
    "x0_error_unguided": [0.8, 0.6, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01],
    "change_per_step": [0.8, 0.4, 0.2, 0.1, 0.3],
    "change_sd": [0.1, 0.1, 0.1, 0.05, 0.1],
    "residual_ratio": [1.5, 1.2, 1.0, 1.0, 0.8],
}


def row(arm: str, setting: str, prompt: int, share: float, psnr: float) -> dict:
    values = ("ab", 48, 50, "euler", 4.0, prompt, arm, setting)
    more = {
        "kind": "patches",
        "shift": 3.0,
        "grain": 0.03,
        "flops_fraction": share,
        "psnr_db": psnr,
        "exact_db": psnr - 2,
        "ssim": 0.5,
    }
    return dict(zip(KEY, values, strict=True)) | more | {"native_because": []}


ROWS = [
    *(row("fewer steps", HALF, prompt, 0.5, psnr) for prompt, psnr in enumerate((17.0, 25.0))),
    *(row("Jano", "balanced", prompt, 0.45, psnr) for prompt, psnr in enumerate((24.0, 30.0))),
    *(row("Jano", "fidelity", prompt, 0.65, psnr) for prompt, psnr in enumerate((28.0, 34.0))),
    *(row("Jano", "target 2x", prompt, 0.5, 26.0) for prompt in (0, 1)),
    row("fewer steps, deis", HALF, 0, 0.5, 1.0),
    row("full run", "every step", 0, 1.0, 100.0),
]


def written(folder: Path) -> tuple[str, str]:
    (folder / "patches.jsonl").write_text("".join(json.dumps(line) + "\n" for line in ROWS), encoding="utf-8")
    save(folder / "calibration.json", {"steps": 50, "beds": [ENTRY]})
    report_patches.write(folder)
    report_calibration.write(folder)
    return tuple((folder / name).read_text(encoding="utf-8") for name in ("REPORT_PATCHES.md", "CALIBRATION.md"))


def test_the_reports_tell_mean_median_worst_decile_and_flips(tmp_path: Path) -> None:
    patches, calibration = written(tmp_path)
    assert "| fewer steps | 2 | 21.0 | 21.0 | 17.0 | 50% | 19.0 |" in patches
    assert "Half of the steps keeps 21.0 dB (median 21.0). The full run is 98.0 dB from the exact solution." in patches
    assert "| full run" not in patches
    assert "| Jano | 2 | 28.0 | 28.0 | 25.0 | 0% | 26.0 |" in patches
    assert "| Jano, targets | 2 | 26.0 | 26.0 | 26.0 | 0% | 24.0 |" in patches
    assert "| closed form, CFG 4 | 48 pixels, euler, 2 prompts | 21.0 | 21.0 | 50% |" in calibration
    assert (tmp_path / report_calibration.CHART).stat().st_size > 1000


def test_without_measurements_nothing_is_written(tmp_path: Path) -> None:
    report_patches.write(tmp_path)
    report_calibration.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("psnr", "verdict"), [(30.0, "dB easier"), (10.0, "dB harder"), (16.5, "as hard")])
def test_words_follow_the_numbers(psnr: float, verdict: str) -> None:
    said = plainly(ENTRY, [row("fewer steps", HALF, 0, 0.5, psnr)], load(REAL))
    assert verdict in said
    assert "at sigma 0.99 20% (Qwen-Image 34%)" in said


def test_targets_are_told_from_qualities() -> None:
    assert [arm_of(line) for line in ROWS[2:-2]] == ["Jano"] * 4 + ["Jano, targets"] * 2


def test_a_curve_that_ends_nearby_is_read_at_its_end_and_a_far_one_not() -> None:
    points = [(0.54, 20.0), (0.7, 30.0)]
    assert nearby(points, 0.5) == 0.54
    assert at_share({0: points, 1: [(0.3, 9.0), (0.4, 10.0)]}, 0.5) == [20.0]


def test_small_numbers() -> None:
    assert flips([17.9, 18.0, 30.0, 12.0]) == 0.5
    assert bumps([1.0, 1.0, 1.0, 1.2, 1.0, 1.04, 1.0, 1.0, 1.0]) == 1
    assert unguided(ENTRY, 0.5) == 0.05
