"""ComfyUI's own edit models with a few random weights, and references of several sizes for them."""

from __future__ import annotations

from collections.abc import Callable

import comfy.supported_models
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.tests.host import tiny
from torch import Tensor

MAGE = {
    "image_model": "mage_flow",
    "num_layers": 2,
    "num_attention_heads": 1,
    "joint_attention_dim": tiny.CONTEXT,
}
KREA = {
    "image_model": "krea2",
    "features": 256,
    "tdim": 64,
    "txtdim": 16,
    "heads": 2,
    "kvheads": 1,
    "layers": 2,
    "txtlayers": 2,
    "txtheads": 1,
    "txtkvheads": 1,
    "default_ref_method": "index_timestep_zero",
}
JOY = {
    "image_model": "joyimage",
    "hidden_size": 128,
    "num_attention_heads": 1,
    "text_dim": tiny.CONTEXT,
    "num_layers": 2,
    "rope_dim_list": [16, 56, 56],
}
PICTURE, CLIP = (17, 13), (1, 17, 13)
SEVERAL = ((8, 6), (5, 9), (7, 7))


def flux2() -> ModelPatcher:
    return tiny.flux2(guidance_embed=False)  # with it this host cannot add a guidance to two times


def mage() -> ModelPatcher:
    return tiny.patcher(comfy.supported_models.MageFlow(MAGE))


def krea() -> ModelPatcher:
    return tiny.patcher(comfy.supported_models.Krea2(KREA))


def joy() -> ModelPatcher:
    return tiny.patcher(comfy.supported_models.JoyImage(JOY))


# Maker, latent cells, name of a conditioning's references.
Made = tuple[Callable[[], ModelPatcher], tuple[int, ...], str]
MODELS: dict[str, Made] = {
    "kontext": (tiny.flux, PICTURE, "reference_latents"),
    "flux.2": (flux2, PICTURE, "reference_latents"),
    "qwen": (tiny.qwen, CLIP, "reference_latents"),
    "mage": (mage, PICTURE, "reference_latents"),
    "krea": (krea, CLIP, "reference_latents"),
    "joy": (joy, CLIP, "reference_latents"),
    "bernini": (tiny.wan, (3, 9, 8), "context_latents"),
}


def references(model: ModelPatcher, cells: tuple[int, ...], *sizes: tuple[int, int], seed: int = 3) -> list[Tensor]:
    """Latents of these heights and widths, of one frame where the model's have frames."""
    generator = torch.Generator().manual_seed(seed)
    channels, frames = model.model.latent_format.latent_channels, (1,) * (len(cells) - 2)
    return [torch.randn(1, channels, *frames, *size, generator=generator) for size in sizes]
