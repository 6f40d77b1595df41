"""What a file of weights is that is no Flash-VAED decoder, and what to do with it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from .weights import SOURCE

STOCK = "load it with the stock node Load VAE"
UNREAD = "no stock node reads it so: take the VAE or the checkpoint that the model's makers give for ComfyUI"
ORIGINAL_WAN_WIDTH = 96
LTX_LATENT_CHANNELS = 128
EARLY_LTX_WIDTH = 512
"""Of the first decoder block of LTX-Video 0.9.0's VAE; later ones have 1024."""

TOLD_BY_NAME = (
    ("decoder.mid_block.resnets.0.norm1.gamma", f"is a Wan or Qwen-Image VAE as diffusers has it; {SOURCE}"),
    ("decoder.22.bias", f"is a TAEHV or LightTAE decoder; put it into models/vae_approx and {STOCK}"),
    ("taesd_decoder.1.weight", f"is a TAESD decoder for pictures; {STOCK}"),
    ("decoder.up_blocks.0.resnets.0.norm1.weight", f"is a VAE for pictures as diffusers has it; {STOCK}"),
    ("decoder.conv_in.weight", f"is a VAE for pictures or for another video model; {STOCK}"),
    ("decoder.conv_in.conv.weight", f"is a VAE for another video model; {STOCK}"),
    ("model.diffusion_model.", "is a whole checkpoint or a diffusion model, not a VAE; load it with the stock loaders"),
    ("lora", f"is a LoRA, not a VAE; {SOURCE}"),
)
"""A part of some weight's name, and what such a file is; the first that fits counts."""


def what_else(weights: Mapping[str, Tensor]) -> str:
    """The rest of a sentence that begins with the file's name."""
    return wan(weights) or ltx(weights) or by_name(weights)


def wan(weights: Mapping[str, Tensor]) -> str:
    """Told by Wan's own layouts."""
    if "decoder.upsamples.0.upsamples.0.residual.2.weight" in weights:
        return f"is a Wan 2.2 VAE, which has no fast decoder here; {STOCK}"
    if "decoder.middle.0.residual.2.weight" not in weights or "decoder.head.0.gamma" not in weights:
        return ""
    width = weights["decoder.head.0.gamma"].shape[:1].numel()
    if width == ORIGINAL_WAN_WIDTH:
        return f"is the original Wan 2.1 VAE, or Qwen-Image's of the same layout; {STOCK}, or connect it as base_vae"
    if width < ORIGINAL_WAN_WIDTH:
        return f"is a smaller VAE in Wan 2.1's own layout (width {width}), such as LightVAE; {STOCK}"
    return ""


def ltx(weights: Mapping[str, Tensor]) -> str:
    """Told by LTX-Video's layout, the host's or diffusers'."""
    entry = weights.get("decoder.conv_in.conv.weight")
    if entry is None or entry.shape[1:2] != (LTX_LATENT_CHANNELS,):
        return ""
    layouts = (("up_blocks.0.res_blocks", "its own", STOCK), ("mid_block.resnets", "diffusers'", UNREAD))
    for name, whose, advice in layouts:
        kernel = weights.get(f"decoder.{name}.0.conv1.conv.weight")
        if kernel is not None and kernel.shape[:1] == (EARLY_LTX_WIDTH,):
            connected = ", or connect it as base_vae" if advice == STOCK else ""
            return f"is the original LTX-Video 0.9 VAE in {whose} layout; {advice}{connected}"
        if kernel is not None:
            return f"is the VAE of LTX-Video 0.9.1 or later, which has no fast decoder here; {advice}"
    return ""


def by_name(weights: Mapping[str, Tensor]) -> str:
    for part, told in TOLD_BY_NAME:
        if any(part in name for name in weights):
            return told
    return (
        f"holds no decoder that is known here (weights: {len(weights)}, {min(weights, default='none')} first); {SOURCE}"
    )
