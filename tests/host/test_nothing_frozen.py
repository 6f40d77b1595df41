"""With nothing frozen, a MODEL with Jano gives the very picture that it gives without, bit for bit."""

from __future__ import annotations

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.patch import analyze
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import AnalyzerConfig
from comfyui_jano.jano.levels.map import Level
from comfyui_jano.tests.host.tiny import ODD, level_map, sample, with_scheduler

SAMPLERS = ("euler", "heun", "dpmpp_2m", "uni_pc", "euler_ancestral", "dpmpp_sde")
EVERY_STEP = {"static_interval": 1, "moderate_interval": 1, "active_interval": 1}
CLIP = (3, 9, 8)


@pytest.fixture(params=["flux", "wan"])
def case(request: pytest.FixtureRequest) -> tuple[ModelPatcher, tuple[int, ...]]:
    """A model and the size to sample at."""
    return request.getfixturevalue(request.param), ODD if request.param == "flux" else CLIP


@pytest.mark.parametrize("cfg", [1.0, 5.0])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_nothing_frozen_is_no_node(case: tuple, sampler: str, batch: int, cfg: float) -> None:
    model, size = case
    run = {"steps": 6, "sampler": sampler, "batch": batch, "cfg": cfg, "size": size}
    without = sample(model, **run)
    with_jano = {
        "intervals of one": with_scheduler(model, "custom", EVERY_STEP),
        "analyzer alone": analyze(model, AnalyzerConfig()),
        "all tokens active": with_scheduler(model, "custom", {}, level_map=level_map(model, size, Level.ACTIVE)),
    }
    for name, patched in with_jano.items():
        assert torch.equal(sample(patched, **run), without), name


def test_the_analyzer_alone_still_draws_a_map(flux: ModelPatcher) -> None:
    model = analyze(flux, AnalyzerConfig())
    report = report_of(model, sample(model))
    assert report.verdict == "analysed"
    assert report.level_map.grid.latent == (1, *ODD)
    assert sum(report.level_share.values()) == pytest.approx(1)


def test_something_frozen_is_another_picture(case: tuple) -> None:
    model, size = case
    patched = with_scheduler(model, "custom")
    assert not torch.equal(sample(patched, size=size), sample(model, size=size))
