"""A small decoder in a running ComfyUI: stock nodes decode, in tiles too, and encode; a wrong file gets a sentence."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
import torch
from comfyui_jano.flash_vaed.compress import Recipe
from comfyui_jano.flash_vaed.distill import Plan
from comfyui_jano.flash_vaed.layout import student_of
from comfyui_jano.flash_vaed.lessons import Size
from comfyui_jano.flash_vaed.ltx import LTXStudent, LTXWidths
from comfyui_jano.flash_vaed.ltx_teacher import blocks_in_full
from comfyui_jano.flash_vaed.make import Order, make_student
from comfyui_jano.flash_vaed.wan import WanStudent, WanWidths
from comfyui_jano.host.client import PromptError
from comfyui_jano.host.server import DEMO_MODELS, Server
from comfyui_jano.tests.filled import fill
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

NARROW = WanWidths(deep=32, entry=16, middle=32, fine=8, finest=4)
LONG = 76
"""Latents of a clip of 301 frames."""


@pytest.fixture(scope="module")
def student() -> WanStudent:
    return fill(WanStudent(NARROW))


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder that the compressor made of a VAE in LTX-Video's layout."""
    teacher = LTXStudent(LTXWidths(deep=16, fine=8, finest=4))
    blocks_in_full(teacher.decoder, teacher.widths)
    fill(teacher).latents_std.fill_(0.5)
    path = tmp_path_factory.mktemp("compressed") / "ltx_fast.safetensors"
    order = Order(path, Recipe((0.5, 0.5)), Plan(steps=(0, 0, 0), size=Size(2, 2)))
    make_student(teacher.eval(), list(torch.randn(2, 128, 2, 2, 2)), order, torch.device("cpu"))
    return path


