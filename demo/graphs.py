"""The shipped workflows made small and measurable: our own checkpoints put in, a meter added, Jano taken out."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from host.client import Prompt

WORKFLOWS = Path(__file__).resolve().parents[1] / "example_workflows"
TEXT_NODES = ("CLIPTextEncode", "ConditioningZeroOut", "FluxGuidance", "DualCLIPLoader", "CLIPLoader")
JANO_NODES = ("JanoConvergenceMap", "JanoReport")
PICTURE_NODES = ("VAEDecode", "SaveImage", "SaveAnimatedWEBP", "JanoConvergenceMap", "JanoReport")
BEFORE = "jano_demo_before.png"
"""What the edit's picture is called in the host's input folder."""


@dataclass(frozen=True)
class Scene:
    """What one family renders: its workflow, the small inputs by node class, the prompt, and KSampler's settings.

    With `long_steps`, counting FLOPs takes no time worth mentioning and is done in the runs that are timed.
    """

    name: str
    workflow: Path
    inputs: Mapping[str, Mapping[str, Any]]
    prompt_node: str
    text: str
    sampler: Mapping[str, Any] = field(default_factory=dict)
    long_steps: bool = False
    fast_decoder: str = ""
    """The small decoder that drafts are decoded with; none if empty."""
    edits: int | None = None
    """The picture that is changed: the one before the edit, of the held-out pair of this number."""


SCENES = {
    "flux": Scene(
        "flux",
        WORKFLOWS / "Flux text to image.json",
        {
            "UNETLoader": {"unet_name": "jano_tiny_flux.safetensors"},
            "VAELoader": {"vae_name": "jano_tiny_flux_vae.safetensors"},
            "EmptySD3LatentImage": {"width": 512, "height": 512},
        },
        "JanoDemoPrompt",
        "white house, red tent, night sky, sea",
        {"seed": 2, "steps": 28, "cfg": 4.0},
    ),
    "wan": Scene(
        "wan",
        WORKFLOWS / "Wan 2.1 text to video.json",
        {
            "UNETLoader": {"unet_name": "jano_tiny_wan.safetensors"},
            "VAELoader": {"vae_name": "jano_tiny_wan_vae.safetensors"},
            "EmptyHunyuanLatentVideo": {"width": 256, "height": 256, "length": 33},
        },
        "JanoDemoClipPrompt",
        "blue checked ball moving right, yellow tower still, striped wall, sand",
        {"seed": 7, "steps": 30, "cfg": 5.0},
        long_steps=True,
        fast_decoder="jano_tiny_wan_fast_decoder.safetensors",
    ),
    "edit": Scene(
        "edit",
        WORKFLOWS / "Flux Kontext edit.json",
        {
            "JanoModelLoader": {"unet_name": "jano_tiny_edit_step.safetensors", "quality": "fast"},
            "VAELoader": {"vae_name": "jano_tiny_flux_vae.safetensors"},
            "LoadImage": {"image": BEFORE},
        },
        "JanoDemoPrompt",
        "red tent, green tree, sunset sky, grass",
        {"seed": 1, "steps": 8, "cfg": 1.0},
        edits=1,
    ),
}
DRAFT_STEPS = 12


def only(prompt: Prompt, class_type: str) -> str:
    """The id of the one node of a class."""
    return next(node_id for node_id, node in prompt.items() if node["class_type"] == class_type)


def with_tiny_models(prompt: Prompt, scene: Scene) -> dict:
    """The shipped workflow with our own checkpoints and conditioning put in place of the big ones."""
    small = {node_id: deepcopy(node) for node_id, node in prompt.items() if node["class_type"] not in TEXT_NODES}
    small = without_node(small, "FluxKontextImageScale", "image")  # the tiny model edits small pictures
    for node in small.values():
        node["inputs"].update(scene.inputs.get(node["class_type"], {}))
    sampler = small[only(small, "KSampler")]["inputs"]
    for side, text in (("positive", scene.text), ("negative", "")):
        small[side] = {"class_type": scene.prompt_node, "inputs": {"text": text}}
        sampler[side] = [side, 0]
    for node_id, node in list(small.items()):
        if node["class_type"] == "ReferenceLatent":
            node["inputs"]["conditioning"], sampler["positive"] = sampler["positive"], [node_id, 0]
    sampler.update(scene.sampler)
    return animated(small)


def animated(prompt: dict) -> dict:
    """The prompt with its video saved as an animated picture, whose frames can be compared: nothing is lost there."""
    for node_id in [node_id for node_id, node in prompt.items() if node["class_type"] == "SaveVideo"]:
        video = prompt.pop(prompt[node_id]["inputs"]["video"][0])["inputs"]
        saved = {"fps": video["fps"], "lossless": True, "quality": 90, "method": "default"}
        inputs = {"images": video["images"], "filename_prefix": "jano_wan", **saved}
        prompt[node_id] = {"class_type": "SaveAnimatedWEBP", "inputs": inputs}
    return prompt


def without_node(prompt: Prompt, class_type: str, through: str) -> dict:
    """The prompt as with nodes of a class bypassed: what comes out is what goes in at `through`."""
    sources = {node_id: node["inputs"][through] for node_id, node in prompt.items() if node["class_type"] == class_type}
    kept = {node_id: deepcopy(node) for node_id, node in prompt.items() if node_id not in sources}
    for node in kept.values():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and value[0] in sources:
                node["inputs"][name] = sources[value[0]]
    return kept


def metered(prompt: Prompt, count_flops: bool) -> dict:
    """The prompt with the demo's meter between the model and the sampler."""
    prompt = deepcopy(dict(prompt))
    sampler = prompt[only(prompt, "KSampler")]["inputs"]
    meter = {"model": sampler["model"], "count_flops": count_flops}
    prompt["meter"] = {"class_type": "JanoDemoMeter", "inputs": meter}
    sampler["model"] = ["meter", 0]
    latent = [only(prompt, "KSampler"), 0]
    prompt["reading"] = {"class_type": "JanoDemoReading", "inputs": {"model": ["meter", 0], "latent": latent}}
    return prompt


