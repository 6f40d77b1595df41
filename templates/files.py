"""The model files that the templates ask for, and where they are downloaded from.

Names, folders and addresses are those of ComfyUI's own templates (package comfyui_workflow_templates_json).
"""

from __future__ import annotations

from dataclasses import dataclass

HUB = "https://huggingface.co/"


@dataclass(frozen=True)
class File:
    """A model file, its folder below models/, and its address; without an address the user chooses one."""

    name: str
    folder: str
    url: str = ""

    def entry(self) -> dict[str, str]:
        """As a node's `properties.models` has it: ComfyUI offers the download from there."""
        return {"name": self.name, "url": self.url, "directory": self.folder}


def _file(folder: str, path: str) -> File:
    """A file by its path on the hub."""
    return File(path.rpartition("/")[2], folder, HUB + path)


def _split(folder: str, repository: str, name: str) -> File:
    """A file in the layout that ComfyUI repackages models in."""
    return _file(folder, f"Comfy-Org/{repository}/resolve/main/split_files/{folder}/{name}")


_TEXT = "comfyanonymous/flux_text_encoders/resolve/main"
CLIP_L = _file("text_encoders", f"{_TEXT}/clip_l.safetensors")
T5 = _file("text_encoders", f"{_TEXT}/t5xxl_fp16.safetensors")
T5_FP8 = _file("text_encoders", f"{_TEXT}/t5xxl_fp8_e4m3fn_scaled.safetensors")
UMT5 = _split("text_encoders", "Wan_2.1_ComfyUI_repackaged", "umt5_xxl_fp8_e4m3fn_scaled.safetensors")
QWEN_TEXT = _split("text_encoders", "Qwen-Image_ComfyUI", "qwen_2.5_vl_7b_fp8_scaled.safetensors")
QWEN3 = _split("text_encoders", "z_image_turbo", "qwen_3_4b.safetensors")
MISTRAL = _split("text_encoders", "flux2-dev", "mistral_3_small_flux2_fp8.safetensors")
GLYPHS = _split("text_encoders", "HunyuanVideo_1.5_repackaged", "byt5_small_glyphxl_fp16.safetensors")
GEMMA = _split("text_encoders", "ltx-2", "gemma_3_12B_it_fp4_mixed.safetensors")

FLUX_VAE = _split("vae", "Lumina_Image_2.0_Repackaged", "ae.safetensors")
FLUX2_VAE = _split("vae", "flux2-dev", "flux2-vae.safetensors")
QWEN_VAE = _split("vae", "Qwen-Image_ComfyUI", "qwen_image_vae.safetensors")
WAN_VAE = _split("vae", "Wan_2.1_ComfyUI_repackaged", "wan_2.1_vae.safetensors")
HUNYUAN_VAE = _split("vae", "HunyuanVideo_1.5_repackaged", "hunyuanvideo15_vae_fp16.safetensors")

FLUX = _file("diffusion_models", "Comfy-Org/flux1-dev/resolve/main/flux1-dev.safetensors")
KONTEXT = _split("diffusion_models", "flux1-kontext-dev_ComfyUI", "flux1-dev-kontext_fp8_scaled.safetensors")
FLUX2 = _split("diffusion_models", "flux2-dev", "flux2_dev_fp8mixed.safetensors")
QWEN = _split("diffusion_models", "Qwen-Image_ComfyUI", "qwen_image_fp8_e4m3fn.safetensors")
QWEN_EDIT = _split("diffusion_models", "Qwen-Image-Edit_ComfyUI", "qwen_image_edit_2511_fp8mixed.safetensors")
Z_IMAGE = _split("diffusion_models", "z_image", "z_image_bf16.safetensors")
CHROMA = _split("diffusion_models", "Chroma1-HD_repackaged", "Chroma1-HD-fp8mixed.safetensors")
WAN = _split("diffusion_models", "Wan_2.1_ComfyUI_repackaged", "wan2.1_t2v_1.3B_fp16.safetensors")
WAN_VACE = _split("diffusion_models", "Wan_2.1_ComfyUI_repackaged", "wan2.1_vace_14B_fp16.safetensors")
_WAN22 = "Wan_2.2_ComfyUI_Repackaged"
WAN22_HIGH = _split("diffusion_models", _WAN22, "wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors")
WAN22_LOW = _split("diffusion_models", _WAN22, "wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors")
HUNYUAN = _split("diffusion_models", "HunyuanVideo_1.5_repackaged", "hunyuanvideo1.5_720p_t2v_fp16.safetensors")

SDXL = _file("checkpoints", "stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors")
LTX2 = _file("checkpoints", "Lightricks/LTX-2/resolve/main/ltx-2-19b-dev-fp8.safetensors")

QWEN_LIGHTNING = _file(
    "loras",
    "lightx2v/Qwen-Image-Edit-2511-Lightning/resolve/main/Qwen-Image-Edit-2511-Lightning-4steps-V1.0-bf16.safetensors",
)
ANY_LORA = File("flux_style_lora.safetensors", "loras")
ANY_CONTROLNET = File("flux_canny_controlnet.safetensors", "controlnet")
