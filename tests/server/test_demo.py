"""What the demo renders: the shipped workflows with the tiny models in place of the big ones, sped up by Jano."""

from __future__ import annotations

import json
import re

import pytest
from comfyui_jano.demo.graphs import BEFORE, SCENES, fast_draft, with_tiny_models
from comfyui_jano.host.server import Server
from comfyui_jano.host.workflow import to_prompt
from PIL import Image

SMALL = {
    "EmptySD3LatentImage": {"width": 128, "height": 128},
    "EmptyHunyuanLatentVideo": {"width": 128, "height": 128, "length": 17},
}
MAGIC = {".png": b"\x89PNG", ".webp": b"RIFF"}


@pytest.mark.parametrize("name", SCENES)
def test_a_workflow_runs_accelerated(server: Server, name: str) -> None:
    scene = SCENES[name]
    if scene.edits is not None:
        Image.linear_gradient("L").resize((128, 128)).save(server.base / "input" / BEFORE)
    workflow = json.loads(scene.workflow.read_text(encoding="utf-8"))
    prompt = with_tiny_models(to_prompt(workflow, server.object_info()), scene)
    for node in prompt.values():
        node["inputs"].update(SMALL.get(node["class_type"], {}))
        if node["class_type"] == "KSampler" and scene.edits is None:
            node["inputs"]["steps"] = 16
        if node["class_type"] == "JanoScheduler":
            # so small a clip differs too much from step to step for any tolerance
            node["inputs"].update(quality="custom", target_speedup=1.5)
    outputs = {prompt[node_id]["class_type"]: output for node_id, output in server.run(prompt).items()}
    told = outputs["JanoReport"]["jano"][0]
    assert told["verdict"] == "accelerated"
    assert bool(told["references"]) is (scene.edits is not None)
    maps = () if name == "edit" else (("JanoConvergenceMap", ".png"),)  # that template shows none
    for kind, suffix in (*maps, ("SaveAnimatedWEBP" if name == "wan" else "SaveImage", None)):
        (shown,) = outputs[kind]["images"]
        suffix = suffix or {"wan": ".webp"}.get(name, ".png")
        assert server.image(shown).startswith(MAGIC[suffix])


def test_a_draft_is_decoded_by_both_decoders(server: Server) -> None:
    scene = SCENES["wan"]
    workflow = json.loads(scene.workflow.read_text(encoding="utf-8"))
    draft = fast_draft(with_tiny_models(to_prompt(workflow, server.object_info()), scene), scene.fast_decoder)
    for node in draft.values():
        node["inputs"].update(SMALL.get(node["class_type"], {}))
    outputs = {draft[node_id]["class_type"]: output for node_id, output in server.run(draft).items()}
    (shown,) = outputs["SaveAnimatedWEBP"]["images"]
    assert server.image(shown).startswith(MAGIC[".webp"])
    told = outputs["FlashVAEDCompare"]["text"][0]
    closeness = float(re.search(r"PSNR \| ([0-9.]+) dB", told).group(1))
    assert closeness > 20
    assert "times as fast" in told
