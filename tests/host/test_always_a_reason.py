"""A run of which nothing was left out says why: in the log, its report, its table, its line, and to the page."""

from __future__ import annotations

import json
import logging
from random import Random

import pytest
import torch
from comfyui_jano.bench.patches.host_model import patcher
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.show.headline import summary, table
from comfyui_jano.jano.show.told import account_of, spoken_of
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.tiny import ODD, sample, with_scheduler

MODELS = {
    "flux": (tiny.flux, ODD),
    "wan": (tiny.wan, (2, *ODD)),
    "qwen": (tiny.qwen, (1, *ODD)),
    "unet": (tiny.unet, (16, 16)),
    "no transformer": (lambda: patcher(torch.rand(4, 1, 3, 16, 16), 3.0), (16, 16)),
}
EVERY_STEP = {"static_interval": 1, "moderate_interval": 1, "active_interval": 1}
CHOICES = [
    *((quality, {}) for quality in ("fidelity", "balanced", "fast", "draft")),
    *(("target", {"target_speedup": target}) for target in (1.0, 1.1, 2.0, 4.0)),
    *(("custom", custom) for custom in ({}, EVERY_STEP, {"cooldown": 0.9}, {"static_threshold": 0.0})),
]
SAMPLERS = ("euler", "euler_ancestral", "dpm_2", "dpm_adaptive", "lcm", "uni_pc", "heunpp2")
STEPS = (1, 3, 9, 14)
RUNS = 14  # of each model


@pytest.mark.parametrize("name", MODELS)
def test_whatever_was_chosen(name: str, caplog: pytest.LogCaptureFixture) -> None:
    make, size = MODELS[name]
    model, random = make(), Random(name)
    chosen = [(*random.choice(CHOICES), random.choice(SAMPLERS), random.choice(STEPS)) for _ in range(RUNS)]
    chosen.append(("custom", {}, "euler", 9))
    native = 0
    for quality, custom, sampler, steps in chosen:
        accelerated = with_scheduler(model, quality, custom)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            # the bed without a transformer reads no text
            text = [[None, {}]] if name == "no transformer" else None
            report = report_of(accelerated, sample(accelerated, steps, 1.0, sampler, size=size, positive=text))
        assert not report.is_unknown
        if report.computed_token_fraction < 1.0:
            continue
        native += 1
        assert report.verdict == "native"
        assert report.fallbacks, (quality, custom, sampler, steps)
        for reason in report.fallbacks:
            assert len(reason.split()) > 3
            assert caplog.text.count(f"computing in full because {reason}.") == 1
            assert reason in dict(table(report).rows)["Because"]
            assert reason in summary(report)
            assert reason in json.dumps(spoken_of(report)["fallbacks"], ensure_ascii=False)
            assert reason in account_of(report)["fallbacks"]
    assert native
