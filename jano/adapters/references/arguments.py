"""The references among the arguments of a call: how many tokens they are, and what the call is without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, prod
from operator import attrgetter

import comfy.ldm.wan.model
import torch
from comfy.ldm.hidream_o1.utils import PATCH_SIZE, ref_max_size, resize_tensor
from torch import Tensor, nn

from ...sentences import say
from ..latents import patch
from . import omni
from .families import APART, BEHIND, OMNI, family_of
from .layout import Counted, Numbered, Places

AT_TIME_ZERO = "index_timestep_zero"
IN_A_CONDITIONING = {
    "ref_latents": "reference_latents",
    "reference_latent": "reference_latents",
    "pose_latents": "pose_video_latent",
    "ref_latents_method": "reference_latents_method",
}
"""What arguments of a call are called in a conditioning, where that is something else."""
INSIDE = ("noise_refiner", "double_block")
"""Patches that the host's omni models tell of the captions and of the latents, the references' among them."""
Arguments = Mapping[str, object]


def arguments_of(network: nn.Module, told: Arguments, cells: Sequence[int]) -> dict[str, object]:
    """What a conditioning tells of references, by the names that a call has for it; `cells` is the latent's shape."""
    family = family_of(network)
    found = {name: told.get(IN_A_CONDITIONING.get(name, name)) for name in (*family.arguments, "ref_latents_method")}
    if family.only_last:
        found = {name: value[-1:] if isinstance(value, list) else value for name, value in found.items()}
    if type(network) in OMNI:
        found |= omni.of_a_conditioning(told)
    if "ref_patches" in family.arguments:
        found["ref_patches"] = _patches(told.get("reference_latents"), cells)
    return {name: value for name, value in found.items() if value is not None}


def _patches(pictures: Sequence[Tensor] | None, cells: Sequence[int]) -> list[Tensor] | None:
    """Pictures (batch, height, width, 3) in the sizes to which HiDream-O1's host brings them for a latent of these
    cells, without values."""
    side = ref_max_size(max(cells[-2:]), len(pictures or ()))
    bare = (torch.empty(1, 3, *picture.shape[1:3], device="meta") for picture in pictures or ())
    return [resize_tensor(picture, side, PATCH_SIZE) for picture in bare] or None


def method_of(network: nn.Module, conds: Arguments) -> str | None:
    """How a call places its references: "offset", "index", "index_timestep_zero" and others."""
    default = getattr(getattr(network, "params", network), "default_ref_method", None)
    return conds.get("ref_latents_method", default)


def latents_in(network: nn.Module, conds: Arguments) -> Sequence[Tensor]:
    """The references among the arguments of a call; none where the model would not look at them."""
    family = family_of(network)
    if family is None or (family.needs_method and method_of(network, conds) is None):
        return ()
    return [latent for name in family.arguments for latent in _latents(conds.get(name))]


def _latents(found: object) -> Sequence[Tensor]:
    return (found,) if isinstance(found, Tensor) else found or ()


def num_tokens(network: nn.Module, latents: Sequence[Tensor]) -> int:
    """Tokens of these latents (batch, channels, [frames,] height, width), each padded to whole ones."""
    return sum(_tokens(network, latents))


def _tokens(network: nn.Module, latents: Sequence[Tensor]) -> list[int]:
    """Of each; where it comes in patches (batch, tokens, values) as many as those."""
    cells = patch(network)
    return [x.shape[1] if x.ndim == 3 else prod(map(_whole, (1, *x.shape[2:])[-3:], cells)) for x in latents]


def _whole(cells: int, a_token: int) -> int:
    return ceil(cells / a_token)


def num_references(network: nn.Module, conds: Arguments) -> int:
    """Tokens that a call with these arguments can leave out."""
    if type(network) in OMNI:
        return _pieces(network, conds).left_out
    return num_tokens(network, latents_in(network, conds))


def kept(network: nn.Module, conds: Arguments) -> Sequence[tuple[int, int]]:
    """Of how many attentions the keys and values of how many tokens are kept."""
    if type(network) in OMNI:
        return _pieces(network, conds).kept(network)
    return ((num_blocks(network), num_references(network, conds)),)


