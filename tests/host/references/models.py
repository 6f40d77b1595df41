"""ComfyUI's own edit models with a few random weights, and references of several sizes for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import comfy.supported_models
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.tests.host import tiny, tiny_others
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
BOOGU = {
    "image_model": "boogu",
    "hidden_size": 96,
    "num_layers": 2,
    "num_double_stream_layers": 1,
    "num_refiner_layers": 1,
    "num_attention_heads": 2,
    "num_kv_heads": 1,
    "multiple_of": 32,
    "instruction_feat_dim": tiny.CONTEXT,
    "axes_dim_rope": (16, 16, 16),
}
OMNIGEN = {**tiny_others.OMNIGEN, "num_layers": 2, "num_attention_heads": 2, "axes_dim_rope": (16, 16, 16)}
VISION = 24
HIDREAM = {
    "image_model": "hidream_o1",
    "text_config_overrides": {
        "hidden_size": 128,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    },
    "vision_config_overrides": {"hidden_size": 32, "num_heads": 1, "intermediate_size": 32, "depth": 1},
}
Z_OMNI = {**tiny_others.Z_IMAGE, "n_layers": 2, "siglip_feat_dim": VISION}
FUN = {**tiny.WAN, "model_type": "i2v", "in_dim": 48, "in_dim_ref_conv": 16}
SCAIL = {**tiny.WAN, "model_type": "scail", "in_dim": 20}
SCAIL_2 = {**SCAIL, "model_type": "scail2", "mask_in_dim": 28}
PICTURE, CLIP, FRAMES = (17, 13), (1, 17, 13), (3, 8, 6)
Sizes = tuple[tuple[int, int], ...]
SEVERAL: Sizes = ((8, 6), (5, 9), (7, 7))
EVEN: Sizes = ((8, 6), (4, 10))
"""For models in which the host itself cannot do odd ones."""
AS_THE_CLIP: Sizes = (FRAMES[1:],)


def flux2() -> ModelPatcher:
    return tiny.flux2(guidance_embed=False)  # with it this host cannot add a guidance to two times


def of(kind: type, config: dict) -> Callable[..., ModelPatcher]:
    def make(dtype: torch.dtype = torch.float32) -> ModelPatcher:
        model = tiny.patcher(kind(dict(config)), dtype=dtype)
        for name, layer in model.model.diffusion_model.named_children():
            if name.startswith("patch_embedding"):
                layer.float()  # as Wan makes them, whatever the rest is
        return model

    return make


@dataclass
class Seen:
    """What a vision model gives for one picture, of 16 pixels a token."""

    last_hidden_state: Tensor
    image_sizes: list[tuple[int, int, int]]


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def references(model: ModelPatcher, cells: tuple[int, ...], *sizes: tuple[int, int], seed: int = 3) -> list[Tensor]:
    """Latents of these heights and widths, of one frame where the model's have frames."""
    generator = torch.Generator().manual_seed(seed)
    channels, frames = model.model.latent_format.latent_channels, (1,) * (len(cells) - 2)
    return [torch.randn(1, channels, *frames, *size, generator=generator) for size in sizes]


def all_read(latents: list[Tensor], seed: int, tokens: int) -> dict[str, object]:
    return {"reference_latents": latents, "attention_mask": torch.ones(1, tokens, dtype=torch.long)}


def captioned(latents: list[Tensor], seed: int, tokens: int) -> dict[str, object]:
    """A caption for each reference, and one behind a single one: the host cannot do that in a batch."""
    several = len(latents) + (len(latents) == 1)
    captions = [noise(seed + number, 1, 3 + number, tiny.CONTEXT) for number in range(several)]
    return {"reference_latents": latents, "reference_latents_text_embeds": captions}


def seen(latents: list[Tensor], seed: int, tokens: int) -> dict[str, object]:
    """The same, and as a vision model sees the first of them: of the others the host has pads."""
    outputs = [Seen(noise(seed, 1, 6, VISION), [(3, 32, 48)])]
    return {**captioned(latents, seed, tokens), "clip_vision_outputs": outputs}


def uncaptioned(latents: list[Tensor], seed: int, tokens: int) -> dict[str, object]:
    return {"reference_latents": latents}


def pictures(latents: list[Tensor], seed: int, tokens: int) -> dict[str, object]:
    """As HiDreamO1ReferenceImages gives them, and a text in the host's own numbers, which ends with the time's."""
    first, last = (151644, 872, 198), 151673
    return {
        "reference_latents": [latent.movedim(1, -1).sigmoid() for latent in latents],
        "text_input_ids": torch.tensor([[*first, *range(seed, seed + tokens), last]]),
    }


