"""The host's CLIP with its own tokenizer, one layer and random weights: prompts become as wide as tiny models read."""

from __future__ import annotations

from typing import Any

import comfy.sd
from comfy.sd1_clip import SD1ClipModel, SD1Tokenizer, SDClipModel
from comfyui_jano.tests.host import tiny

WIDTH = tiny.CONTEXT
CONFIG = {
    "num_hidden_layers": 1,
    "hidden_size": WIDTH,
    "num_attention_heads": 1,
    "intermediate_size": WIDTH,
    "hidden_act": "quick_gelu",
    "max_position_embeddings": 77,
    "eos_token_id": 49407,
    "vocab_size": 49408,
}


class TinyEncoder(SDClipModel):
    def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: Any = None) -> None:
        super().__init__(device=device, dtype=dtype, textmodel_json_config=CONFIG, model_options=model_options or {})


class TinyClip(SD1ClipModel):
    def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: Any = None) -> None:
        super().__init__(device=device, dtype=dtype, model_options=model_options or {}, clip_model=TinyEncoder)


class Target:
    """What comfy.sd.CLIP is made from."""

    params: dict = {}
    clip = TinyClip
    tokenizer = SD1Tokenizer


def tiny_clip() -> comfy.sd.CLIP:
    clip = comfy.sd.CLIP(Target, parameters=1)
    tiny.randomise(clip.cond_stage_model)
    return clip
