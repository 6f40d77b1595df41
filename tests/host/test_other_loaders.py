"""Models from other packs' loaders, and nodes that change how a model computes but not what it says: Jano runs on them.

The host's own node is run; of the others the way into the model is made after what their sources say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import comfy.ops
import comfy.supported_models
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import CallbacksMP
from comfy_extras.nodes_flux import FluxKVCache
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.test_other_packs import with_lora
from comfyui_jano.tests.host.tiny import conditioning, sample, with_scheduler
from torch import Tensor, nn

STEPS = 12
WHOLE, NO_ERROR = {"tolerance": 1e6}, {"tolerance": 1e-9}
BY_LEVEL = {"static_interval": 4}
EVERY_STEP = {"static_interval": 1, "moderate_interval": 1}


class Quantised(comfy.ops.manual_cast):
    """As GGUF's layers: weights of 8 bits with a scale, made numbers again whenever they are asked for."""

    class Linear(comfy.ops.manual_cast.Linear):
        def forward_comfy_cast_weights(self, x: Tensor) -> Tensor:
            scale = self.weight.abs().amax(1, keepdim=True) / 127
            weight = torch.round(self.weight / scale).to(torch.int8)
            return nn.functional.linear(x, weight.to(x.dtype) * scale, self.bias)


class OwnPatcher(ModelPatcher):
    """GGUF's patcher: `clone` is made its own class again."""

    def clone(self, *args: object, **kwargs: object) -> OwnPatcher:
        copy = super().clone(*args, **kwargs)
        copy.__class__ = OwnPatcher
        return copy


def gguf() -> ModelPatcher:
    config = comfy.supported_models.Flux(tiny.FLUX)
    config.custom_operations = Quantised
    model = tiny.patcher(config)
    model.__class__ = OwnPatcher
    return model


