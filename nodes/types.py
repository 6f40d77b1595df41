"""What Jano nodes have in common: category, search words, custom types."""

from __future__ import annotations

from comfy_api.latest import io

from ..jano.config import REFERENCES
from ..jano.presets import PRESETS, told

CATEGORY = "model/patch/jano"
NAME_ALIASES = ["jano", "token freezing"]
SEARCH_ALIASES = [
    *NAME_ALIASES,
    "teacache",
    "easycache",
    "magcache",
    "speed",
    "speedup",
    "speed up",
    "faster",
    "accelerate",
    "optimize",
    "skip steps",
    "step caching",
    "wavespeed",
    "first block cache",
    "cachedit",
    "taylorseer",
    "spectrum",
    "turbo",
    "kv cache",
]
EXPECTATION = (
    "Closeness to the full picture against computing, means on our small Flux (64 prompts, 28 euler steps): "
    f"{'; '.join(map(told, PRESETS))}. From 35 dB on a difference is hard to see, from 28 on small details move, "
    "below 22 the composition changes. Your model and number of steps differ."
)

LevelMapType = io.Custom("JANO_LEVEL_MAP")


def references_input() -> io.Input:
    """When the pictures that an edit starts from are computed; on every node that accelerates."""
    return io.Combo.Input(
        "references",
        options=list(REFERENCES),
        default=REFERENCES[0],
        optional=True,  # workflows of 0.1.0 do not have it
        tooltip="For edits (Kontext, Flux.2, Qwen-Image-Edit and others), also of 2 to 8 steps: when the reference "
        "pictures are computed. auto: as often as they drift. every step: as without Jano. once: fastest, less close. "
        "isolated: once, for checkpoints whose references see only themselves (FLUX.2 klein KV).",
    )


def own_id(node: type[io.ComfyNode]) -> str | None:
    """The id of the node that is executed; None outside of a prompt, as in scripts that call it."""
    return node.hidden and node.hidden.unique_id
