"""Which VAE there is to learn from, and why others cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from . import ltx_teacher, wan_teacher
from .family import Family
from .layout import LTX_MARK, WAN_MARK
from .ltx_teacher import LTX
from .streaming import StreamedDecoder
from .wan_teacher import WAN

FAMILIES = (WAN, LTX)

OTHERS = (
    (WAN_MARK, "is a Flash-VAED decoder already"),
    (LTX_MARK, "is a Flash-VAED decoder already"),
    ("vocoder.", "is LTX-2's VAE for sound"),
    ("decoder.upsamples.0.upsamples.0.residual.2.weight", "is Wan 2.2's VAE"),
    ("decoder.up_blocks.0.res_blocks.0.conv1.conv.weight", "is LTX-Video's VAE of a later version than 0.9.0"),
    ("decoder.22.bias", "is a TAEHV or LightTAE decoder"),
    ("pixel_space_vae", "is no VAE at all, for models that paint pixels"),
)
"""A weight's name or its beginning, and what has such a one; the first that fits counts."""
ADVICE = (
    "only VAEs in the layout of Wan 2.1 or of LTX-Video 0.9.0 can be compressed: load that model's own VAE "
    "(wan_2.1_vae.safetensors, ltx-video-2b-v0.9.safetensors) with the stock node"
)


def teacher_from(state: Mapping[str, Tensor], config: Mapping | None = None) -> StreamedDecoder:
    """The decoder of a VAE, float32, frozen: by its weights, and for LTX-Video by the host's `config` of it.

    ValueError with a sentence for the user where it is none that can be compressed.
    """
    if all(mark in state for mark in wan_teacher.MARKS):
        family, make = WAN, partial(wan_teacher.wan_teacher, state)
    elif ltx_teacher.HOST_MARK in state or ltx_teacher.MARK in state:
        family, make = LTX, partial(ltx_teacher.ltx_teacher, state, config or {})
    else:
        raise ValueError(f"This VAE {what_else(state)}; {ADVICE}.")
    try:
        teacher = make()
    except (KeyError, ValueError) as error:
        why = f"lacks {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"This VAE resembles that of {family.name}, but {why}; {ADVICE}.") from error
    return teacher.eval().requires_grad_(False)


def what_else(state: Mapping[str, Tensor]) -> str:
    """The rest of a sentence about a VAE of another layout."""
    found = (told for mark, told in OTHERS if any(name.startswith(mark) for name in state))
    return next(found, "is for another model")


def family_of(model: StreamedDecoder) -> Family:
    """A teacher's or a student's."""
    return next(family for family in FAMILIES if isinstance(model, family.student))