def charted(prompt: Prompt) -> dict:
    """The prompt with the Report's chart as a picture: on the page it is drawn anew."""
    shown = {"class_type": "PreviewImage", "inputs": {"images": [only(prompt, "JanoReport"), 2]}}
    return {**prompt, "chart": shown}


def without_pictures(prompt: Prompt) -> dict:
    """The prompt as far as the latent: nothing is decoded or drawn."""
    return {node_id: node for node_id, node in prompt.items() if node["class_type"] not in PICTURE_NODES}


def fast_draft(prompt: Prompt, decoder: str) -> dict:
    """The prompt in few steps, with Jano's fastest quality, decoded by a small decoder beside the VAE."""
    left_out = ("VAEDecode", "JanoConvergenceMap", "JanoReport")
    draft = {node_id: deepcopy(node) for node_id, node in prompt.items() if node["class_type"] not in left_out}
    sampler = only(draft, "KSampler")
    draft[sampler]["inputs"]["steps"] = DRAFT_STEPS
    draft[only(draft, "JanoScheduler")]["inputs"]["quality"] = "draft"
    draft["fast"] = {"class_type": "FlashVAEDLoader", "inputs": {"vae_name": decoder, "save_safetensors": False}}
    pair = {"fast_vae": ["fast", 0], "reference_vae": [only(draft, "VAELoader"), 0]}
    beside = {**pair, "latent": [sampler, 0], "most_latents": 64}
    draft["beside"] = {"class_type": "FlashVAEDCompare", "inputs": beside}
    draft[only(draft, "SaveAnimatedWEBP")]["inputs"]["images"] = ["beside", 1]
    return draft


def without_jano(prompt: Prompt) -> dict:
    """The prompt as with Jano's nodes left out: the Scheduler bypassed, the stock loader in place of Jano's."""
    kept = without_node(prompt, "JanoScheduler", "model")
    kept = {node_id: node for node_id, node in kept.items() if node["class_type"] not in JANO_NODES}
    for node in kept.values():
        if node["class_type"] == "JanoModelLoader":
            stock = {name: node["inputs"][name] for name in ("unet_name", "weight_dtype")}
            node.update(class_type="UNETLoader", inputs=stock)
    return kept
