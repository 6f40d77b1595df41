"""The models whose references can be left out of a call: their picture's tokens are the same without them, but for
what they see in attention. Then the host's own code computes the call, and only attention is told of the references.

Not among them: models that count their own positions on from the references' (Lumina 2 and Z-Image omni, OmniGen 2,
Boogu, Wan Fun and SCAIL with a reference frame in front), HiDream-O1, whose host keeps what can be kept exactly, and
Qwen-Image 2.1, for which newer hosts do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod

import comfy.ldm.flux.model
import comfy.ldm.joyimage.model
import comfy.ldm.krea2.model
import comfy.ldm.mage_flow.model
import comfy.ldm.qwen_image.model
import comfy.ldm.wan.model
from torch import Tensor, nn

from ...sentences import say
from ..latents import patch

KEPT_BY_THE_HOST = ("HiDreamO1", "QwenImage21")
"""How the classes begin of which ComfyUI itself keeps all that never changes (Qwen-Image 2.1: of hosts after 0.30)."""
AT_TIME_ZERO = "index_timestep_zero"


@dataclass(frozen=True)
class Family:
    """Models of these exact classes. Their references are the latents of a call's argument `argument`, behind the
    picture's tokens; the text is in front of both, or behind. Some need a method to look at them at all, and some have
    one in which references are at time zero. Where a model's are `sized`,
    blocks share out what they know of frames over the tokens, which comes out the same without a reference only if that
    is as large as a frame. `width` and `blocks` name the network's attributes.
    A block calls the host's attention once, over all its tokens; Wan's then over the text, a picture and sound."""

    models: tuple[type[nn.Module], ...]
    blocks: tuple[str, ...]
    width: str
    argument: str = "ref_latents"
    text_behind: bool = False
    needs_method: bool = False
    has_time_zero: bool = False
    sized: bool = False


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
        text_behind=True,
    ),
    Family((comfy.ldm.wan.model.WanModel,), ("blocks",), "dim", argument="context_latents"),
    Family(
        (comfy.ldm.wan.model.HumoWanModel, comfy.ldm.wan.model.WanModel_S2V),
        ("blocks",),
        "dim",
        argument="reference_latent",
        sized=True,
    ),
)


def family_of(network: nn.Module) -> Family | None:
    """By exact class: a subclass may place its references in another way."""
    return next((family for family in FAMILIES if type(network) in family.models), None)


def is_kept_by_the_host(network: nn.Module) -> bool:
    """Whether the host has a cache of its own in this model, which stands down where another pack meddles."""
    return type(network).__name__.startswith(KEPT_BY_THE_HOST) or hasattr(network, "prefix_cache")


def num_tokens(network: nn.Module, latents: Sequence[Tensor]) -> int:
    """Tokens of these references (batch, channels, [frames,] height, width), each padded to whole ones."""
    cells = patch(network)
    return sum(prod(map(_tokens, (1, *latent.shape[2:])[-3:], cells)) for latent in latents)


def _tokens(cells: int, a_token: int) -> int:
    return ceil(cells / a_token)


def method_of(network: nn.Module, conds: Mapping[str, object]) -> str | None:
    """How a call places its references: "offset", "index", "index_timestep_zero" and others."""
    default = getattr(getattr(network, "params", network), "default_ref_method", None)
    return conds.get("ref_latents_method", default)


def latents_in(network: nn.Module, conds: Mapping[str, object]) -> Sequence[Tensor]:
    """The references among the arguments of a call; none where the model would not look at them."""
    family = family_of(network)
    if family is None or (family.needs_method and method_of(network, conds) is None):
        return ()
    found = conds.get(family.argument)
    return (found,) if isinstance(found, Tensor) else found or ()


def unlike_without(network: nn.Module, x: Tensor, conds: Mapping[str, object]) -> str:
    """Why this call would not be the same without its references; empty if it would."""
    if not family_of(network).sized:
        return ""
    if conds.get("reference_motion") is not None:
        return say("frames_of_an_earlier_clip")
    same = all(latent.shape[-2:] == x.shape[-2:] for latent in latents_in(network, conds))
    return "" if same else say("references_of_another_size")


def can_isolate(network: nn.Module) -> bool:
    """Whether references can be at time zero, without which they change with the step however alone they are."""
    family = family_of(network)
    of_blocks = getattr(network, "params", None) and not network.params.global_modulation  # Flux.1 raises there
    return family is not None and family.has_time_zero and not of_blocks


def with_all(conds: Mapping[str, object], isolated: bool) -> dict[str, object]:
    """The arguments of a call that computes the references, at time zero where they are `isolated`."""
    return {**conds, "ref_latents_method": AT_TIME_ZERO} if isolated else dict(conds)


def without(network: nn.Module, conds: Mapping[str, object]) -> dict[str, object]:
    """The arguments of the same call without references."""
    argument = family_of(network).argument
    return {name: value for name, value in conds.items() if name != argument}


def num_attentions(network: nn.Module, conds: Mapping[str, object]) -> int:
    """How often a block calls the host's attention."""
    cross = (
        getattr(network.blocks[0], "cross_attn", None) if isinstance(network, comfy.ldm.wan.model.WanModel) else None
    )
    if cross is None:
        return 1
    hears = hasattr(network.blocks[0], "audio_cross_attn_wrapper") and conds.get("audio_embed") is not None
    return 2 + hasattr(cross, "k_img") + hears


def supported() -> str:
    return ", ".join(model.__name__ for family in FAMILIES for model in family.models)
