"""The models whose references can be left out of a call: their picture's tokens are the same without them, but for
what they see in attention. Then the host's own code computes the call, and only attention is told of the references.
Where a model counts its picture's positions on from the references', those are told again.

Not among them: Qwen-Image 2.1, of which newer hosts keep what never changes. Of HiDream-O1 ComfyUI itself keeps the
text and what a vision model sees of the references; their patches are left.
"""

from __future__ import annotations

from dataclasses import dataclass

import comfy.ldm.boogu.model
import comfy.ldm.flux.model
import comfy.ldm.hidream_o1.model
import comfy.ldm.joyimage.model
import comfy.ldm.krea2.model
import comfy.ldm.lumina.model
import comfy.ldm.mage_flow.model
import comfy.ldm.omnigen.omnigen2
import comfy.ldm.qwen_image.model
import comfy.ldm.wan.model
from torch import nn

KEPT_BY_THE_HOST = ("QwenImage21",)
"""How the classes begin of which ComfyUI itself keeps all that never changes (of hosts after 0.30)."""
IN_FRONT, BEHIND, APART = "in front", "behind", "apart"


@dataclass(frozen=True)
class Family:
    """Models of these exact classes (that have an attribute `has`), whose references are the latents of a call's
    arguments: `front` before the picture's tokens, `behind` after them; their text is in front of all, behind all, or
    apart. `width` and `blocks` name the network's attributes; blocks that see references twice are named twice.

    A block that the host numbers calls its attention first over all its tokens; Wan's then over the text, a picture and
    sound. Of a network that numbers none, attentions are counted: those of the `refiners` come first, then of `alone`,
    which see the references only. `positions` is what the picture's are counted on in, where that is done from the
    references'. `framed` arguments hold something for every frame in front, too, `counted` ones for every token.

    Some need a method to look at references at all, and some have one in which those are at time zero. Where a model's
    are `sized`, blocks share out what they know of frames over the tokens, which comes out the same without a reference
    only if that is as large as a frame. Some look at the last one only.
    """

    models: tuple[type[nn.Module], ...]
    blocks: tuple[str, ...]
    width: str
    front: tuple[str, ...] = ()
    behind: tuple[str, ...] = ("ref_latents",)
    text: str = IN_FRONT
    has: str = ""
    refiners: tuple[str, ...] = ()
    alone: str = ""
    positions: str = ""
    framed: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    needs_method: bool = False
    has_time_zero: bool = False
    sized: bool = False
    only_last: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        return self.front + self.behind


REFINED = {"refiners": ("context_refiner", "noise_refiner"), "alone": "ref_image_refiner"}
IN_THE_MIDDLE = {"front": ("ref_latents",), "behind": (), "positions": "rope_embedder.rope_embedder", **REFINED}
OMNI = (comfy.ldm.lumina.model.NextDiT, comfy.ldm.lumina.model.NextDiTPixelSpace)
OF_WAN = {"blocks": ("blocks",), "width": "dim", "text": APART}
BESIDE_A_CLIP = ("time_dim_concat", "context_latents")
FAMILIES = (
    Family((comfy.ldm.flux.model.Flux,), ("double_blocks", "single_blocks"), "hidden_size", has_time_zero=True),
    Family(
        (comfy.ldm.qwen_image.model.QwenImageTransformer2DModel,),
        ("transformer_blocks",),
        "inner_dim",
        has_time_zero=True,
    ),
    Family((comfy.ldm.mage_flow.model.MageFlowTransformer2DModel,), ("transformer_blocks",), "inner_dim"),
    Family(
        (comfy.ldm.krea2.model.SingleStreamDiT,),
        ("blocks",),
        "first.out_features",
        needs_method=True,
        has_time_zero=True,
    ),
    Family(
        (comfy.ldm.joyimage.model.JoyImageTransformer3DModel,),
        ("double_blocks",),
        "proj_out.in_features",
        text=BEHIND,
    ),
    Family(
        (comfy.ldm.omnigen.omnigen2.OmniGen2Transformer2DModel,),
        ("layers",),
        "layers.0.attn.to_k.out_features",
        **IN_THE_MIDDLE,
    ),
    Family(
        (comfy.ldm.boogu.model.BooguTransformer2DModel,),
        ("double_stream_layers", "double_stream_layers", "single_stream_layers"),
        "single_stream_layers.0.attn.to_k.out_features",
        **IN_THE_MIDDLE,
    ),
    Family(
        (comfy.ldm.hidream_o1.model.HiDreamO1Transformer,),
        ("language_model.layers",),
        "language_model.layers.0.self_attn.k_proj.out_features",
        behind=("ref_patches",),
        counted=("position_ids", "vinput_mask", "token_types"),
    ),
    Family(OMNI, ("layers",), "dim", positions="rope_embedder"),
    Family(
        (comfy.ldm.wan.model.WanModel,),
        has="ref_conv",
        front=("reference_latent",),
        behind=BESIDE_A_CLIP,
        positions="rope_embedder",
        only_last=True,
        **OF_WAN,
    ),
    Family((comfy.ldm.wan.model.WanModel,), behind=BESIDE_A_CLIP, **OF_WAN),
    Family(
        (comfy.ldm.wan.model.HumoWanModel, comfy.ldm.wan.model.WanModel_S2V),
        behind=("reference_latent",),
        sized=True,
        only_last=True,
        **OF_WAN,
    ),
    Family(
        (comfy.ldm.wan.model.SCAILWanModel, comfy.ldm.wan.model.SCAIL2WanModel),
        front=("reference_latent",),
        behind=("pose_latents",),
        positions="rope_embedder",
        framed=("ref_mask_latents",),
        **OF_WAN,
    ),
)


def family_of(network: nn.Module) -> Family | None:
    """By exact class: a subclass may place its references in another way."""
    known = (family for family in FAMILIES if type(network) in family.models)
    return next((family for family in known if not family.has or getattr(network, family.has, None) is not None), None)


def is_kept_by_the_host(network: nn.Module) -> bool:
    """Whether the host has a cache of its own in this model, which stands down where another pack meddles."""
    return type(network).__name__.startswith(KEPT_BY_THE_HOST) or hasattr(network, "prefix_cache")


def can_isolate(network: nn.Module) -> bool:
    """Whether references can be at time zero, without which they change with the step however alone they are."""
    family = family_of(network)
    of_blocks = getattr(network, "params", None) and not network.params.global_modulation  # Flux.1 raises there
    return family is not None and family.has_time_zero and not of_blocks


def supported() -> str:
    return ", ".join(dict.fromkeys(model.__name__ for family in FAMILIES for model in family.models))
