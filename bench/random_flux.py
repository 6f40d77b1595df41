"""The host's Flux class with random weights at any size, its inputs, and level maps with a given active share."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import comfy.ldm.flux.model
import comfy.ops
import comfy.sd
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..jano.adapters.latents import REGION
from ..jano.levels.grid import TokenGrid
from ..jano.levels.map import Level, LevelMap

CHANNELS = 16


@dataclass(frozen=True)
class FluxSize:
    """Sizes of a Flux: hidden is 128 x heads, context and pooled are the widths of the text inputs."""

    hidden: int
    double: int
    single: int
    context: int
    pooled: int
    num_text: int
    dtype: str

    @property
    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)


# One core does a step of 2304 tokens in seconds; one GPU gets the sizes of Flux.1-dev.
SMALL = FluxSize(hidden=1024, double=1, single=2, context=256, pooled=64, num_text=64, dtype="float32")
FLUX1 = FluxSize(hidden=3072, double=19, single=38, context=4096, pooled=768, num_text=512, dtype="bfloat16")


def empty_flux(size: FluxSize) -> torch.nn.Module:
    """The module on the meta device: names and shapes only."""
    return comfy.ldm.flux.model.Flux(
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        vec_in_dim=size.pooled,
        context_in_dim=size.context,
        hidden_size=size.hidden,
        mlp_ratio=4.0,
        num_heads=size.hidden // 128,
        depth=size.double,
        depth_single_blocks=size.single,
        axes_dim=[16, 56, 56],
        theta=10000,
        patch_size=2,
        qkv_bias=True,
        guidance_embed=True,
        txt_ids_dims=[],
        operations=comfy.ops.disable_weight_init,
        dtype=size.torch_dtype,
        device="meta",
    )


def load(size: FluxSize, device: str) -> ModelPatcher:
    """A model with random weights through the stock loading code."""
    torch.manual_seed(0)
    shapes = empty_flux(size).state_dict()
    weights = {name: _weight(name, shape.shape, size.torch_dtype, device) for name, shape in shapes.items()}
    return comfy.sd.load_diffusion_model_state_dict(weights, model_options={"dtype": size.torch_dtype})


def _weight(name: str, shape: torch.Size, dtype: torch.dtype, device: str) -> Tensor:
    if "norm" in name:
        return torch.ones(shape, dtype=dtype, device=device)
    scale = 0.6 / shape[-1] ** 0.5 if len(shape) > 1 else 0.08
    return torch.randn(shape, dtype=dtype, device=device) * scale


@dataclass(frozen=True)
class Inputs:
    """Arguments of one call of the transformer."""

    x: Tensor
    timestep: Tensor
    context: Tensor
    y: Tensor
    guidance: Tensor


def inputs(size: FluxSize, cells: int, device: str) -> Inputs:
    """For a square latent of `cells` x `cells`."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, device=device, dtype=size.torch_dtype)

    half, guidance = (torch.full((1,), value, device=device) for value in (0.5, 3.5))
    context, pooled = normal(1, size.num_text, size.context), normal(1, size.pooled)
    return Inputs(normal(1, CHANNELS, cells, cells), half, context, pooled, guidance)


def conditioning(size: FluxSize) -> list:
    """Random text in the form that samplers take."""
    extra = {"pooled_output": torch.randn(1, size.pooled), "guidance": 3.5}
    return [[torch.randn(1, size.num_text, size.context), extra]]


def grid(cells: int) -> TokenGrid:
    return TokenGrid.with_region_cells((1, cells, cells), (1, 2, 2), REGION)


def level_map(cells: int, active: float, moderate: float = 0.0) -> LevelMap:
    """Random regions active and moderate at the given shares, the rest static."""
    place = grid(cells)
    order = torch.randperm(place.num_regions, generator=torch.Generator().manual_seed(1))
    levels = torch.full((place.num_regions,), int(Level.STATIC), dtype=torch.uint8)
    first, second = (round(share * place.num_regions) for share in (active, active + moderate))
    levels[order[first:second]] = int(Level.MODERATE)
    levels[order[:first]] = int(Level.ACTIVE)
    return LevelMap(place, levels[place.region_of_token()], torch.zeros(place.num_regions))


def described(size: FluxSize) -> dict[str, object]:
    return asdict(size)
