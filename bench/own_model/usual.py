"""The usual values of a model family: those of the host's own workflow templates.

From comfyui-workflow-templates 0.11.27, the templates named beside each line; where one has a distilled LoRA switched
on, the values that it has without. A family is named by its class in comfy/supported_models.py; subclasses inherit.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Usual:
    """How a family is sampled. `shift` None leaves the model its own; `guidance` None tells the model nothing."""

    steps: int = 20
    cfg: float = 7.0
    sampler: str = "euler"
    scheduler: str = "simple"
    width: int = 1024
    height: int = 1024
    frames: int = 1
    shift: float | None = None
    guidance: float | None = None
    clip_type: str = "stable_diffusion"


_WAN = {"sampler": "uni_pc", "shift": 8.0, "clip_type": "wan"}
_HUNYUAN = {"width": 848, "height": 480, "frames": 73, "shift": 7.0}
OTHERWISE = Usual()
USUAL = {
    "SD15": Usual(20, 8.0, scheduler="normal", width=512, height=512),  # default
    "SDXL": Usual(25, 8.0, scheduler="normal"),  # sdxl_simple_example
    "SD3": Usual(20, 4.0, scheduler="sgm_uniform", clip_type="sd3"),  # sd3.5_simple_example
    "Flux": Usual(20, 1.0, guidance=3.5, clip_type="flux"),  # flux_dev_full_text_to_image
    "FluxSchnell": Usual(4, 1.0, clip_type="flux"),  # flux_schnell_full_text_to_image
    "Flux2": Usual(20, 1.0, guidance=4.0, clip_type="flux2"),  # image_flux2_text_to_image
    "Chroma": Usual(26, 3.5, scheduler="beta", shift=1.0, clip_type="chroma"),  # image_chroma_text_to_image
    "HiDream": Usual(50, 5.0, "uni_pc", shift=3.0, clip_type="hidream"),  # hidream_i1_full
    # image_qwen_image_controlnet_patch (image_qwen_image has an 8-step LoRA)
    "QwenImage": Usual(20, 2.5, width=1328, height=1328, shift=3.1, clip_type="qwen_image"),
    "ZImage": Usual(25, 4.0, "res_multistep", shift=3.0, clip_type="lumina2"),  # image_z_image
    "WAN21_T2V": Usual(30, 6.0, width=832, height=480, frames=33, **_WAN),  # text_to_video_wan
    "WAN22_T2V": Usual(20, 5.0, width=1280, height=704, frames=49, **_WAN),  # video_wan2_2_5B_ti2v, fewer frames
    # hunyuan_video_text_to_video
    "HunyuanVideo": Usual(20, 1.0, guidance=6.0, clip_type="hunyuan_video", **_HUNYUAN),
    # video_hunyuan_video_1.5_720p_t2v, in the size of the one before
    "HunyuanVideo15": Usual(20, 6.0, clip_type="hunyuan_video_15", **_HUNYUAN),
    "LTXV": Usual(30, 3.0, width=768, height=512, frames=97, clip_type="ltxv"),  # ltxv_text_to_video
}


def usual_of(config: type) -> Usual:
    """Of a model's class in comfy/supported_models.py, or of the nearest one above it that is known."""
    return next((USUAL[base.__name__] for base in config.__mro__ if base.__name__ in USUAL), OTHERWISE)
