"""By level, where blocks or their attention are not as Jano knows them: computed natively, with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import comfy.ldm.flux.math
import comfy.ldm.wan.model
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.account import now
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.by_level.engine import NOTHING_FROZEN
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from torch import Tensor, nn

CLIP = (3, 9, 8)
TWO_HEADS = {"hidden_size": 256, "num_heads": 2}
Attention = Callable[..., Tensor]


def native_because(model: ModelPatcher, size: tuple[int, ...] = tiny.ODD, cfg: float = 3.0) -> str:
    """The one reason why a run by level gives the picture of no node."""
    by_level = with_scheduler(model, "custom")
    picture = sample(by_level, cfg=cfg, size=size)
    report = report_of(by_level, picture)
    assert report.verdict == "native"
    assert torch.equal(picture, sample(model, cfg=cfg, size=size))
    (reason,) = report.fallbacks
    return reason


# --- attention


def unseen(attend: Attention) -> Attention:
    """Another pack's attention, which knows nothing of the host's override."""

    def unseen_by_others(*args: object, transformer_options: object = None, **kwargs: object) -> Tensor:
        return attend(*args, **kwargs)

    return unseen_by_others


def sliced_queries(attend: Attention) -> Attention:
    def in_two(q: Tensor, k: Tensor, v: Tensor, heads: int, *args: object, **kwargs: object) -> Tensor:
        parts = [attend(part, k, v, heads, *args, **kwargs) for part in q.chunk(2, along(kwargs))]
        return torch.cat(parts, 1)

    return in_two


def sliced_heads(attend: Attention) -> Attention:
    def one_by_one(q: Tensor, k: Tensor, v: Tensor, heads: int, *args: object, **kwargs: object) -> Tensor:
        dim = 1 if kwargs.get("skip_reshape") else 2
        parts = zip(*(tensor.chunk(heads, dim) for tensor in (q, k, v)), strict=True)
        return torch.cat([attend(*part, 1, *args, **kwargs) for part in parts], -1)

    return one_by_one


def sliced_batch(attend: Attention) -> Attention:
    def one_by_one(q: Tensor, k: Tensor, v: Tensor, heads: int, *args: object, **kwargs: object) -> Tensor:
        rows = zip(*(tensor.split(1) for tensor in (q, k, v)), strict=True)
        return torch.cat([attend(*row, heads, *args, **kwargs) for row in rows])

    return one_by_one


def along(kwargs: dict) -> int:
    return 2 if kwargs.get("skip_reshape") else 1


CHANGES = [("flux", change) for change in (unseen, sliced_queries, sliced_heads, sliced_batch)]
CHANGES += [("wan", change) for change in (unseen, sliced_queries, sliced_batch)]  # the tiny one has a single head


@pytest.mark.parametrize(("family", "change"), CHANGES)
def test_attention_that_is_not_seen_or_seen_in_parts(family: str, change: Callable, monkeypatch) -> None:
    module = comfy.ldm.flux.math if family == "flux" else comfy.ldm.wan.model
    monkeypatch.setattr(module, "optimized_attention", change(module.optimized_attention))
    model = tiny.flux(**TWO_HEADS) if family == "flux" else tiny.wan()
    reason = native_because(model, tiny.ODD if family == "flux" else CLIP)
    times = 0 if change is unseen else 2 if family == "flux" else 4
    assert reason.startswith(f"a block called the host's attention {times} times and not ")


@pytest.mark.parametrize("change", [unseen, sliced_queries, sliced_heads, sliced_batch])
def test_attention_that_is_cut_into_parts_later_on(change: Callable, monkeypatch) -> None:
    """As where memory has become tight: from the third partial step on."""
    attend, calls = comfy.ldm.flux.math.optimized_attention, []

    def later(*args: object, **kwargs: object) -> Tensor:
        calls.append(1)
        return (change(attend) if len(calls) > 20 else attend)(*args, **kwargs)

    monkeypatch.setattr(comfy.ldm.flux.math, "optimized_attention", later)
    model = with_scheduler(tiny.flux(**TWO_HEADS), "custom")
    report = report_of(model, sample(model, cfg=3.0))
    assert report.verdict == "accelerated"
    assert len(report.fallbacks) == 1
    changed = 20 // 3
    assert [record.computed_share for record in report.steps[changed:]] == [1.0] * (12 - changed)


# --- blocks


class Renamed(nn.Module):
    """Another pack's block around the host's, with a name of its own for the tokens."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.inner = block

    def forward(self, tokens: Tensor, *args: object, transformer_options: dict | None = None, **rest: object) -> Tensor:
        return self.inner(tokens, *args, transformer_options=transformer_options, **rest)


