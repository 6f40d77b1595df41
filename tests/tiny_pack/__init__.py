"""Nodes that give tiny models with random weights, of the host's own classes, in place of loaders of large files."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension

ROOT = Path(__file__).resolve().parents[2]


async def comfy_entrypoint() -> ComfyExtension:
    """The nodes."""
    package = types.ModuleType("comfyui_jano")  # as the tests' own process has it (conftest.py)
    package.__path__ = [str(ROOT)]
    sys.modules.setdefault("comfyui_jano", package)

    from comfy_api.latest import ComfyExtension

    from .nodes import TinyCheckpoint, TinyEditText, TinyModel, TinySilence, TinySound, TinyText, TinyVAE

    class TinyExtension(ComfyExtension):
        async def get_node_list(self) -> list[type]:
            return [TinyModel, TinyText, TinyCheckpoint, TinyEditText, TinySilence, TinySound, TinyVAE]

    return TinyExtension()
