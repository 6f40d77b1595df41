"""Optional weights that a user may have put into ComfyUI's models folder; nothing is ever downloaded."""

from __future__ import annotations

from pathlib import Path

import comfy.utils
from torch import Tensor

from ..lpips import FILE, require_weights


def lpips_weights(models: Path) -> dict[str, Tensor] | None:
    """LPIPS' weights below the models folder, None where there are none. ValueError for a file that lacks some."""
    path = models / FILE
    if not path.is_file():
        return None
    weights = {name: value.float() for name, value in comfy.utils.load_torch_file(str(path), safe_load=True).items()}
    require_weights(weights)
    return weights