class Anything(Renamed):
    def forward(self, *args: object, **kwargs: object) -> Tensor:
        return self.inner(*args, **kwargs)


class WithoutOptions(Renamed):
    def forward(self, x: Tensor, vec: Tensor, pe: Tensor, attn_mask: object = None, **rest: object) -> Tensor:
        return self.inner(x, vec=vec, pe=pe, attn_mask=attn_mask, **rest)


@pytest.mark.parametrize("wrap", [Renamed, Anything, WithoutOptions])
def test_blocks_with_arguments_of_their_own(wrap: type[nn.Module]) -> None:
    model = tiny.flux()
    blocks = model.model.diffusion_model.single_blocks
    blocks[1] = wrap(blocks[1])
    assert native_because(model).startswith(f"{wrap.__name__} is called with something else than Jano knows (KeyError")


@pytest.mark.parametrize("wrap", [Renamed, Anything])
def test_blocks_of_a_clip_with_arguments_of_their_own(wrap: type[nn.Module]) -> None:
    model = tiny.wan()
    blocks = model.model.diffusion_model.blocks
    blocks[1] = wrap(blocks[1])
    assert native_because(model, CLIP).startswith(f"{wrap.__name__} is called with something else")


def test_positional_arguments_of_a_block_stay_so() -> None:
    class Strict(Renamed):
        def forward(self, x: Tensor, /, *, transformer_options: dict | None = None, **rest: object) -> Tensor:
            return self.inner(x, transformer_options=transformer_options, **rest)

    model = tiny.flux()
    blocks = model.model.diffusion_model.single_blocks
    blocks[1] = Strict(blocks[1])
    by_level = with_scheduler(model, "custom")
    report = report_of(by_level, sample(by_level))
    assert report.fallbacks == ["Strict is called with something else than Jano knows (KeyError: 'pe')"]


def leaving_out(model: ModelPatcher, when: Callable[[int], bool]) -> ModelPatcher:
    """A clone whose second single block is left out in some calls, by one and the same function."""
    calls, patched = [], model.clone()

    def at_times(args: dict, extra: dict) -> dict:
        calls.append(1)
        return args if when(len(calls) - 1) else extra["original_block"](args)

    patched.set_model_patch_replace(at_times, "dit", "single_block", 1)
    return patched


def test_a_block_that_is_there_when_nothing_was_kept_of_it(flux: ModelPatcher) -> None:
    model = with_scheduler(leaving_out(flux, lambda call: call < 2), "custom")
    picture = sample(model)
    report = report_of(model, picture)
    assert report.fallbacks == ["a block's keys and values do not fit those that were kept (it may have been left out)"]
    assert picture.isfinite().all()


def test_what_a_block_kept_before_it_was_left_out_is_too_old(flux: ModelPatcher) -> None:
    model = with_scheduler(leaving_out(flux, lambda call: call == 3), "custom")
    report = report_of(model, sample(model))
    assert report.fallbacks == ["a block's keys and values do not fit those that were kept (it may have been left out)"]
    assert [record.computed_share for record in report.steps[5:]] == [1.0] * 7


def test_calls_that_do_not_tell_their_sides_are_native(flux: ModelPatcher) -> None:
    def silent(apply: Callable, call: dict) -> Tensor:
        options = dict(call["c"]["transformer_options"])
        del options["cond_or_uncond"]
        return apply(call["input"], call["timestep"], **{**call["c"], "transformer_options": options})

    alone = flux.clone()
    alone.set_model_unet_function_wrapper(silent)
    assert native_because(alone) == (
        "another node calls the model without telling the sides of the guidance (cond_or_uncond)"
    )


# --- nothing to freeze, time


@pytest.mark.parametrize("custom", [{"static_interval": 1, "moderate_interval": 1}, {"static_threshold": 0.0}])
def test_where_nothing_is_frozen_the_report_says_so(flux: ModelPatcher, custom: dict) -> None:
    model = with_scheduler(flux, "custom", {**custom, "moderate_threshold": 0.0} if len(custom) == 1 else custom)
    picture = sample(model)
    report = report_of(model, picture)
    assert (report.verdict, report.fallbacks) == ("native", [NOTHING_FROZEN])
    assert torch.equal(picture, sample(flux))


@pytest.mark.parametrize("kind", ["cuda", "xpu", "mps"])
def test_time_is_taken_when_the_device_has_done_its_work(kind: str, monkeypatch) -> None:
    waited: list[str] = []
    for name in ("cuda", "xpu", "mps", "cpu"):
        monkeypatch.setattr(getattr(torch, name), "synchronize", lambda name=name: waited.append(name))
    assert now(SimpleNamespace(type="cpu")) <= now(SimpleNamespace(type=kind)) <= now(torch.device("meta"))
    assert waited == [kind]
