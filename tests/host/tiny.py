"""ComfyUI's own model classes with a few random weights: what every host test samples with."""

from __future__ import annotations

import comfy.controlnet
import comfy.ldm.flux.controlnet
import comfy.ops
import comfy.sample
import comfy.samplers
import comfy.supported_models
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.latents import grid_of
from comfyui_jano.jano.adapters.patch import schedule
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.map import Level, LevelMap
from comfyui_jano.jano.presets import schedule_of
from torch import Tensor, nn

CONTEXT, POOLED = 32, 16
ODD = (17, 13)  # latent cells: no multiple of a token (2) nor of a region (8)
OPERATIONS = {"dtype": torch.float32, "operations": comfy.ops.disable_weight_init}

FLUX = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": POOLED,
    "context_in_dim": CONTEXT,
    "hidden_size": 128,
    "mlp_ratio": 4.0,
    "num_heads": 1,
    "depth": 1,
    "depth_single_blocks": 2,
    "axes_dim": [16, 56, 56],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
}
# As comfy/model_detection.py finds them: modulation shared by all blocks, no biases, one token a cell.
FLUX2 = {
    **FLUX,
    "image_model": "flux2",
    "in_channels": 128,
    "out_channels": 128,
    "vec_in_dim": None,
    "mlp_ratio": 3.0,
    "axes_dim": [32, 32, 32, 32],
    "theta": 2000,
    "patch_size": 1,
    "qkv_bias": False,
    "global_modulation": True,
    "mlp_silu_act": True,
    "ops_bias": False,
    "default_ref_method": "index",
    "ref_index_scale": 10.0,
    "txt_ids_dims": [3],
}
CHROMA = {
    **{key: value for key, value in FLUX.items() if key != "guidance_embed"},
    "image_model": "chroma",
    "in_channels": 64,
    "out_channels": 64,
    "in_dim": 64,
    "out_dim": 128,
    "hidden_dim": 64,
    "n_layers": 1,
}
WAN = {
    "image_model": "wan2.1",
    "model_type": "t2v",
    "dim": 128,
    "out_dim": 16,
    "in_dim": 16,
    "ffn_dim": 256,
    "num_heads": 1,
    "num_layers": 2,
    "text_dim": CONTEXT,
    "text_len": 8,
    "patch_size": (1, 2, 2),
    "freq_dim": 256,
    "window_size": (-1, -1),
    "qk_norm": True,
    "cross_attn_norm": True,
    "eps": 1e-6,
}
UNET = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "transformer_depth": [1, 1],
    "transformer_depth_output": [1, 1, 1, 1],
    "transformer_depth_middle": 1,
    "context_dim": CONTEXT,
    "use_spatial_transformer": True,
    "legacy": False,
}
QWEN = {
    "image_model": "qwen_image",
    "in_channels": 64,
    "num_layers": 1,
    "attention_head_dim": 128,
    "num_attention_heads": 1,
    "joint_attention_dim": CONTEXT,
}


def patcher(config: comfy.supported_models.BASE, seed: int = 0, dtype: torch.dtype = torch.float32) -> ModelPatcher:
    """A MODEL of this configuration with random weights."""
    config.set_inference_dtype(dtype, None)
    model = config.get_model({}, "")
    randomise(model.diffusion_model, seed).to(dtype)
    cpu = torch.device("cpu")
    return ModelPatcher(model.eval(), load_device=cpu, offload_device=cpu)


