"""Any other model that the host samples: whole steps can be forecast without knowing its blocks."""

from __future__ import annotations

from torch import nn

from ..grid import THW

NAME = "other models"
# Latent cells per region of the map.
REGION = (1, 8, 8)


def patch(model: nn.Module) -> THW:
    """Latent cells per token (frames, height, width), as most transformers say it; one cell where they do not."""
    size = getattr(model, "patch_size", 1)
    if isinstance(size, int):
        return (1, size, size)
    whole = isinstance(size, (tuple, list)) and all(isinstance(cells, int) for cells in size)
    return (1, 1, *size)[-3:] if whole and 1 <= len(size) <= 3 else (1, 1, 1)
