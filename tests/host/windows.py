"""Long clips in context windows: what the host's own node makes of a MODEL."""

from __future__ import annotations

from comfy.context_windows import ContextFuseMethods, ContextSchedules
from comfy.model_patcher import ModelPatcher
from comfy_extras.nodes_context_windows import ContextWindowsManualNode

FRAMES = 2  # the dimension of a clip's latent that is cut


def windowed(
    model: ModelPatcher,
    length: int = 4,
    overlap: int = 1,
    schedule: str = ContextSchedules.STATIC_STANDARD,
    fuse: str = ContextFuseMethods.PYRAMID,
    freenoise: bool = False,
) -> ModelPatcher:
    """A clone that is asked in windows of this many latent frames."""
    return ContextWindowsManualNode.execute(
        model, length, overlap, schedule, 1, False, fuse, FRAMES, freenoise, split_conds_to_windows=True
    ).args[0]
