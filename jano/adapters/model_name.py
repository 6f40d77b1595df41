"""What users call a model: the name under which its family is known, else that of its class."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher

# By the host's class of the model's settings (comfy.supported_models), or of the model (comfy.model_base), the most
# special one first. Wan 2.2's two experts of 14B are the same class as Wan 2.1.
NAMES = {
    "SD15": "Stable Diffusion 1.5",
    "SD20": "Stable Diffusion 2",
    "SDXL": "SDXL",
    "SDXLRefiner": "SDXL Refiner",
    "SVD_img2vid": "Stable Video Diffusion",
    "Stable_Cascade_C": "Stable Cascade",
    "SD3": "Stable Diffusion 3",
    "AuraFlow": "AuraFlow",
    "LotusD": "Lotus",
    "PixArtAlpha": "PixArt",
    "HunyuanDiT": "HunyuanDiT",
    "Flux": "Flux",
    "Flux2": "Flux.2",
    "GenmoMochi": "Mochi",
    "LTXV": "LTX-Video",
    "LTXAV": "LTX-2",
    "HunyuanVideo": "HunyuanVideo",
    "HunyuanVideo15": "HunyuanVideo 1.5",
    "HunyuanVideo15_SR_Distilled": "HunyuanVideo 1.5",
    "HunyuanImage21": "HunyuanImage 2.1",
    "HunyuanImage21Refiner": "HunyuanImage 2.1",
    "CosmosT2V": "Cosmos",
    "CosmosVideo": "Cosmos",
    "CosmosT2IPredict2": "Cosmos Predict2",
    "CosmosPredict2": "Cosmos Predict2",
    "Anima": "Anima",
    "Lumina2": "Lumina 2",
    "ZImage": "Z-Image",
    "WAN21_T2V": "Wan",
    "WAN21": "Wan",
    "WAN22": "Wan 2.2",
    "WAN22_T2V": "Wan 2.2",
    "HiDream": "HiDream",
    "HiDreamO1": "HiDream-O1",
    "Chroma": "Chroma",
    "ChromaRadiance": "Chroma Radiance",
    "Omnigen2": "OmniGen 2",
    "Boogu": "Boogu",
    "Krea2": "Krea 2",
    "MageFlow": "Mage-Flow",
    "QwenImage": "Qwen-Image",
    "JoyImage": "JoyImage",
    "Kandinsky5": "Kandinsky 5",
    "Kandinsky5Image": "Kandinsky 5",
    "LongCatImage": "LongCat-Image",
    "ErnieImage": "ERNIE-Image",
    "CogVideoX": "CogVideoX",
    "CogVideoX_T2V": "CogVideoX",
}


def model_named(model: ModelPatcher) -> str:
    """The name of a model's family, by the classes that it is made of and derived from."""
    made = model.model
    kinds = (kind for part in (getattr(made, "model_config", None), made) for kind in type(part).__mro__)
    known = (NAMES[kind.__name__] for kind in kinds if kind.__name__ in NAMES)
    return next(known, type(made.diffusion_model).__name__)
