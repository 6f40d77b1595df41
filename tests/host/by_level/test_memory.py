"""The host is told how much memory the cache will take, before it decides how much of the model to load."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfyui_jano.jano.adapters.patch import analyze
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.by_level import kv_cache
from comfyui_jano.jano.config import AnalyzerConfig, ReferenceConfig
from comfyui_jano.jano.show.headline import summary
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.jano.storage import Packed
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from torch import Tensor

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


def kept_in(storage: str, budget: float = 0.0) -> dict[str, ReferenceConfig]:
    return {"references": ReferenceConfig(cache=storage, cache_budget_gb=budget)}


def result(model: ModelPatcher, storage: str, budget: float = 0.0, **run: object) -> tuple[Tensor, RunReport, str]:
    """Samples, report, and where keys and values were kept at last."""
    scheduled, found = with_scheduler(model, "custom", **kept_in(storage, budget)), []

    def look(executor: Callable, *args: object, **kwargs: object) -> Tensor:
        found.append(args[5]["jano"].run.engine.cache.storage)
        return executor(*args, **kwargs)

    scheduled.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "look", look)
    samples = sample(scheduled, size=CLIP, cfg=3.0, **run)
    return samples, report_of(scheduled, samples), found[-1]


@pytest.mark.parametrize(("storage", "budget", "where"), [("cpu", 0.0, "cpu"), ("auto", 1e-9, "cpu")])
def test_main_memory_gives_the_same_picture(wan: ModelPatcher, storage: str, budget: float, where: str) -> None:
    samples, report, used = result(wan, storage, budget)
    assert report.verdict == "accelerated"
    assert used == where
    assert torch.equal(samples, result(wan, "device")[0])


def test_eight_bits_come_close_and_take_less(wan: ModelPatcher) -> None:
    samples, report, used = result(wan, "fp8")
    exact, full, _ = result(wan, "auto")
    assert used == "fp8"
    assert report.verdict == full.verdict == "accelerated"
    difference = (samples - exact).square().mean().sqrt() / exact.square().mean().sqrt()
    assert 0 < difference < 0.05
    assert report.cache_bytes_peak < full.cache_bytes_peak / 2  # of 32


@pytest.mark.parametrize("full", [("device",), ("device", "fp8")])
def test_where_memory_runs_out_the_next_storage_keeps_them(
    wan: ModelPatcher, monkeypatch: pytest.MonkeyPatch, full: tuple[str, ...]
) -> None:
    without_room(monkeypatch, *full)
    samples, report, used = result(wan, "auto")
    assert used == ("device", "fp8", "cpu")[len(full)]
    assert report.verdict == "accelerated"
    assert torch.isfinite(samples).all()


def test_without_any_memory_all_is_computed(wan: ModelPatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    without_room(monkeypatch, "device", "fp8", "cpu")
    samples, report, _ = result(wan, "auto")
    assert torch.equal(samples, sample(wan, size=CLIP, cfg=3.0))
    assert "not enough memory to keep the keys and values of all tokens" in summary(report)


def without_room(monkeypatch: pytest.MonkeyPatch, *storages: str) -> None:
    packed = kv_cache.packed

    def pack(x: Tensor, kind: str, dim: int) -> Packed:
        if kind in storages:
            raise torch.cuda.OutOfMemoryError("no room")
        return packed(x, kind, dim)

    monkeypatch.setattr(kv_cache, "packed", pack)


@pytest.mark.parametrize("storage", ["device", "fp8"])
@pytest.mark.parametrize(("cfg", "batch"), [(1.0, 1), (3.0, 1), (3.0, 2)])
def test_the_estimate_grows_by_the_cache(wan: ModelPatcher, cfg: float, batch: int, storage: str) -> None:
    plain, _ = estimates(wan, cfg=cfg, batch=batch)
    accelerated, cache = estimates(with_scheduler(wan, "custom", **kept_in(storage)), cfg=cfg, batch=batch)
    assert cache > 0
    assert accelerated - plain >= cache


def test_the_analyzer_alone_needs_no_memory(wan: ModelPatcher) -> None:
    assert estimates(analyze(wan, AnalyzerConfig())) == estimates(wan)