class Stranger(nn.Module):
    """nunchaku's Flux: a module of its own in the transformer's place, whose blocks the host never sees."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.dtype, self.hidden = network.dtype, [network]

    def forward(self, x: Tensor, timestep: Tensor, context: Tensor, *args: object, **kwargs: object) -> Tensor:
        return self.hidden[0](x, timestep, context, *args, **kwargs)


def nunchaku() -> ModelPatcher:
    model = tiny.flux()
    model.model.diffusion_model = Stranger(model.model.diffusion_model)
    return model


def sage_attention() -> ModelPatcher:
    """KJNodes' and other packs': another attention for the whole model."""

    def attention_override_sage(func: Callable, *args: object, **kwargs: object) -> Tensor:
        return func(*args, **kwargs).half().float()

    model = tiny.flux()
    model.model_options["transformer_options"]["optimized_attention_override"] = attention_override_sage
    return model


AWAY = torch.device("meta")


def swapping(blocks: nn.ModuleList) -> None:
    """Weights of a block are there while it computes; `kept` stands for the other device."""
    for block in blocks:
        kept = {name: value.clone() for name, value in block.state_dict().items()}
        block.register_forward_pre_hook(lambda block, _, kept=kept: block.load_state_dict(kept, assign=True) and None)
        block.register_forward_hook(lambda block, _, output: block.to(AWAY) and output)
        block.to(AWAY)


def block_swap() -> ModelPatcher:
    """wanBlockSwap and others: blocks are moved after the model is loaded, and when they compute."""
    model = tiny.flux()

    def swap_blocks_after_load(patcher: ModelPatcher, *_: object) -> None:
        network = patcher.model.diffusion_model
        if next(network.double_blocks.parameters()).device != AWAY:
            swapping(network.double_blocks)
            swapping(network.single_blocks)

    model.add_callback_with_key(CallbacksMP.ON_LOAD, "wan_block_swap", swap_blocks_after_load)
    return model


LOADERS = {"GGUF": gguf, "nunchaku": nunchaku, "sage attention": sage_attention, "block swap": block_swap}


@contextmanager
def calls_of(model: ModelPatcher) -> Iterator[list[int]]:
    """One entry for each call of the transformer: its rows."""
    rows: list[int] = []
    hook = model.model.diffusion_model.register_forward_pre_hook(lambda _, args: rows.append(args[0].shape[0]))
    yield rows
    hook.remove()


@pytest.mark.parametrize("name", LOADERS)
def test_where_no_error_is_tolerated_the_picture_is_that_without_the_node(name: str) -> None:
    model = LOADERS[name]()
    accelerated = with_scheduler(model, "custom", NO_ERROR)
    assert type(accelerated) is type(model)
    assert torch.equal(sample(accelerated, STEPS, 3.0), sample(model, STEPS, 3.0))


@pytest.mark.parametrize("name", LOADERS)
def test_whole_steps_are_left_out(name: str) -> None:
    model = LOADERS[name]()
    accelerated = with_scheduler(model, "custom", WHOLE)
    with calls_of(model) as rows:
        report = report_of(accelerated, sample(accelerated, STEPS, 3.0))
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    assert len(rows) == STEPS * report.computed_token_fraction < STEPS


@pytest.mark.parametrize("name", ["GGUF", "sage attention", "block swap"])
def test_tokens_are_left_out_of_blocks_that_are_the_hosts(name: str) -> None:
    model = LOADERS[name]()
    all_tokens = with_scheduler(model, "custom", EVERY_STEP)
    assert torch.equal(sample(all_tokens, STEPS, 3.0), sample(model, STEPS, 3.0))
    accelerated = with_scheduler(model, "custom", BY_LEVEL)
    report = report_of(accelerated, sample(accelerated, STEPS, 3.0))
    assert (report.verdict, report.fallbacks) == ("accelerated", [])


def test_blocks_that_are_nunchakus_have_no_levels() -> None:
    model = nunchaku()
    accelerated = with_scheduler(model, "custom", BY_LEVEL)
    picture = sample(accelerated, STEPS)
    assert torch.equal(picture, sample(model, STEPS))
    assert "not Stranger" in report_of(accelerated, picture).fallbacks[0]


def test_a_lora_on_quantised_weights() -> None:
    model = with_lora(gguf())
    assert not torch.equal(sample(gguf(), STEPS), sample(tiny.flux(), STEPS))
    assert not torch.equal(sample(model, STEPS), sample(gguf(), STEPS))
    assert torch.equal(sample(with_scheduler(model, "custom", NO_ERROR), STEPS), sample(model, STEPS))


# --- keys and values of references, kept by the host


def kept_references(cfg: float) -> tuple[ModelPatcher, dict]:
    """Flux.2 without a guidance embedding (Klein): with one, and on Flux.1, the host's node raises."""
    references = [0.1 * torch.randn(1, 128, 6, 5, generator=torch.Generator().manual_seed(3))]
    sides = {name: conditioning(seed, reference_latents=references) for name, seed in SIDES.items()}
    return FluxKVCache.execute(tiny.flux2(guidance_embed=False)).args[0], {"size": (8, 6), "cfg": cfg, **sides}


SIDES = {"positive": 1, "negative": 2}


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_references_that_are_kept_are_kept_where_steps_are_left_out(cfg: float) -> None:
    model, run = kept_references(cfg)
    expected = sample(model, STEPS, **run)
    assert torch.equal(sample(with_scheduler(model, "custom", NO_ERROR), STEPS, **run), expected)
    accelerated = with_scheduler(model, "custom", WHOLE)
    report = report_of(accelerated, sample(accelerated, STEPS, **run))
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    assert torch.equal(sample(model, STEPS, **run), expected)  # and given back


def test_tokens_are_not_left_out_where_references_are_kept() -> None:
    model, run = kept_references(1.0)
    accelerated = with_scheduler(model, "custom", BY_LEVEL)
    picture = sample(accelerated, STEPS, **run)
    assert torch.equal(picture, sample(model, STEPS, **run))
    assert report_of(accelerated, picture).fallbacks == ["another node patches attention inside the blocks"]
