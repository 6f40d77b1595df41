"""Tiny stand-ins for everything that a shipped workflow asks for, under the names that it asks for.

Model files are the demo's, or random weights of a few kilobytes. Where a file of that kind would be large, a node of
`tests/tiny_pack` gives a tiny model of the host's own class; text encoders give way to the demo's prompt nodes, or its.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path

import av
import comfy.ldm.flux.controlnet
import comfy.ldm.wan.model
import comfy.ldm.wan.vae
import comfy.ops
import torch
from comfyui_jano.host.location import ROOT
from comfyui_jano.host.server import DEMO_MODELS
from comfyui_jano.host.workflow import BYPASSED
from comfyui_jano.tests.host import tiny
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

WORKFLOWS = sorted((ROOT / "example_workflows").glob("*.json"))
TINY_PACK = ROOT / "tests" / "tiny_pack"
TEXT_WIDTH, FLUX_WIDTH = 64, 128
FLUX_PROMPT = "green dotted tent, purple tower, sand, night sky"
CLIP_PROMPT = "red ball moving right, day sky, sand, still camera"
TEXT_LOADERS = ("DualCLIPLoader", "CLIPLoader", "LTXAVTextEncoderLoader")
Weights = dict[str, Tensor]

# Widget values by node class, in the order in which a workflow stores them; a missing class keeps its own.
Sizes = Mapping[str, Callable[[list], list]]
SMALL: Sizes = {
    "EmptySD3LatentImage": lambda old: [256, 256, 1],
    "EmptyLatentImage": lambda old: [128, 128, 1],
    "EmptyFlux2LatentImage": lambda old: [256, 256, 1],
    "Flux2Scheduler": lambda old: [old[0], 256, 256],
    "EmptyHunyuanLatentVideo": lambda old: [96, 64, 9, 1],
    "EmptyHunyuanVideo15Latent": lambda old: [128, 96, 9, 1],
    "EmptyLTXVLatentVideo": lambda old: [128, 96, 9, 1],
    "WanImageToVideo": lambda old: [96, 64, 9, 1],
    "WanVaceToVideo": lambda old: [96, 64, 9, *old[3:]],
    "RepeatImageBatch": lambda old: [9],
    "KSampler": lambda old: [*old[:2], 12 if old[2] > 20 else 9, *old[3:]],
    "JanoSweep": lambda old: [*old[:3], 16, *old[4:]],
    "ImageScale": lambda old: ["bilinear", 128, 128, "disabled"],
}
# Random weights can be forecast where steps are small. Runs of 4 steps stay what they are.
TINY: Sizes = {**SMALL, "KSampler": lambda old: [*old[:2], 40 if old[2] > 9 else old[2], *old[3:]]}
# That node has no size below a megapixel.
SAME_INPUTS = {"FluxKontextImageScale": "ImageScale", "ImageScaleToTotalPixels": "ImageScale"}
# Node classes of tests/tiny_pack for those of the host, and what a model's file stands for there.
TINY_NODES = {
    "UNETLoader": "TinyModel",
    "VAELoader of flux2": "TinyVAE",
    "VAELoader of hunyuan": "TinyVAE",
    "CheckpointLoaderSimple": "TinyCheckpoint",
    "TextEncodeQwenImageEditPlus": "TinyEditText",
    "LTXVEmptyLatentAudio": "TinySilence",
    "LTXVAudioVAEDecode": "TinySound",
    **dict.fromkeys(TEXT_LOADERS, "TinyText"),
}
OF_A_FAMILY = ("TinyModel", "TinyCheckpoint", "TinyVAE")
FAMILIES = {
    "qwen_image_fp8_e4m3fn.safetensors": "qwen",
    "qwen_image_edit_2511_fp8mixed.safetensors": "qwen",
    "z_image_bf16.safetensors": "z_image",
    "Chroma1-HD-fp8mixed.safetensors": "chroma",
    "flux2_dev_fp8mixed.safetensors": "flux2",
    "wan2.1_vace_14B_fp16.safetensors": "vace",
    "hunyuanvideo1.5_720p_t2v_fp16.safetensors": "hunyuan",
    "sd_xl_base_1.0.safetensors": "sdxl",
    "ltx-2-19b-dev-fp8.safetensors": "ltx2",
}


def workflow_file(title: str) -> Path:
    """A shipped workflow by its title in the template browser."""
    return ROOT / "example_workflows" / f"{title}.json"


def small_workflow(path: Path) -> dict:
    """A shipped workflow, as the editor saves it, that runs in seconds on a CPU.

    With `write_files`' models; and with the nodes of `TINY_PACK`, where a file would be too large.
    """
    workflow = json.loads(path.read_text(encoding="utf-8"))
    return _with_tiny_nodes(workflow) if _families(workflow) else _with_tiny_files(workflow, path)


def _families(workflow: dict) -> set[str]:
    values = (str(value) for node in workflow["nodes"] for value in node["widgets_values"])
    return {FAMILIES[value] for value in values if value in FAMILIES}


def _with_tiny_files(workflow: dict, path: Path) -> dict:
    gone = {node["id"] for node in workflow["nodes"] if node["type"] in TEXT_LOADERS}
    prompt = ("JanoDemoClipPrompt", CLIP_PROMPT) if "Wan" in path.stem else ("JanoDemoPrompt", FLUX_PROMPT)
    workflow["nodes"] = [_small_node(deepcopy(node), prompt) for node in workflow["nodes"] if node["id"] not in gone]
    workflow["links"] = [link for link in workflow["links"] if link[1] not in gone]
    return workflow


def _small_node(node: dict, prompt: tuple[str, str] | None = None, small: Sizes = SMALL) -> dict:
    if node["type"] == "CLIPTextEncode" and prompt:
        node.update(type=prompt[0], inputs=[], widgets_values=[prompt[1]])
    node["type"] = SAME_INPUTS.get(node["type"], node["type"])
    if node["type"] in small:
        node["widgets_values"] = small[node["type"]](node["widgets_values"])
    return node


def _with_tiny_nodes(workflow: dict) -> dict:
    (family,) = _families(workflow)
    gone = {node["id"] for node in workflow["nodes"] if node["type"] == "LTXVAudioVAELoader"}
    workflow["nodes"] = [_tiny_node(deepcopy(node), family) for node in workflow["nodes"] if node["id"] not in gone]
    workflow["links"] = [link for link in workflow["links"] if link[1] not in gone]
    return workflow


def _tiny_node(node: dict, family: str) -> dict:
    node = _small_node(node, small=TINY)
    kind = TINY_NODES.get("VAELoader of " + family if node["type"] == "VAELoader" else node["type"])
    if node["type"] == "LoraLoaderModelOnly":
        node["mode"] = BYPASSED
    if kind is not None:
        node["inputs"] = [slot for slot in node["inputs"] if slot["name"] != "audio_vae"]
        node["type"] = kind
        if kind != "TinyEditText":  # it has the host's own inputs
            node["widgets_values"] = [family] if kind in OF_A_FAMILY else []
    return node


def write_files(base: Path) -> None:
    """Model files and an input picture below a ComfyUI base folder."""
    for folder, files in _files().items():
        (base / "models" / folder).mkdir(parents=True, exist_ok=True)
        for name, source in files.items():
            target = base / "models" / folder / name
            if isinstance(source, Path):
                shutil.copyfile(source, target)
            else:
                save_file(source[0], target, source[1])
    picture = Image.effect_noise((256, 256), 60).convert("RGB")
    (base / "input").mkdir(parents=True, exist_ok=True)
    picture.save(base / "input" / "example.png")
    write_clip([picture.rotate(10 * turn) for turn in range(9)], base / "input" / "example.mp4")


def write_clip(frames: list[Image.Image], path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=16)
        stream.width, stream.height = frames[0].size
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_image(frame)))
        container.mux(stream.encode())


def _files() -> dict[str, dict[str, tuple[Weights, dict | None] | Path]]:
    """By folder and name: weights with their metadata, or a file of the demo, whose pictures are worth a look."""
    flux = DEMO_MODELS / "jano_tiny_flux.safetensors"
    wan = {"config": json.dumps({"transformer": {"num_heads": 1, "text_dim": TEXT_WIDTH}})}
    image_to_video = (_weights(_wan(36)), wan)
    return {
        "diffusion_models": {
            "flux1-dev.safetensors": flux,
            "flux1-dev-kontext_fp8_scaled.safetensors": flux,
            "wan2.1_t2v_1.3B_fp16.safetensors": (_weights(_wan(16)), wan),
            "wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors": image_to_video,
            "wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors": image_to_video,
        },
        "vae": {
            "ae.safetensors": DEMO_MODELS / "jano_tiny_flux_vae.safetensors",
            "wan_2.1_vae.safetensors": (_weights(_wan_vae()), None),
            "qwen_image_vae.safetensors": (_weights(_wan_vae()), None),
        },
        "loras": {"flux_style_lora.safetensors": (_lora(), None)},
        "controlnet": {"flux_canny_controlnet.safetensors": (_controlnet(), None)},
    }


def _weights(network: nn.Module) -> Weights:
    """Small random numbers for every parameter: the host's modules begin uninitialised."""
    drawn = torch.Generator().manual_seed(4)
    state = network.state_dict()
    return {name: torch.randn(value.shape, generator=drawn) * 0.05 for name, value in state.items()}


