"""The bed of patches is a model like any other: the host's samplers and caches and Jano's steps run on it."""

from __future__ import annotations

import dataclasses
import importlib

import pytest
import torch
from comfyui_jano.jano.adapters.patch import schedule
from comfyui_jano.jano.config import SchedulerConfig

bed = importlib.import_module("comfyui_jano.bench.patches.bed")
pictures = importlib.import_module("comfyui_jano.bench.patches.pictures")
quality = importlib.import_module("comfyui_jano.bench.quality")
arms = importlib.import_module("comfyui_jano.bench.arms")
Sampling = importlib.import_module("comfyui_jano.bench.demo_models").Sampling


def made(frames: int = 1, side: int = 12):
    """A bed of eighty pictures of noise."""
    values = torch.randn(80, frames, 3, side, side, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    names = tuple(f"picture {number}" for number in range(80))
    return bed.bed_of(pictures.Pictures(names, values, "of noise"), "patches" if frames == 1 else "clip_patches")


def rows_of(bed_, how: Sampling, *names: str) -> dict[str, dict]:
    text = bed_.prompts(1)[0]
    reference = quality.full_run(bed_, how, 0, text)
    chosen = [setting for setting in arms.settings(bed_.kind.name, sweep=False) if setting.name in names]
    assert len(chosen) == len(names)
    return {setting.name: quality.compare(bed_, how, setting, 0, text, reference) for setting in chosen}


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m"])
def test_shares_are_those_of_the_evaluations(sampler: str) -> None:
    with torch.inference_mode():
        rows = rows_of(made(), Sampling(20, sampler, 4.0), "50% of the steps", "target 2x", "threshold 0.3")
    assert rows["50% of the steps"]["flops_fraction"] == 0.5
    assert rows["target 2x"]["flops_fraction"] == rows["target 2x"]["computed_token_fraction"] == 0.5
    assert rows["threshold 0.3"]["flops_fraction"] < 1.0
    assert all(row["exact_db"] > 0 and row["native_because"] == [] for row in rows.values())


def test_a_setting_that_saves_nothing_says_why() -> None:
    """Refused before its first step, it had a row of 100 % and no reason."""
    by_level = arms.Setting("by level", "custom", lambda model: schedule(model, SchedulerConfig()))
    plain = arms.Setting("plain", "plain")
    one, how = made(), Sampling(9, "euler", 4.0)
    text = one.prompts(1)[0]
    with torch.inference_mode():
        reference = quality.full_run(one, how, 0, text)
        levels, none = (quality.compare(one, how, setting, 0, text, reference) for setting in (by_level, plain))
    assert levels["computed_token_fraction"] == none["computed_token_fraction"] == 1.0
    assert "need a model class that Jano knows" in levels["native_because"][0]
    assert none["native_because"] == []  # no Jano


def test_the_pace_of_a_setting_is_kept_and_ends_with_it() -> None:
    with torch.inference_mode():
        rows = rows_of(made(), Sampling(20, "euler", 4.0), "every 4", "balanced")
    # The first 3 of 20 steps, 4 of the others, and the last.
    assert rows["every 4"]["computed_token_fraction"] == pytest.approx(8 / 20)
    assert rows["balanced"]["computed_token_fraction"] != pytest.approx(8 / 20)


def test_a_prompt_ends_in_one_of_its_pictures_or_between_them() -> None:
    one = made()
    text = one.prompts(2)[1]
    with torch.inference_mode():
        end = one.picture(one.sample(text, 0, Sampling(12, "euler", 1.0)))
    chosen = bed.like(one.pictures, one.pictures.names.index(text.removeprefix("like ")))
    known = (one.pictures.values[chosen, 0].movedim(1, -1) + 1) / 2
    assert known.shape[0] == bed.LIKE < len(one.pictures.names)
    assert bool((end >= known.amin(0) - 1e-4).all() and (end <= known.amax(0) + 1e-4).all())


def test_clips_are_sampled_frame_by_frame() -> None:
    one = made(frames=3)
    with torch.inference_mode():
        row = rows_of(one, Sampling(10, "euler", 4.0), "balanced")["balanced"]
    assert row["motion_db"] is not None
    assert one.grid.latent == (3, 12, 12)


def test_what_ends_on_the_exact_solution_has_a_finite_row() -> None:
    """A set of few clips has ends that every way of sampling comes to, to the last bit."""
    one = made()
    with torch.inference_mode():
        reference = quality.full_run(one, Sampling(10, "euler", 4.0), 0, one.prompts(1)[0])
    assert quality.close(reference.picture, reference.picture) == quality.HIGHEST_DB
    nothing_left_out = [setting for setting in arms.beside_rivals() if setting.arm == arms.FULL_RUN]
    same = dataclasses.replace(reference, exact=reference.picture)
    with torch.inference_mode():
        row = quality.compare(one, Sampling(10, "euler", 4.0), *nothing_left_out, 0, one.prompts(1)[0], same)
    assert row["psnr_db"] == row["exact_db"] == quality.HIGHEST_DB
