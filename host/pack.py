"""The pack as a package, for code outside ComfyUI's loader: tests, bench and demo.

Its folder cannot go on sys.path, where its `nodes` would hide ComfyUI's module of that name.
"""

from __future__ import annotations

import importlib
import sys
import types

from .location import ROOT

NAME = "comfyui_jano"


def import_pack(module: str) -> types.ModuleType:
    """Import a module of the pack by its dotted name inside it, such as "jano.levels"."""
    if NAME not in sys.modules:
        package = types.ModuleType(NAME)
        package.__path__ = [str(ROOT)]
        sys.modules[NAME] = package
    return importlib.import_module(f"{NAME}.{module}")