def _wan(in_dim: int) -> nn.Module:
    sizes = {key: value for key, value in tiny.WAN.items() if key != "image_model"}
    return comfy.ldm.wan.model.WanModel(**{**sizes, "in_dim": in_dim, "text_dim": TEXT_WIDTH}, **tiny.OPERATIONS)


def _wan_vae() -> nn.Module:
    return comfy.ldm.wan.vae.WanVAE(dim=8, z_dim=16, temperal_downsample=[False, True, True])


def _controlnet() -> Weights:
    """XLabs' kind, whose hints are pictures; its norms have the name that files of that kind give them."""
    sizes = {**tiny.FLUX, "context_in_dim": TEXT_WIDTH, "vec_in_dim": TEXT_WIDTH, "hidden_size": FLUX_WIDTH}
    weights = _weights(comfy.ldm.flux.controlnet.ControlNetFlux(**sizes, **tiny.OPERATIONS))
    return {re.sub(r"(_norm)\.weight$", r"\1.scale", name): value for name, value in weights.items()}


def _lora(rank: int = 2) -> Weights:
    """One layer of the tiny Flux, changed a little."""
    name = "diffusion_model.double_blocks.0.img_attn.qkv"
    down, up = torch.randn(rank, FLUX_WIDTH), torch.randn(3 * FLUX_WIDTH, rank)
    return {f"{name}.lora_A.weight": 0.02 * down, f"{name}.lora_B.weight": 0.02 * up}
