"""Whole steps as a user wires them: settings, picture, map and report, by the nodes."""

from __future__ import annotations

import json

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.nodes.convergence_map import JanoConvergenceMap
from comfyui_jano.nodes.report import JanoReport
from comfyui_jano.nodes.tune import JanoAnalyzer, JanoScheduler
from comfyui_jano.tests.host.test_trained_flux import said
from comfyui_jano.tests.host.tiny import sample

CHOICES = {
    **{quality: {"quality": quality} for quality in ("balanced", "fast", "draft")},
    "2x": {"quality": "target", "target_speedup": 2.0},
}


def run(node: type, **inputs: object) -> tuple:
    """As the server does, with the defaults of the schema for what is not given."""
    defaults = {field.id: getattr(field, "default", None) for field in node.GET_SCHEMA().inputs}
    given = {**{name: value for name, value in defaults.items() if value is not None}, **inputs}
    return node.PREPARE_CLASS_CLONE({"hidden_inputs": {}}).EXECUTE_NORMALIZED(**given).args


@pytest.mark.parametrize("choice", CHOICES)
def test_a_trained_model_is_sampled_drawn_and_reported(trained: ModelPatcher, choice: str) -> None:
    (analysed,) = run(JanoAnalyzer, model=trained)
    (model,) = run(JanoScheduler, model=analysed, **CHOICES[choice])
    latent = {"samples": sample(model, 28, 4.0, size=(16, 16), positive=said("green tree"), negative=said(""))}
    report = json.loads(run(JanoReport, model=model, latent=latent)[1])
    assert report["verdict"] == "accelerated"
    assert set(report["step_classes"]) == {"full", "skipped"}
    assert report["fallbacks"] == []
    overlay, _, _, level_map, _, errors = run(JanoConvergenceMap, model=model, latent=latent)
    assert errors.shape[2:] == overlay.shape[2:]  # legends have as many lines as they need
    assert not torch.equal(errors[:, :128], overlay[:, :128])
    assert overlay.shape[-1] == 3
    assert level_map is not None
    assert bool(torch.isfinite(overlay).all())
