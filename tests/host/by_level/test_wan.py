"""Wan: a partial step computes the chosen tokens as a full one does, for every variant that is accelerated."""

from __future__ import annotations

import comfy.ldm.wan.model as wan_models
import comfy.ops
import pytest
import torch
from comfyui_jano.jano.adapters.by_level import wan
from comfyui_jano.jano.adapters.by_level.attention import OVERRIDE, AttentionTap
from comfyui_jano.jano.adapters.by_level.taps import tapped
from comfyui_jano.jano.adapters.by_level.tokens import TokenRows
from comfyui_jano.jano.by_level.engine import Call
from comfyui_jano.jano.by_level.kv_cache import KVCache
from comfyui_jano.jano.by_level.selection import Selection
from comfyui_jano.jano.levels.grid import TokenGrid
from torch import Tensor, nn

TIME = torch.tensor([500.0])
PER_FRAME = torch.tensor([[0.0, 500.0, 700.0]])


def model(cls: type = wan_models.WanModel, **sizes) -> nn.Module:
    """A Wan class of the host with random weights: 3 blocks, 2 heads of 128."""
    small = {"dim": 256, "ffn_dim": 256, "num_heads": 2, "num_layers": 3, "text_dim": 32, "text_len": 8}
    network = cls(**{**small, **sizes}, operations=comfy.ops.disable_weight_init, dtype=torch.float32)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.06 if parameter.ndim > 1 else 0.3)
    return network.eval()


def clip(channels: int = 16, batch: int = 1, height: int = 9) -> Tensor:
    """Three frames; an odd height is padded by the host to whole tokens."""
    return torch.randn(batch, channels, 3, height, 8)


def context(batch: int = 1) -> Tensor:
    return torch.randn(batch, 8, 32)


VARIANTS = {
    "t2v": lambda: (model(), clip(), (TIME, context()), {}),
    "batch of 2": lambda: (model(), clip(batch=2), (TIME.repeat(2), context(2)), {}),
    "time per frame (5B)": lambda: (model(), clip(), (PER_FRAME, context()), {}),
    "i2v with clip vision": lambda: (
        model(model_type="i2v", in_dim=36),
        clip(36),
        (TIME, context(), torch.randn(1, 257, 1280)),
        {},
    ),
    "reference in front": lambda: (
        model(in_dim_ref_conv=16),
        clip(),
        (TIME, context()),
        {"reference_latent": torch.randn(1, 16, 10, 8)},
    ),
    "frames behind": lambda: (model(), clip(), (TIME, context()), {"time_dim_concat": torch.randn(1, 16, 1, 9, 8)}),
    "time per frame, frames behind": lambda: (
        model(),
        clip(),
        (torch.tensor([[0.0, 500.0, 700.0, 0.0]]), context()),
        {"time_dim_concat": torch.randn(1, 16, 1, 9, 8)},
    ),
    "in-context latents": lambda: (
        model(),
        clip(),
        (TIME, context()),
        {"context_latents": [torch.randn(1, 16, 1, 8, 8)]},
    ),
    "vace": lambda: (
        model(wan_models.VaceWanModel, vace_layers=1, vace_in_dim=96),
        clip(height=8),
        (TIME, context()),
        {"vace_context": torch.randn(1, 1, 96, 3, 8, 8), "vace_strength": [1.0]},
    ),
    "camera": lambda: (
        model(wan_models.CameraWanModel, model_type="camera_2.2", in_dim=36),
        clip(36, height=8),
        (TIME, context()),
        {"camera_conditions": torch.randn(1, 24, 3, 64, 64)},
    ),
}


def run_tapped(network: nn.Module, call: Call, cache: KVCache, grid: TokenGrid, x: Tensor, args: tuple, conds: dict):
    rows = TokenRows(call, grid.num_tokens, cache, wan.num_front(network, conds))
    with tapped(wan.taps(network), rows):
        return network(x, *args, **conds, transformer_options={OVERRIDE: AttentionTap(None)})


@pytest.mark.parametrize("variant", VARIANTS)
@torch.inference_mode()
def test_a_partial_step_computes_its_tokens_exactly(variant: str) -> None:
    network, x, args, conds = VARIANTS[variant]()
    grid = TokenGrid(tuple(x.shape[2:]), (1, 2, 2), (1, 1, 1))
    chosen = torch.arange(grid.num_tokens) % 5 < 2
    cells = grid.cells(chosen)
    cache = KVCache()
    full = network(x, *args, **conds, transformer_options={})
    stored = run_tapped(network, Call(("c",), stores=True), cache, grid, x, args, conds)
    selection = Selection(tokens=chosen.nonzero().flatten(), cells=cells)
    partial = run_tapped(network, Call(("c",), selection, stores=True), cache, grid, x, args, conds)
    assert torch.equal(stored, full)
    torch.testing.assert_close(partial[..., cells], full[..., cells], rtol=0, atol=1e-5)
    assert not torch.allclose(partial[..., ~cells], full[..., ~cells], atol=1e-3)  # they were left out indeed
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in network.blocks)
