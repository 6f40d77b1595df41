"""A model split over several devices by the host's MultiGPU CFG split, as far as that goes with one processor.

The host tells devices apart by what they are called: "cpu" and "cpu:0" have a copy of the model and a thread each.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from comfy.model_patcher import ModelPatcher

SECOND = torch.device("cpu", 0)


def loaded(make: Callable[[], ModelPatcher]) -> ModelPatcher:
    """As a loader leaves a model: the host makes the second one by loading it again."""
    model = make()
    model.cached_patcher_init = (make, ())
    return model


def split(make: Callable[[], ModelPatcher]) -> ModelPatcher:
    """What the node MultiGPU CFG Split does where there are two devices."""
    model = loaded(make)
    second = model.deepclone_multigpu(new_load_device=SECOND)
    second.is_multigpu_base_clone = True
    model.set_additional_models("multigpu", [second])
    model.match_multigpu_clones()
    return model
