"""After a run, however it ended, no tensor of it can be reached and no hook is left on the model."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import comfy.model_management
import pytest
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfyui_jano.jano.adapters.settings import JanoSettings, report_of
from comfyui_jano.tests.host.conftest import hooked_blocks
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from torch import Tensor

OVERRIDE = "optimized_attention_override"


class Watch:
    """Another pack's APPLY_MODEL wrapper: weak references to the runs it saw, their caches, keys and values."""

    def __init__(self) -> None:
        self.seen: set[weakref.ref] = set()

    def __call__(self, executor: Callable, x: Tensor, *args: object, **kwargs: object) -> Tensor:
        output = executor(x, *args, **kwargs)
        run = args[4]["jano"].run
        cached = [tensor for slot in run.engine.cache._slots.values() for tensor in (slot.keys, slot.values)]
        self.seen.update(map(weakref.ref, [run, run.engine.cache, *cached]))
        return output

    def alive(self) -> list:
        gc.collect()
        return [type(ref()) for ref in self.seen if ref() is not None]


@pytest.fixture
def watched(flux: ModelPatcher) -> tuple[ModelPatcher, Watch]:
    model, watch = with_scheduler(flux, "custom"), Watch()
    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "watch", watch)
    return model, watch


def test_after_a_complete_run(watched: tuple) -> None:
    model, watch = watched
    report = report_of(model, sample(model, cfg=3.0))
    assert len(watch.seen) > 5
    assert watch.alive() == []
    assert report.level_map.levels.device.type == "cpu"


def test_after_an_interruption(watched: tuple) -> None:
    model, watch = watched

    def interrupt(step: int, *_: object) -> None:
        if step == 6:
            comfy.model_management.interrupt_current_processing()

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sample(model, callback=interrupt)
    assert len(watch.seen) > 5
    assert watch.alive() == []


@pytest.mark.parametrize("call", [9, 20], ids=["in a store step", "in a partial step"])
def test_after_an_error_in_the_middle_of_a_block(watched: tuple, call: int) -> None:
    model, watch = watched
    attention = FailingAttention(model.model.diffusion_model, call)
    model.model_options["transformer_options"][OVERRIDE] = attention
    with pytest.raises(RuntimeError, match="out of memory"):
        sample(model)
    assert attention.hooked  # it did happen inside a tapped block
    assert hooked_blocks(model) == []
    assert watch.seen
    assert watch.alive() == []


class FailingAttention:
    """An attention backend that fails at one call; three calls make a step."""

    def __init__(self, network: object, call: int) -> None:
        self.network, self.left, self.hooked = network, call, False

    def __call__(self, func: Callable, *args: object, **kwargs: object) -> Tensor:
        self.left -= 1
        if self.left < 0:
            self.hooked = bool(self.network.single_blocks[0]._forward_hooks)
            raise RuntimeError("out of memory")
        return func(*args, **kwargs)


def test_the_model_carries_settings_again(watched: tuple) -> None:
    model, _ = watched
    sample(model)
    assert isinstance(model.model_options["transformer_options"]["jano"], JanoSettings)