def randomise(network: nn.Module, seed: int = 0) -> nn.Module:
    """Weights that keep activations near 1, norms near the identity, and nothing zero that a test could overlook."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in network.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        if "norm" in name and weight.ndim == 1:
            weight.data = 1 + 0.1 * noise if name.endswith("weight") else 0.1 * noise
        else:
            weight.data = noise * (1.0 / weight[0].numel() ** 0.5 if weight.ndim > 1 else 0.1)
    loaded = network.state_dict().keys() - dict(network.named_parameters()).keys()
    for name in sorted(loaded):  # buffers that a checkpoint fills: the host leaves SD3's positions uninitialised
        buffer = network.get_buffer(name)
        buffer.data.copy_(0.1 * torch.randn(buffer.shape, generator=generator))
    return network.requires_grad_(False)


def flux(dtype: torch.dtype = torch.float32, **changes: object) -> ModelPatcher:
    return patcher(comfy.supported_models.Flux({**FLUX, **changes}), dtype=dtype)


def schnell() -> ModelPatcher:
    return patcher(comfy.supported_models.FluxSchnell({**FLUX, "guidance_embed": False}))


def flux2(**changes: object) -> ModelPatcher:
    return patcher(comfy.supported_models.Flux2({**FLUX2, **changes}))


def chroma() -> ModelPatcher:
    return patcher(comfy.supported_models.Chroma(CHROMA))


def wan() -> ModelPatcher:
    return patcher(comfy.supported_models.WAN21_T2V(WAN))


def unet() -> ModelPatcher:
    return patcher(comfy.supported_models.SD15(UNET))


def qwen() -> ModelPatcher:
    return patcher(comfy.supported_models.QwenImage(QWEN))


def controlnet(depth: int, single: int) -> comfy.controlnet.ControlNet:
    """The host's Flux ControlNet with random weights; single blocks give residuals for the single blocks."""
    sizes = {**FLUX, "depth": depth, "depth_single_blocks": single}
    network = randomise(comfy.ldm.flux.controlnet.ControlNetFlux(**sizes, **OPERATIONS))
    return comfy.controlnet.ControlNet(network, load_device=torch.device("cpu"), extra_conds=["y", "guidance"])


def conditioning(seed: int = 1, tokens: int = 8, **extra: object) -> list:
    """What a text encoder node would give for one prompt."""
    generator = torch.Generator().manual_seed(seed)
    text = torch.randn(1, tokens, CONTEXT, generator=generator)
    return [[text, {"pooled_output": torch.randn(1, POOLED, generator=generator), **extra}]]


def empty_latent(model: ModelPatcher, size: tuple[int, ...] = ODD, batch: int = 1) -> Tensor:
    """Zeros in latent cells: (height, width), or (frames, height, width) for video models."""
    return torch.zeros(batch, model.model.latent_format.latent_channels, *size)


def sample(
    model: ModelPatcher,
    steps: int = 12,
    cfg: float = 1.0,
    sampler: str = "euler",
    *,
    latent: Tensor | None = None,
    size: tuple[int, ...] = ODD,
    batch: int = 1,
    seed: int = 7,
    positive: list | None = None,
    negative: list | None = None,
    **options: object,
) -> Tensor:
    """What the KSampler node does, on the CPU."""
    latent = empty_latent(model, size, batch) if latent is None else latent
    noise = comfy.sample.prepare_noise(latent, seed)
    positive, negative = positive or conditioning(1), negative or conditioning(2)
    options = {"scheduler": "simple", "disable_pbar": True, "seed": seed, **options}
    scheduler = options.pop("scheduler")
    with torch.inference_mode():
        return comfy.sample.sample(model, noise, steps, cfg, sampler, scheduler, positive, negative, latent, **options)


def with_scheduler(model: ModelPatcher, quality: str, custom: dict | None = None, **options: object) -> ModelPatcher:
    """What the node Jano Scheduler does."""
    return schedule(model, schedule_of(quality, custom or {}), preset=quality != "custom", **options)


def level_map(model: ModelPatcher, size: tuple[int, ...] = ODD, level: Level | None = None) -> LevelMap:
    """A map for a latent of this size: all of one level, or static and active tokens at random.

    The outermost tokens are then active, because the host fills ragged ones with cells from the opposite side.
    """
    grid = grid_for(model, size)
    if level is not None:
        levels = torch.full(grid.tokens, int(level))
    else:
        chosen = torch.rand(grid.tokens, generator=torch.Generator().manual_seed(3)) < 0.3
        chosen[:, [0, -1]] = chosen[:, :, [0, -1]] = True
        levels = torch.where(chosen, int(Level.ACTIVE), int(Level.STATIC))
    return LevelMap(grid, levels.flatten().to(torch.uint8), torch.zeros(grid.num_regions))


def grid_for(model: ModelPatcher, size: tuple[int, ...]) -> TokenGrid:
    network = model.model.diffusion_model
    return grid_of(network, (1, 1, *size), (1, 1, 1))
