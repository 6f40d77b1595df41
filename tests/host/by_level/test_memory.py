"""The host is told how much memory the cache will take, before it decides how much of the model to load."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfyui_jano.jano.adapters.patch import analyze
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.config import AnalyzerConfig
from comfyui_jano.tests.host.tiny import sample, with_scheduler

CLIP = (3, 9, 8)


def estimates(model: ModelPatcher, **run: object) -> tuple[float, int]:
    """The host's estimate in bytes for a run on this model, and the largest cache of the run."""
    model, shapes = model.clone(), []

    def look(executor: Callable, patcher: ModelPatcher, noise_shape: tuple, *args: object, **kwargs: object) -> object:
        shapes.append(list(noise_shape))
        return executor(patcher, noise_shape, *args, **kwargs)

    model.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, "look", look)
    report = report_of(model, sample(model, size=CLIP, **run))
    return model.model.memory_required(shapes[0]), report.cache_bytes_peak


@pytest.mark.parametrize(("cfg", "batch"), [(1.0, 1), (3.0, 1), (3.0, 2)])
def test_the_estimate_grows_by_the_cache(wan: ModelPatcher, cfg: float, batch: int) -> None:
    plain, _ = estimates(wan, cfg=cfg, batch=batch)
    accelerated, cache = estimates(with_scheduler(wan, "custom"), cfg=cfg, batch=batch)
    assert cache > 0
    assert accelerated - plain >= cache


def test_the_analyzer_alone_needs_no_memory(wan: ModelPatcher) -> None:
    assert estimates(analyze(wan, AnalyzerConfig())) == estimates(wan)
