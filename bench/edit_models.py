"""The tiny edit models on the host's real class, and 64 held-out edits to measure with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import comfy.sample
import comfy.sd
import comfy.supported_models
import comfy.utils
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..demo.nodes.text import encode, load_table
from .demo_models import GUIDANCE, MODELS

PAIRS = MODELS / "jano_tiny_edit_pairs.safetensors"
SHARED_MODULATION = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": None,
    "context_in_dim": 64,
    "hidden_size": 128,
    "mlp_ratio": 4.0,
    "num_heads": 1,
    "depth": 1,
    "depth_single_blocks": 7,
    "axes_dim": [16, 56, 56],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": False,
    "txt_ids_dims": [],
    "global_modulation": True,
    "default_ref_method": "index_timestep_zero",
    "ref_index_scale": 10.0,
}
"""Flux.2's structure (one modulation for all blocks, references at time zero) at the tiny Flux's size: the host's class
takes it, its detection of files does not know it."""


def load(kind: str) -> ModelPatcher:
    """ "step", "tz" or "isolated" (demo/edit_twin.py says what they are)."""
    file = MODELS / f"jano_tiny_edit_{kind}.safetensors"
    if kind == "step":
        return comfy.sd.load_diffusion_model(str(file))
    config = comfy.supported_models.Flux(SHARED_MODULATION)
    config.set_inference_dtype(torch.float32, None)
    model = config.get_model({}, "")
    state = {name: value.float() for name, value in comfy.utils.load_torch_file(str(file)).items()}
    model.diffusion_model.load_state_dict(state)
    cpu = torch.device("cpu")
    return ModelPatcher(model.eval(), load_device=cpu, offload_device=cpu)


@dataclass(frozen=True)
class Edit:
    """Latents (1, 16, 16, 16) of the picture wanted and of its references, and what the prompt says of it (codes)."""

    number: int
    target: Tensor
    references: list[Tensor]
    said: Tensor

    def side(self, prompted: bool) -> list:
        """A conditioning as the demo's prompt node and ReferenceLatent make it."""
        context, pooled = encode(self.said[None] if prompted else torch.zeros_like(self.said[None]), load_table())
        said = {"pooled_output": pooled, "guidance": GUIDANCE, "reference_latents": self.references}
        return [[context, said]]


@cache
def _pairs() -> dict[str, Tensor]:
    return comfy.utils.load_torch_file(str(PAIRS))


def edit(number: int, num_references: int = 1) -> Edit:
    """A held-out one; with three references, the other two show what the edit brings in."""
    latents, said = _pairs()["latents"][number].float(), _pairs()["said"][number, 0].long()
    before, after, *carriers = latents[:, None]
    return Edit(number, after, [before, *carriers][:num_references], said)


def sample(model: ModelPatcher, wanted: Edit, steps: int, cfg: float, sampler: str = "euler", **options) -> Tensor:
    """KSampler's work with the scheduler "simple", from pure noise seeded by the edit's number."""
    empty = torch.zeros_like(wanted.target)
    noise = comfy.sample.prepare_noise(empty, wanted.number)
    sides = wanted.side(True), wanted.side(False)
    options = {"disable_pbar": True, "seed": wanted.number, **options}
    return comfy.sample.sample(model, noise, steps, cfg, sampler, "simple", *sides, empty, **options)
