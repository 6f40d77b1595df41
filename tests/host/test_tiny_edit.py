"""The tiny edit models that this project trained: what the host makes of their files, and that they edit."""

from __future__ import annotations

import math
import statistics

import comfy.sample
import comfy.sd
import comfy.utils
import pytest
import torch
from comfy.latent_formats import Flux as FluxLatents
from comfy.ldm.flux.model import Flux
from comfy.model_patcher import ModelPatcher
from comfy_extras.nodes_edit_model import ReferenceLatent
from comfy_extras.nodes_flux import FluxGuidance, FluxKontextMultiReferenceLatentMethod
from comfyui_jano.bench.edit_models import ISOLATED, KINDS, Pair, isolating, load, pairs, path_of
from comfyui_jano.demo.nodes.prompt import JanoDemoPrompt
from comfyui_jano.host.location import ROOT
from safetensors import safe_open
from torch import Tensor

MODELS = ROOT / "demo" / "models"
STEPS = 4


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(kind: str) -> ModelPatcher:
    """As it was trained: with isolated references isolated."""
    loaded = load(kind)
    return isolating(loaded) if kind == "isolated" else loaded


def edit(model: ModelPatcher, pair: Pair, positive: list | None = None) -> Tensor:
    empty = torch.zeros_like(pair.target)
    noise = comfy.sample.prepare_noise(empty, pair.number)
    sides = positive or pair.positive, pair.negative
    options = {"disable_pbar": True, "seed": pair.number}
    return comfy.sample.sample(model, noise, STEPS, 1.0, "euler", "simple", *sides, empty, **options)


def decibels(one: Tensor, other: Tensor) -> float:
    """Against the range of the second."""
    return 20 * math.log10((other.max() - other.min()).item() / (one - other).square().mean().sqrt().item())


def test_the_files_are_small(kind: str) -> None:
    assert path_of(kind).stat().st_size < 5.1 * 2**20


def test_the_network_is_the_hosts_flux(kind: str, model: ModelPatcher) -> None:
    network = model.model.diffusion_model
    assert type(network) is Flux
    with safe_open(str(path_of(kind)), "pt") as file:
        assert set(file.keys()) == set(network.state_dict())


def test_the_file_says_how_its_references_are_seen(kind: str, model: ModelPatcher) -> None:
    with safe_open(str(path_of(kind)), "pt") as file:
        notes = file.metadata()
    assert notes["jano_references"] == ("isolated" if kind == "isolated" else "joint")
    assert model.get_attachment(ISOLATED) is (kind == "isolated")
    assert notes["reference_latents_method"] == pairs(1, kind)[0].positive[0][1]["reference_latents_method"]


@torch.inference_mode()
@pytest.mark.parametrize("count", [1, 3])
def test_it_edits(kind: str, model: ModelPatcher, count: int) -> None:
    """Closer to the target than the picture before, and than what another pair's references lead to."""
    some = [pair for pair in pairs(40, kind, count) if pair.changes != "colour" and not pair.unsaid][:4]
    untouched, misled = [], []
    for pair, other in zip(some, some[1:] + some[:1], strict=True):
        made = decibels(edit(model, pair), pair.target)
        untouched.append(made - decibels(pair.references[0], pair.target))
        misled.append(made - decibels(edit(model, pair, other.positive), pair.target))
    assert statistics.mean(untouched) > 0.5, (untouched, misled)
    assert min(misled) > 1.5, misled


@torch.inference_mode()
def test_stock_nodes_drive_the_one_laid_out_as_kontext() -> None:
    """UNETLoader's call, and what ReferenceLatent and FluxGuidance leave in the conditioning."""
    pair, model = pairs(1, "step")[0], comfy.sd.load_diffusion_model(str(path_of("step")))
    said = FluxGuidance.execute(JanoDemoPrompt.execute(pair.prompt).args[0], 3.5).args[0]
    said = ReferenceLatent.execute(said, {"samples": pair.references[0]}).args[0]
    named = FluxKontextMultiReferenceLatentMethod.execute(said, "offset").args[0]
    by_default, by_name = (edit(model, pair, positive) for positive in (said, named))
    assert torch.equal(by_default, by_name)
    assert torch.equal(by_default, edit(load("step"), pair))


@torch.inference_mode()
def test_the_latents_are_those_of_the_vae() -> None:
    """The basis that is kept beside the models: one fitted to other scenes has other axes, some turned round."""
    basis = comfy.utils.load_torch_file(str(MODELS / "jano_tiny_latents.safetensors"))
    vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(MODELS / "jano_tiny_flux_vae.safetensors")))
    pictures = vae.decode(torch.cat([pair.target for pair in pairs(4, "step")])).float()
    patches = pictures.unflatten(1, (-1, 8)).unflatten(3, (-1, 8)).permute(0, 1, 3, 2, 4, 5).flatten(3)
    ours = torch.asinh((patches - basis["mean"]) @ basis["axes"]) * basis["gain"]
    theirs = FluxLatents().process_in(vae.encode(pictures).float()).movedim(1, -1)
    both = torch.stack([ours.flatten(0, 2).T, theirs.flatten(0, 2).T], dim=1)
    agreement = torch.stack([torch.corrcoef(channel)[0, 1] for channel in both])
    assert agreement.min() > 0.6, agreement
