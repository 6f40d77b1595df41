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
