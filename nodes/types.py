"""What Jano nodes have in common: category, search words, custom types."""

from __future__ import annotations

from comfy_api.latest import io

CATEGORY = "model/patch/jano"
NAME_ALIASES = ["jano", "token freezing"]
SEARCH_ALIASES = [
    *NAME_ALIASES,
    "teacache",
    "easycache",
    "magcache",
    "speedup",
    "speed up",
    "faster",
    "accelerate",
    "kv cache",
]

LevelMapType = io.Custom("JANO_LEVEL_MAP")


def own_id(node: type[io.ComfyNode]) -> str | None:
    """The id of the node that is executed; None outside of a prompt, as in scripts that call it."""
    return node.hidden and node.hidden.unique_id