def num_blocks(network: nn.Module) -> int:
    return sum(len(attrgetter(name)(network)) for name in family_of(network).blocks)


def attentions(network: nn.Module, x: Tensor, conds: Arguments, stores: bool) -> Numbered | Counted:
    """Those of a call for a picture like x that computes its references and `stores`, or leaves them out."""
    family = family_of(network)
    if type(network) in OMNI:
        return _pieces(network, conds, x).attentions(network, stores)
    if not family.refiners:
        return Numbered(_places(network, x, conds), _calls_of_a_block(network, conds))
    before = (*family.refiners, family.alone) if stores else family.refiners
    refining = sum(len(getattr(network, name)) for name in before)
    return Counted([(refining, None), (num_blocks(network), _places(network, x, conds))])


def positions(network: nn.Module, x: Tensor, conds: Arguments) -> Places:
    """The order in which the network counts a call's positions."""
    if type(network) in OMNI:
        return _pieces(network, conds, x).positions()
    return _places(network, x, conds)


def embedder(network: nn.Module) -> nn.Module | None:
    """What is told positions that are counted on from the references'; None where none are."""
    path = family_of(network).positions
    return attrgetter(path)(network) if path else None


def _pieces(network: nn.Module, conds: Arguments, x: Tensor | None = None) -> omni.Pieces:
    picture = 0 if x is None else num_tokens(network, [x])
    return omni.pieces(network, _tokens(network, latents_in(network, conds)), conds, picture)


def _places(network: nn.Module, x: Tensor, conds: Arguments) -> Places:
    family = family_of(network)
    front, behind = (
        num_tokens(network, [latent for name in names for latent in _latents(conds.get(name))])
        for names in (family.front, family.behind)
    )
    picture = num_tokens(network, [x])
    if family.text == BEHIND:
        return (0, front, picture, behind, None)
    return (0 if family.text == APART else None, front, picture, behind)


def _calls_of_a_block(network: nn.Module, conds: Arguments) -> int:
    """How often a block calls the host's attention."""
    is_wan = isinstance(network, comfy.ldm.wan.model.WanModel)
    cross = getattr(network.blocks[0], "cross_attn", None) if is_wan else None
    if cross is None:
        return 1
    hears = hasattr(network.blocks[0], "audio_cross_attn_wrapper") and conds.get("audio_embed") is not None
    return 2 + hasattr(cross, "k_img") + hears


def unlike_without(network: nn.Module, x: Tensor, conds: Arguments, options: Mapping[str, object]) -> str:
    """Why this call would not be the same without its references; empty if it would."""
    patches = options.get("patches", {})
    if type(network) in OMNI and any(patches.get(name) for name in INSIDE):
        return say("patches_see_references")
    if isinstance(network, comfy.ldm.wan.model.WanModel) and conds.get("denoise_mask") is not None:
        return say("times_of_frames")
    if not family_of(network).sized:
        return ""
    if conds.get("reference_motion") is not None:
        return say("frames_of_an_earlier_clip")
    same = all(latent.shape[-2:] == x.shape[-2:] for latent in latents_in(network, conds))
    return "" if same else say("references_of_another_size")


def with_all(conds: Arguments, isolated: bool) -> dict[str, object]:
    """The arguments of a call that computes the references, at time zero where they are `isolated`."""
    return {**conds, "ref_latents_method": AT_TIME_ZERO} if isolated else dict(conds)


def without(network: nn.Module, conds: Arguments) -> dict[str, object]:
    """The arguments of the same call without references."""
    family = family_of(network)
    gone = (*family.arguments, omni.CAPTIONS, omni.SEEN)
    left = {name: value for name, value in conds.items() if name not in gone}
    frames = sum(latent.shape[2] for name in family.front for latent in _latents(conds.get(name)) if latent.ndim > 4)
    left |= {name: left[name][:, :, frames:] for name in family.framed if name in left}
    tokens = num_references(network, conds) if family.counted else 0
    return left | {name: left[name][..., :-tokens] for name in family.counted if name in left}