@pytest.fixture(scope="module")
def latent() -> Tensor:
    return torch.randn(1, 16, LONG, 4, 6, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def decoding_server(host, tmp_path_factory, student: WanStudent, compressed: Path, latent: Tensor) -> Iterator[Server]:
    """With a decoder, the demo's VAE in Wan's layout and a long latent among its files."""
    server = Server(host, tmp_path_factory.mktemp("decoders"))
    folder = server.base / "models" / "vae"
    folder.mkdir(parents=True)
    torch.save(student.state_dict(), folder / "fast.pth")
    (folder / "wan.safetensors").write_bytes((DEMO_MODELS / "jano_tiny_wan_vae.safetensors").read_bytes())
    (folder / compressed.name).write_bytes(compressed.read_bytes())
    ltx = torch.randn(1, 128, 2, 2, 3, generator=torch.Generator().manual_seed(6))
    for name, clip in (("long", latent), ("short", latent[:, :, :3].contiguous()), ("ltx", ltx)):
        save_file(
            {"latent_tensor": clip, "latent_format_version_0": torch.tensor([])},
            server.base / "input" / f"{name}.latent",
        )
    with server:
        yield server


def load(base: bool = True) -> dict:
    """The loader's part of a prompt, as node 1, the stock loader's as node 2."""
    wiring = {"base_vae": ["2", 0]} if base else {}
    return {
        "1": {"class_type": "FlashVAEDLoader", "inputs": {"vae_name": "fast.pth", "save_safetensors": False, **wiring}},
        "2": {"class_type": "VAELoader", "inputs": {"vae_name": "wan.safetensors"}},
    }


def decode(clip: str, **tiles: int) -> dict:
    """Nodes 3 and 4: a latent and its frames."""
    kind = "VAEDecodeTiled" if tiles else "VAEDecode"
    return {
        "3": {"class_type": "LoadLatent", "inputs": {"latent": f"{clip}.latent"}},
        "4": {"class_type": kind, "inputs": {"samples": ["3", 0], "vae": ["1", 0], **tiles}},
    }


def last_frame(server: Server, prompt: dict, frames: int) -> Tensor:
    """(H, W, 3) in 0 to 255 of the frames that node 4 gives."""
    prompt = prompt | {
        "5": {"class_type": "ImageFromBatch", "inputs": {"image": ["4", 0], "batch_index": frames - 1, "length": 1}},
        "6": {"class_type": "PreviewImage", "inputs": {"images": ["5", 0]}},
    }
    (picture,) = server.run(prompt)["6"]["images"]
    pixels = Image.open(io.BytesIO(server.image(picture))).convert("RGB")
    return torch.from_numpy(numpy.array(pixels)).float()


LEVEL = 1.01
"""Of 255: a saved picture cuts off what is left of one, and two processes round in the fifth digit."""


def expected(student: WanStudent, z: Tensor) -> Tensor:
    return student.decode(z)[0, :, -1].add(1).div(2).clamp(0, 1).mul(255).movedim(0, -1)


def test_a_clip_of_301_frames_is_decoded(decoding_server: Server, student: WanStudent, latent: Tensor) -> None:
    frame = last_frame(decoding_server, load() | decode("long"), 301)
    assert (frame - expected(student, latent)).abs().max() <= LEVEL


def test_a_compressed_ltx_decoder_is_decoded_by_the_stock_node(decoding_server: Server, compressed: Path) -> None:
    prompt = load(base=False) | decode("ltx")
    prompt["1"]["inputs"]["vae_name"] = compressed.name
    student, weights = student_of(load_file(compressed), compressed.name)
    student.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    z = torch.randn(1, 128, 2, 2, 3, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        assert (last_frame(decoding_server, prompt, 9) - expected(student, z)).abs().max() <= LEVEL


def test_tiles_are_decoded_over_the_whole_clip(decoding_server: Server, student: WanStudent, latent: Tensor) -> None:
    """With a tile larger than the picture only cuts in time could change it."""
    sizes = {"tile_size": 64, "overlap": 0, "temporal_size": 8, "temporal_overlap": 4}
    frame = last_frame(decoding_server, load() | decode("long", **sizes), 301)
    assert (frame - expected(student, latent)).abs().max() <= LEVEL


def test_pictures_are_encoded_by_the_base_vae(decoding_server: Server) -> None:
    """Encoding with the fast VAE or its base, both decoded by the base: the same picture."""
    shown = []
    for encoder in ("1", "2"):
        round_trip = {
            "7": {"class_type": "VAEEncode", "inputs": {"pixels": ["9", 0], "vae": [encoder, 0]}},
            "9": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["1", 0]}},
            "4": {"class_type": "VAEDecode", "inputs": {"samples": ["7", 0], "vae": ["2", 0]}},
        }
        shown.append(last_frame(decoding_server, load() | decode("short") | round_trip, 9))
    assert torch.equal(*shown)


def test_without_a_base_encoding_fails_with_a_sentence(decoding_server: Server) -> None:
    prompt = load(base=False) | decode("short")
    prompt["7"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["4", 0], "vae": ["1", 0]}}
    prompt["8"] = {"class_type": "SaveLatent", "inputs": {"samples": ["7", 0], "filename_prefix": "none"}}
    with pytest.raises(PromptError, match="A Flash-VAED decoder cannot encode: connect Wan 2.1's own VAE"):
        decoding_server.run(prompt)


def test_the_original_vae_is_named(decoding_server: Server) -> None:
    prompt = load(base=False) | decode("short")
    prompt["1"]["inputs"]["vae_name"] = "wan.safetensors"
    prompt["6"] = {"class_type": "PreviewImage", "inputs": {"images": ["4", 0]}}
    with pytest.raises(PromptError, match=r"wan.safetensors is a smaller VAE in Wan 2.1's own layout \(width 16\)"):
        decoding_server.run(prompt)


def test_both_decoders_are_compared(decoding_server: Server) -> None:
    inputs = {"fast_vae": ["1", 0], "reference_vae": ["2", 0], "latent": ["3", 0], "most_latents": 2}
    prompt = load() | decode("short") | {"5": {"class_type": "FlashVAEDCompare", "inputs": inputs}}
    output = decoding_server.run(prompt)["5"]
    assert "dB on average over 5 pictures" in output["text"][0]
    assert "times as fast" in output["text"][0]
    assert output["images"]
