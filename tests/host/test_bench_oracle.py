"""Runs in the bench's plain loop are the host's, and the plans that are found for them are worth what is said."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch
from comfyui_jano.bench import oracle
from comfyui_jano.bench.arms import configured
from comfyui_jano.bench.demo_models import Sampling
from comfyui_jano.bench.patches import bed
from comfyui_jano.bench.patches.loop import Loop, closeness, follow
from comfyui_jano.bench.records import Lines
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import AnalyzerConfig, SchedulerConfig
from comfyui_jano.jano.whole.control import ErrorControl
from comfyui_jano.tests.host.test_bench_patches import made

STEPS, CFG = 20, 4.0
PLAN = frozenset((0, 1, 2, 4, 7, 8, 12, 15, 19))
HOW = Sampling(STEPS, "euler", CFG)
# Rounding, which a run that chooses between pictures amplifies: another plan comes out at 10 to 40.
SAME_DB = 80.0


def by_the_host(one: bed.Bed, seed: int, config: SchedulerConfig) -> torch.Tensor:
    model = configured(AnalyzerConfig(), config)(one.model)
    latent = one.sample(one.prompts(2)[seed], seed, HOW, model=model)
    assert report_of(model, latent).fallbacks == []
    return one.picture(latent)


def by_the_loop(one: bed.Bed, config: SchedulerConfig, plan: frozenset[int] | None = None) -> list[torch.Tensor]:
    loop = Loop(one, STEPS, CFG)
    paths = [loop.begin(text, seed, config, plan and oracle.ANY_RATE) for seed, text in enumerate(one.prompts(2))]
    for path in paths:
        if plan is not None:
            follow(path, plan)
    pictures = loop.run(paths)
    assert plan is None or [frozenset(path.computed) for path in paths] == [plan] * 2
    return pictures


def test_the_loop_is_the_host_s_run_along_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    one = made()
    with torch.inference_mode():
        ours = by_the_loop(one, oracle.FORCED, PLAN)
        monkeypatch.setattr(ErrorControl, "due", lambda control, step: step in PLAN)
        theirs = [by_the_host(one, seed, oracle.FORCED) for seed in (0, 1)]
    for a, b in zip(ours, theirs, strict=True):
        assert closeness(b, a) > SAME_DB


@pytest.mark.parametrize("settings", [{"target_speedup": 2.0}, {"tolerance": 0.06}])
def test_the_loop_is_the_host_s_run_under_control(settings: dict) -> None:
    one, config = made(), SchedulerConfig(**settings)
    with torch.inference_mode():
        for seed, picture in enumerate(by_the_loop(one, config)):
            assert closeness(by_the_host(one, seed, config), picture) > SAME_DB


def test_without_an_engine_the_loop_is_the_full_run() -> None:
    one = made()
    with torch.inference_mode():
        loop = Loop(one, STEPS, CFG)
        picture = loop.run([loop.begin(one.prompts(1)[0], 0)])[0]
        assert closeness(one.picture(one.sample(one.prompts(1)[0], 0, HOW)), picture) > SAME_DB


def test_nudged_noise_is_as_strong_and_a_little_another_one() -> None:
    one = made()
    loop = Loop(one, STEPS, CFG)
    plain, nudged = (loop.begin(one.prompts(1)[0], 0, nudge=nudge).x for nudge in (0.0, 0.1))
    assert (plain - nudged).std().item() == pytest.approx(0.1 * plain.std().item(), rel=0.2)
    assert nudged.std().item() == pytest.approx(plain.std().item(), rel=0.05)


def searched(folder: Path, monkeypatch: pytest.MonkeyPatch, tries: int) -> dict[tuple, dict]:
    monkeypatch.setattr(bed, "load", lambda *args: made())
    monkeypatch.setattr(oracle, "TRAINED_ON", 2)
    ways = {"steps": [STEPS], "cfg": CFG, "side": None, "shift": None, "grain": None}
    oracle.measure(argparse.Namespace(out=folder, prompts=2, tries=tries, **ways))
    rows = Lines(folder / oracle.FILE, oracle.KEY)
    return {(row["budget"], row["plan_of"], row["prompt"]): row for row in rows}


def test_what_is_found_is_better_and_worth_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = searched(tmp_path, monkeypatch, tries=12)
    assert len(rows) == 3 * (4 + 2 + 1 + 2 + 2 * 2) + len((2, 6, 10, 14, 18)) * 2
    assert all(len(row["plan"]) == budget for (budget, *_), row in rows.items())
    for budget in (10, 7, 4):
        ours, best = (rows[budget, plan_of, 0]["psnr_db"] for plan_of in (oracle.CONTROL, oracle.ORACLE))
        assert best >= ours
    row, one = rows[7, oracle.ORACLE, 1], made()
    with torch.inference_mode():
        full, picture = Loop(one, STEPS, CFG), by_the_loop(one, oracle.FORCED, frozenset(row["plan"]))[1]
        reference = full.run([full.begin(one.prompts(2)[1], 1)])[0]
    assert closeness(reference, picture) == pytest.approx(row["psnr_db"], abs=0.01)
    for budget, name in ((10, oracle.ORACLE), (4, oracle.CONTROL)):
        assert rows[budget, oracle.NUDGED[name], 1]["plan"] == rows[budget, name, 1]["plan"]
    assert rows[STEPS - 1, f"{oracle.ALL_BUT} 6", 0]["plan"] == [step for step in range(STEPS) if step != 6]
    assert rows[STEPS - 1, f"{oracle.ALL_BUT} 6", 0]["psnr_db"] > rows[4, oracle.CONTROL, 0]["psnr_db"]


def test_a_search_goes_on_where_it_was_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = searched(tmp_path, monkeypatch, tries=4)
    size = (tmp_path / oracle.FILE).stat().st_size
    assert searched(tmp_path, monkeypatch, tries=4).keys() == first.keys()
    lines = (tmp_path / oracle.FILE).read_text()[size:].splitlines()
    assert all(f'"{oracle.COMMON}"' in line for line in lines), "only the judging of the common plan is cheap enough"
    more = searched(tmp_path, monkeypatch, tries=8)
    for key, row in more.items():
        if key[1] == oracle.ORACLE:
            assert row["tries"] == 8
            assert row["psnr_db"] >= first[key]["psnr_db"] - 0.01
