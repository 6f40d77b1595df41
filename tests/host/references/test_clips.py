"""Clips with a reference that a model's blocks count as a frame: Wan's that speak and sing (HuMo, S2V)."""

from __future__ import annotations

import pytest
import torch
from comfyui_jano.jano.show.headline import summary
from comfyui_jano.tests.host.references.test_exact import assert_exact, same_input
from comfyui_jano.tests.host.references.test_runs import run
from comfyui_jano.tests.host.tiny import sample
from comfyui_jano.tests.host.tiny_others import OTHERS, Other, noise

CLIPS = ("Wan HuMo", "Wan S2V")


def with_(other: Other, **said: object) -> dict[str, list]:
    return {side: [[cond, {**told, **said}]] for side, ((cond, told),) in other.prompts().items()}


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("silent", [False, True])
def test_frozen_references_are_seen_as_they_were_computed(name: str, silent: bool) -> None:
    other = OTHERS[name]
    sides = with_(other, **({"audio_embed": None} if silent else {}))
    assert_exact(same_input(other.make(), *sides.values(), size=other.size))


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        ("Wan S2V", {"reference_latents": [noise(1, 16, 1, 8, 6)]}, "they are not as large as the clip's frames"),
        ("Wan S2V", {"reference_motion": noise(1, 16, 19, 16, 12)}, "frames of an earlier clip stand behind them"),
    ],
)
def test_where_a_call_without_them_would_differ_every_step_computes_them(name: str, said: dict, told: str) -> None:
    other = OTHERS[name]
    model, options = other.make(), {"steps": 3, "size": other.size, **with_(other, **said)}
    samples, report = run(model, "once", **options)
    assert torch.equal(samples, sample(model, **options))
    assert report.references.frozen == set()
    assert told in summary(report)
