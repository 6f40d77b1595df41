"""Optional weights that a user may have put into ComfyUI's models folder; nothing is ever downloaded."""

from __future__ import annotations

from pathlib import Path

import comfy.utils

from ..sentences import say
from ..show.lpips import FILE, Weights, complaint


def lpips_weights(models: Path) -> tuple[Weights | None, str]:
    """LPIPS' weights below the models folder; None where there are none. Why they cannot be used is a sentence."""
    path = models / FILE
    if not path.is_file():
        return None, ""
    try:
        read = comfy.utils.load_torch_file(str(path), safe_load=True)
        weights = {name: value.float() for name, value in read.items()}
    except Exception as error:  # whatever a file may hold: the rest of the comparison does not need it
        return None, say("unreadable_lpips", file=FILE, error=type(error).__name__)
    wrong = complaint(weights)
    return (None, say("unusable_lpips", complaint=wrong)) if wrong else (weights, "")
