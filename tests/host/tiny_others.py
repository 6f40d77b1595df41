"""Flow models of other families than Flux and Wan, and Wan's variants: the host's own classes with a few weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import comfy.supported_models as host
import torch
from comfy.model_patcher import ModelPatcher
from comfy.nested_tensor import NestedTensor
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.tiny import CONTEXT, ODD, POOLED, WAN, patcher
from torch import Tensor

PICTURE, CLIP, EVEN_CLIP = ODD, (2, *ODD), (2, 16, 12)
TOKENS = 8

HUNYUAN = {
    "image_model": "hunyuan_video",
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": [1, 2, 2],
    "vec_in_dim": POOLED,
    "axes_dim": [16, 56, 56],
    "meanflow": False,
    "context_in_dim": CONTEXT,
    "hidden_size": 128,
    "mlp_ratio": 2.0,
    "num_heads": 1,
    "depth": 1,
    "depth_single_blocks": 1,
    "theta": 256,
    "qkv_bias": True,
    "byt5": False,
    "guidance_embed": True,
    "use_cond_type_embedding": False,
    "vision_in_dim": None,
    "meanflow_sum": False,
}
HUNYUAN_15 = {
    **HUNYUAN,
    "in_channels": 65,
    "out_channels": 32,
    "patch_size": [1, 1, 1],
    "vec_in_dim": None,
    "guidance_embed": False,
    "use_cond_type_embedding": True,
    "vision_in_dim": CONTEXT,
    "meanflow_sum": True,
}
HUNYUAN_IMAGE = {
    **HUNYUAN,
    "in_channels": 64,
    "out_channels": 64,
    "patch_size": [1, 1],
    "axes_dim": [64, 64],
    "vec_in_dim": None,
    "guidance_embed": False,
}
SD3 = {
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "depth": 1,
    "num_blocks": 2,
    "adm_in_channels": POOLED,
    "context_embedder_config": {
        "target": "torch.nn.Linear",
        "params": {"in_features": CONTEXT, "out_features": 64},
    },
    "input_size": None,
    "num_patches": 32 * 32,
    "pos_embed_max_size": 32,
    "pos_embed_scaling_factor": None,
}
AURA = {
    "in_channels": 4,
    "out_channels": 4,
    "dim": 64,
    "n_layers": 2,
    "n_double_layers": 1,
    "n_heads": 1,
    "global_conddim": 64,
    "cond_seq_dim": CONTEXT,
    "max_seq": 256,
}
LTXV = {
    "image_model": "ltxv",
    "in_channels": 128,
    "cross_attention_dim": 64,
    "attention_head_dim": 64,
    "num_attention_heads": 1,
    "caption_channels": CONTEXT,
    "num_layers": 1,
}
LUMINA = {
    "image_model": "lumina2",
    "patch_size": 2,
    "in_channels": 16,
    "dim": 96,
    "cap_feat_dim": CONTEXT,
    "n_layers": 1,
    "n_refiner_layers": 1,
    "qk_norm": True,
    "n_heads": 1,
    "n_kv_heads": 1,
    "axes_dims": [32, 32, 32],
    "axes_lens": [300, 512, 512],
    "multiple_of": 32,
    "ffn_dim_multiplier": 1.0,
}
Z_IMAGE = {
    **LUMINA,
    "dim": 256,
    "n_heads": 2,
    "n_kv_heads": 2,
    "axes_dims": [32, 48, 48],
    "z_image_modulation": True,
    "time_scale": 1000.0,
    "pad_tokens_multiple": 32,
}
HIDREAM = {
    "image_model": "hidream",
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 64,
    "num_attention_heads": 1,
    "caption_channels": [CONTEXT, CONTEXT],
    "text_emb_dim": POOLED,
    "num_routed_experts": 2,
    "num_activated_experts": 1,
    "axes_dims_rope": (32, 16, 16),
    "max_resolution": (128, 128),
    "llama_layers": [0, 1],
}
KANDINSKY = {
    "image_model": "kandinsky5",
    "in_text_dim": CONTEXT,
    "in_text_dim2": POOLED,
    "time_dim": 32,
    "model_dim": 64,
    "ff_dim": 64,
    "visual_embed_dim": 132,
    "axes_dims": (16, 24, 24),
    "num_text_blocks": 1,
    "num_visual_blocks": 1,
}
ANIMA = {
    "image_model": "anima",
    "max_img_h": 64,
    "max_img_w": 64,
    "max_frames": 8,
    "in_channels": 16,
    "out_channels": 16,
    "patch_spatial": 2,
    "patch_temporal": 1,
    "model_channels": 128,
    "num_blocks": 1,
    "num_heads": 1,
    "concat_padding_mask": True,
    "crossattn_emb_channels": CONTEXT,
    "pos_emb_cls": "rope3d",
    "pos_emb_learnable": True,
    "use_adaln_lora": True,
    "adaln_lora_dim": 16,
}
OMNIGEN = {
    "image_model": "omnigen2",
    "hidden_size": 96,
    "num_layers": 1,
    "num_refiner_layers": 1,
    "num_attention_heads": 1,
    "num_kv_heads": 1,
    "multiple_of": 32,
    "text_feat_dim": CONTEXT,
    "axes_dim_rope": (32, 32, 32),
}
ERNIE = {
    "image_model": "ernie",
    "hidden_size": 128,
    "num_attention_heads": 1,
    "num_layers": 1,
    "ffn_hidden_size": 128,
    "text_in_dim": CONTEXT,
}

# With a context of twice the caption's channels the host leaves the (large) connectors out.
LTXAV = {
    "image_model": "ltxav",
    "cross_attention_dim": 64,
    "audio_cross_attention_dim": 64,
    "attention_head_dim": 64,
    "audio_attention_head_dim": 64,
    "num_attention_heads": 1,
    "audio_num_attention_heads": 1,
    "caption_channels": CONTEXT // 2,
    "num_layers": 1,
    "connector_num_layers": 1,
    "connector_attention_head_dim": 32,
    "connector_num_attention_heads": 1,
}
PIXART = {
    "image_model": "pixart_sigma",
    "hidden_size": 96,
    "depth": 1,
    "num_heads": 1,
    "caption_channels": CONTEXT,
    "micro_condition": False,
}
COGVIDEO = {
    "image_model": "cogvideox",
    "num_attention_heads": 1,
    "num_layers": 1,
    "time_embed_dim": 64,
    "text_embed_dim": CONTEXT,
    "use_rotary_positional_embeddings": True,
}
SDXL = {
    **tiny.UNET,
    "model_channels": 64,
    "adm_in_channels": POOLED + 6 * 256,
    "num_classes": "sequential",
    "use_linear_in_transformer": True,
}


@dataclass(frozen=True)
class Other:
    """How to make a model, a latent size in cells that it takes, and what its conditioning holds besides text."""

    make: Callable[[], ModelPatcher]
    size: tuple[int, ...] = PICTURE
    extra: dict[str, object] = field(default_factory=dict)

    def prompts(self) -> dict[str, list]:
        return {side: tiny.conditioning(seed, **self.extra) for seed, side in enumerate(("positive", "negative"), 1)}


def other(kind: type, config: dict, size: tuple[int, ...] = PICTURE, **extra: object) -> Other:
    return Other(lambda: patcher(kind(dict(config))), size, extra)


def wan(kind: type, changes: dict, **extra: object) -> Other:
    return other(kind, {**WAN, **changes}, EVEN_CLIP, **extra)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def all_read() -> Tensor:
    """An attention mask of the text with nothing masked."""
    return torch.ones(1, TOKENS, dtype=torch.long)


REFERENCE = {"reference_latents": [noise(1, 16, 1, *EVEN_CLIP[1:])]}
OTHERS = {
    "Qwen-Image": Other(tiny.qwen, (1, *ODD)),
    "SD3": other(host.SD3, SD3),
    "AuraFlow": other(host.AuraFlow, AURA),
    "LTXV": other(host.LTXV, LTXV, CLIP, attention_mask=all_read()),
    "HunyuanVideo": other(host.HunyuanVideo, HUNYUAN, EVEN_CLIP),
    "HunyuanVideo 1.5": other(host.HunyuanVideo15, HUNYUAN_15, CLIP),
    "HunyuanImage 2.1": other(host.HunyuanImage21, HUNYUAN_IMAGE),
    "Lumina 2": other(host.Lumina2, LUMINA),
    "Z-Image": other(host.ZImage, Z_IMAGE),
    "HiDream": other(host.HiDream, HIDREAM, conditioning_llama3=noise(1, 2, TOKENS, CONTEXT)),
    "Kandinsky 5": other(host.Kandinsky5, KANDINSKY, EVEN_CLIP),
    "Anima": other(host.Anima, ANIMA, (1, *ODD)),
    "Cosmos Predict 2": other(host.CosmosT2IPredict2, {**ANIMA, "image_model": "cosmos_predict2"}, (1, *ODD)),
    "SD 1.5": Other(tiny.unet, (16, 16)),
    "SDXL": other(host.SDXL, SDXL, (16, 16)),
    "PixArt": other(host.PixArtSigma, PIXART, (40, 32)),
    "CogVideoX": other(host.CogVideoX_T2V, COGVIDEO, CLIP),
    "CogVideoX 1.5 I2V": other(
        host.CogVideoX_I2V, {**COGVIDEO, "in_channels": 32, "patch_size_t": 2, "ofs_embed_dim": 64}, CLIP
    ),
    "OmniGen 2": other(host.Omnigen2, OMNIGEN, attention_mask=all_read()),
    "Ernie-Image": other(host.ErnieImage, ERNIE),
    "Wan HuMo": wan(host.WAN21_HuMo, {"model_type": "humo"}, audio_embed=noise(1, 2, 8, 5, 1280), **REFERENCE),
    "Wan S2V": wan(
        host.WAN22_S2V,
        {"model_type": "s2v", "audio_dim": 32, "audio_inject_layers": [0]},
        audio_embed=noise(1, 25, 32, 8),
        **REFERENCE,
    ),
    "Wan Animate": wan(
        host.WAN22_Animate,
        {"model_type": "animate", "in_dim": 36},
        pose_video_latent=noise(1, 16, 1, 16, 12),
    ),
    "Wan SCAIL": wan(
        host.WAN21_SCAIL,
        {"model_type": "scail", "in_dim": 20},
        pose_video_latent=noise(1, 16, 2, 8, 6),
        **REFERENCE,
    ),
}
# Models whose blocks Jano knows.
KNOWN = {
    "Flux.2": Other(tiny.flux2),
    "Chroma": Other(tiny.chroma),
    "Wan Camera": wan(
        host.WAN21_Camera,
        {"model_type": "camera", "in_dim": 32},
        camera_conditions=noise(1, 24, 2, 128, 96),
    ),
    "Wan VACE": wan(host.WAN21_Vace, {"model_type": "vace", "vace_layers": 1, "vace_in_dim": 96}),
    "Wan 2.2 5B": wan(host.WAN22_T2V, {"in_dim": 48, "out_dim": 48}),
}


def flow_rvs() -> ModelPatcher:
    return patcher(host.WAN21_FlowRVS({**WAN, "model_type": "flow_rvs"}))


def audio_with_video() -> tuple[ModelPatcher, NestedTensor]:
    """LTX-2, and an empty latent of its two parts."""
    model = patcher(host.LTXAV(dict(LTXAV)))
    return model, NestedTensor((torch.zeros(1, 128, 2, 4, 3), torch.zeros(1, 8, 6, 16)))
