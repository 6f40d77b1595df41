"""What Jano nodes have in common: category, search words, custom types."""

from __future__ import annotations

from comfy_api.latest import io

CATEGORY = "model/patch/jano"
SEARCH_ALIASES = ["teacache", "easycache", "magcache", "speedup", "faster", "kv cache", "token freezing", "jano"]

LevelMapType = io.Custom("JANO_LEVEL_MAP")
