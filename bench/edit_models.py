"""The demo's tiny edit models in the host's Flux class, and pairs to edit that none of them was trained on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import comfy.model_management
import comfy.sd
import comfy.supported_models
import comfy.utils
import torch
from comfy.latent_formats import Flux as FluxLatents
from comfy.model_patcher import CoreModelPatcher, ModelPatcher
from safetensors.torch import load_file
from torch import Tensor

from ..demo.nodes.text import encode, load_table
from ..demo.nodes.vocabulary import prompt_of
from ..host.location import ROOT

KINDS = ("step", "tz", "isolated")
"""`step` as Flux.1 Kontext; `tz` as Flux.2, its references at time 0; `isolated`: they see references only as well."""
METHODS = {"step": "offset", "tz": "index_timestep_zero", "isolated": "index_timestep_zero"}
ISOLATED = "jano_isolated_references"
"""Attachment of a loaded model: whether its references see references only."""
GUIDANCE = 3.5
PLACES = {0: "background", 1: "ground"}
"""What changes, by its place in a scene's code; anywhere else it is a thing's colour."""
HELD_OUT = ROOT / "build" / "train" / "demo" / "edits.held_out.safetensors"

# As the tiny Flux, but one modulation for all blocks, no guidance, no pooled text.
TZ_PARAMETERS = {
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


def path_of(kind: str) -> Path:
    return ROOT / "demo" / "models" / f"jano_tiny_edit_{kind}.safetensors"


def load(kind: str, file: Path | None = None) -> ModelPatcher:
    """One of KINDS. The host itself lets references see everything: of `isolated` this is another picture than the
    model was trained for, unless `isolating` or a cache keeps them apart."""
    file = file or path_of(kind)
    if kind == "step":
        model = comfy.sd.load_diffusion_model(str(file))
    else:
        model = with_one_modulation(comfy.utils.load_torch_file(str(file)))
    model.set_attachments(ISOLATED, kind == "isolated")
    return model


def with_one_modulation(weights: dict[str, Tensor]) -> ModelPatcher:
    """The host's Flux with TZ_PARAMETERS: its detection takes such weights for Flux.2, whose layers are others."""
    config = comfy.supported_models.Flux(dict(TZ_PARAMETERS))
    config.set_inference_dtype(torch.float32, None)
    device = comfy.model_management.get_torch_device()
    model = CoreModelPatcher(config.get_model(weights), device, comfy.model_management.unet_offload_device())
    model.model.load_model_weights(weights, "", assign=model.is_dynamic())
    return model


def isolating(model: ModelPatcher) -> ModelPatcher:
    """The same model with a mask in every block by which references see references only, all computed."""

    def masked(q: Tensor, k: Tensor, v: Tensor, extra_options: dict, **_: object) -> dict[str, Tensor]:
        behind = sum(extra_options.get("reference_image_num_tokens", ()))
        is_reference = torch.arange(q.shape[2], device=q.device) >= q.shape[2] - behind
        sees = ~is_reference[:, None] | is_reference[None, :]
        hidden = torch.zeros(sees.shape, dtype=q.dtype, device=q.device)
        return {"attn_mask": hidden.masked_fill(~sees, float("-inf"))}

    clone = model.clone()
    clone.set_model_attn1_patch(masked)
    return clone


@dataclass(frozen=True)
class Pair:
    """What one edit is sampled from, latents (1, 16, 16, 16) as a VAE gives them; the first reference is the picture
    before the edit. `changes` is background, ground or colour; `unsaid`: the prompt does not say it, only the other
    references show it."""

    number: int
    references: list[Tensor]
    positive: list
    negative: list
    target: Tensor
    prompt: str
    changes: str
    unsaid: bool


def pairs(count: int, kind: str, num_references: int = 1) -> list[Pair]:
    """The first `count` held-out pairs with one reference or with up to three; of those with more than one every
    second leaves unsaid what changes, as half of the training pairs did."""
    held_out = _held_out(count)
    return [_pair(held_out, number, kind, num_references) for number in range(count)]


def _held_out(count: int) -> dict[str, Tensor]:
    """Drawn by the demo in a process of its own: its modules find the demo's `nodes`, where the host has another."""
    stored = load_file(str(HELD_OUT)) if HELD_OUT.exists() else {"latents": torch.zeros(0)}
    if len(stored["latents"]) < count:
        subprocess.run([sys.executable, str(ROOT / "demo" / "edits.py"), "--held-out", str(count)], check=True)
        stored = load_file(str(HELD_OUT))
    return stored


def _pair(held_out: dict[str, Tensor], number: int, kind: str, num_references: int) -> Pair:
    before, after, *carriers = FluxLatents().process_out(held_out["latents"][number]).split(1)
    said = held_out["codes"][number, 0].clone()
    unsaid = num_references > 1 and number % 2 == 1
    if unsaid:
        said[held_out["places"][number]] = 0
    references = [before, *carriers][:num_references]
    sides = (conditioning(code, references, kind) for code in (said, torch.zeros_like(said)))
    changes = PLACES.get(int(held_out["places"][number]), "colour")
    return Pair(number, references, *sides, after, prompt_of(said.tolist()), changes, unsaid)


def conditioning(code: Tensor, references: list[Tensor], kind: str) -> list:
    """A prompt's code (all zeros: the negative one) with references, as ReferenceLatent and FluxGuidance leave it."""
    context, pooled = encode(code[None], load_table())
    extra = {"reference_latents": references, "reference_latents_method": METHODS[kind]}
    return [[context, {"pooled_output": pooled, "guidance": GUIDANCE, **extra}]]
