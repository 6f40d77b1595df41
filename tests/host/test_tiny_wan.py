"""The tiny Wan that this project trained: what the stock loaders make of its files, and Jano on it."""

from __future__ import annotations

import json

import comfy.ldm.wan.model
import comfy.ldm.wan.vae
import comfy.sd
import comfy.utils
import pytest
import torch
from comfy.latent_formats import Wan21
from comfy.model_patcher import ModelPatcher
from comfyui_jano.demo.nodes.clip_vocabulary import clip_prompt_of, parse_clip_prompt
from comfyui_jano.demo.nodes.text import TEXT_DIM, encode_clip, load_table
from comfyui_jano.host.location import ROOT
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from safetensors import safe_open

MODELS = ROOT / "demo" / "models"
WAN, VAE = MODELS / "jano_tiny_wan.safetensors", MODELS / "jano_tiny_wan_vae.safetensors"
PROMPTS = (ROOT / "demo" / "clip_prompts.txt").read_text(encoding="utf-8").splitlines()
EVERY_STEP = {"static_interval": 1, "moderate_interval": 1, "active_interval": 1}


@pytest.fixture(scope="module")
def tiny_wan() -> ModelPatcher:
    """As the node UNETLoader loads it."""
    return comfy.sd.load_diffusion_model(str(WAN))


@pytest.fixture(scope="module")
def vae() -> comfy.sd.VAE:
    """As the node VAELoader loads it."""
    state, metadata = comfy.utils.load_torch_file(str(VAE), return_metadata=True)
    return comfy.sd.VAE(sd=state, metadata=metadata)


def conditioning(text: str) -> list:
    return [[encode_clip(torch.tensor([parse_clip_prompt(text)]), load_table()), {}]]


def test_the_files_are_small() -> None:
    assert WAN.stat().st_size + VAE.stat().st_size <= 16 * 2**20


def test_the_transformer_is_a_wan(tiny_wan: ModelPatcher) -> None:
    network = tiny_wan.model.diffusion_model
    assert type(network) is comfy.ldm.wan.model.WanModel
    assert (network.dim, network.num_heads, network.text_dim) == (128, 4, TEXT_DIM)
    with safe_open(str(WAN), "pt") as file:
        assert json.loads(file.metadata()["config"])["transformer"] == {"num_heads": 4, "text_dim": TEXT_DIM}
        assert set(file.keys()) == set(network.state_dict())


def test_the_vae_is_wans(vae: comfy.sd.VAE) -> None:
    network = vae.first_stage_model
    assert type(network) is comfy.ldm.wan.vae.WanVAE
    with safe_open(str(VAE), "pt") as file:
        assert set(file.keys()) == set(network.state_dict())


@torch.inference_mode()
def test_the_vae_undoes_the_latent_format(vae: comfy.sd.VAE) -> None:
    made = vae.first_stage_model.conv2(Wan21().process_out(torch.eye(16).reshape(1, 16, 4, 2, 2)))
    torch.testing.assert_close(made, torch.eye(16).reshape(1, 16, 4, 2, 2), rtol=0, atol=5e-3)


@torch.inference_mode()
def test_the_vae_keeps_a_clip(vae: comfy.sd.VAE) -> None:
    row = torch.linspace(0.2, 0.8, 64)
    clip = torch.stack([row, row.flip(0), torch.full_like(row, 0.5)], -1).expand(9, 64, 64, 3)
    latent = vae.encode(clip)
    assert latent.shape == (1, 16, 3, 8, 8)
    assert (vae.decode(latent)[0] - clip).abs().mean() < 0.06


@pytest.mark.parametrize("text", PROMPTS)
def test_prompts_are_understood(text: str) -> None:
    code = parse_clip_prompt(text)
    assert parse_clip_prompt(clip_prompt_of(code)) == code
    assert any(code[3:])


@pytest.mark.parametrize("text", ["red cube moving left", "ball flying", "ball, tree, tower"])
def test_other_prompts_are_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="The demo model"):
        parse_clip_prompt(text)


@pytest.mark.parametrize("sampler", ["euler", "uni_pc", "dpmpp_sde"])
def test_nothing_frozen_is_no_node(tiny_wan: ModelPatcher, sampler: str) -> None:
    both = {"positive": conditioning(PROMPTS[0]), "negative": conditioning("")}
    run = {"steps": 6, "sampler": sampler, "cfg": 5.0, "size": (3, 8, 8), **both}
    without = sample(tiny_wan, **run)
    assert without.isfinite().all()
    assert torch.equal(sample(with_scheduler(tiny_wan, "custom", EVERY_STEP), **run), without)