def controlled(latents: list[Tensor], seed: int, tokens: int) -> dict[str, object]:
    return {"reference_latents": latents, "concat_latent_image": noise(seed + 9, 1, 32, *FRAMES)}


def subjects(latents: list[Tensor], seed: int, tokens: int) -> dict[str, object]:
    """As WanPhantomSubjectToVideo gives them: frames behind the clip's."""
    return {"time_dim_concat": torch.cat(latents, dim=2)}


def posed(latents: list[Tensor], seed: int, tokens: int) -> dict[str, object]:
    return {"reference_latents": latents, "pose_video_latent": noise(seed + 5, 1, 16, 3, 4, 3)}


def masked(replaces: bool) -> Callable[[list[Tensor], int, int], dict[str, object]]:
    """As the host's SCAIL-2 node: masks for all references and the clip, and for the pose."""

    def told(latents: list[Tensor], seed: int, tokens: int) -> dict[str, object]:
        frames = len(latents) + FRAMES[0]
        return {
            **posed(latents, seed, tokens),
            "ref_mask_28ch": noise(seed + 6, 1, frames, 28, *FRAMES[1:]),
            "driving_mask_28ch": noise(seed + 7, 1, 3, 28, 4, 3),
            "ref_mask_flag": not replaces,
        }

    return told


@dataclass(frozen=True)
class Made:
    """A model, the cells of a latent for it, and what a conditioning holds of references of these sizes: `several` or
    `few`; by their name, or by what the host's node for them says."""

    make: Callable[..., ModelPatcher]
    cells: tuple[int, ...]
    told: str | Callable[[list[Tensor], int, int], dict[str, object]] = "reference_latents"
    several: Sizes = SEVERAL
    few: Sizes = ((6, 6),)

    def prompt(self, model: ModelPatcher, seed: int = 3, few: bool = False, **said: object) -> list:
        """One side of the guidance; with `few` references and a shorter text."""
        tokens = 5 if few else 8
        latents = references(model, self.cells, *(self.few if few else self.several), seed=seed)
        told = {self.told: latents} if isinstance(self.told, str) else self.told(latents, seed, tokens)
        return tiny.conditioning(seed, tokens, **told, **said)

    def sides(self, model: ModelPatcher) -> dict[str, list]:
        return {"positive": self.prompt(model, 1), "negative": self.prompt(model, 2)}


MODELS: dict[str, Made] = {
    "kontext": Made(tiny.flux, PICTURE),
    "flux.2": Made(flux2, PICTURE),
    "qwen": Made(tiny.qwen, CLIP),
    "mage": Made(of(comfy.supported_models.MageFlow, MAGE), PICTURE),
    "krea": Made(of(comfy.supported_models.Krea2, KREA), CLIP),
    "joy": Made(of(comfy.supported_models.JoyImage, JOY), CLIP),
    "bernini": Made(tiny.wan, (3, 9, 8), "context_latents"),
    "omnigen": Made(of(comfy.supported_models.Omnigen2, OMNIGEN), PICTURE, all_read),
    "boogu": Made(of(comfy.supported_models.Boogu, BOOGU), PICTURE, all_read),
    "hidream": Made(
        of(comfy.supported_models.HiDreamO1, HIDREAM), (96, 128), pictures, ((96, 128), (200, 64)), ((64, 64),)
    ),
    "z-image omni": Made(of(comfy.supported_models.ZImage, Z_OMNI), PICTURE, seen, EVEN),
    "z-image": Made(of(comfy.supported_models.ZImage, tiny_others.Z_IMAGE), PICTURE, uncaptioned, EVEN),
    "lumina": Made(of(comfy.supported_models.Lumina2, tiny_others.LUMINA), PICTURE, captioned, EVEN),
    "fun": Made(of(comfy.supported_models.WAN21_FunControl2V, FUN), FRAMES, controlled, AS_THE_CLIP, AS_THE_CLIP),
    "phantom": Made(tiny.wan, FRAMES, subjects, AS_THE_CLIP * 3, AS_THE_CLIP),
    "scail": Made(of(comfy.supported_models.WAN21_SCAIL, SCAIL), FRAMES, posed, AS_THE_CLIP * 2, AS_THE_CLIP),
    "scail 2": Made(
        of(comfy.supported_models.WAN21_SCAIL2, SCAIL_2), FRAMES, masked(False), AS_THE_CLIP * 2, AS_THE_CLIP
    ),
    "scail 2 replacing": Made(
        of(comfy.supported_models.WAN21_SCAIL2, SCAIL_2), FRAMES, masked(True), AS_THE_CLIP * 2, AS_THE_CLIP
    ),
}
