"""The measurements stand on the pack as it is: every part is there, and knows the demo's models."""

from __future__ import annotations

import importlib

import pytest
from comfyui_jano.host.location import ROOT

PARTS = sorted(path.stem for path in (ROOT / "bench").glob("[!_]*.py") if path.stem != "run")


@pytest.mark.parametrize("part", PARTS)
def test_every_part_can_be_loaded(part: str) -> None:
    assert importlib.import_module(f"comfyui_jano.bench.{part}").__doc__


@pytest.mark.parametrize(("name", "tokens"), [("flux", 1024), ("wan", 2304)])
def test_the_demos_models_have_the_grids_that_the_readme_names(name: str, tokens: int) -> None:
    demo_models = importlib.import_module("comfyui_jano.bench.demo_models")
    assert demo_models.load(name).grid.num_tokens == tokens


def test_the_random_flux_has_regions() -> None:
    random_flux = importlib.import_module("comfyui_jano.bench.random_flux")
    assert random_flux.level_map(16, 0.5).levels.numel() == 64
