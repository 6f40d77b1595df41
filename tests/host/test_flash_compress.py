"""Making a fast decoder in the host: its VAE is the teacher, and the node's file is loaded like any other.

For Wan 2.1 by the demo's own VAE, for LTX-Video 0.9 by one of its layout with few channels and made-up weights.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

import comfy.ldm.wan.vae
import comfy.sd
import comfy.utils
import folder_paths
import pytest
import torch
from comfy import model_management
from comfy.ldm.lightricks.vae.causal_video_autoencoder import VideoVAE
from comfyui_jano.flash_vaed.host_vae import SmallDecoderVAE
from comfyui_jano.flash_vaed.teachers import teacher_from
from comfyui_jano.host.location import ROOT
from comfyui_jano.nodes.flash_vaed import FlashVAEDLoader
from comfyui_jano.nodes.flash_vaed_compress import FlashVAEDCompress, file_name
from comfyui_jano.tests.filled import filled, shapes_in
from comfyui_jano.tests.host.test_nodes import prepared, run
from torch import Tensor

import nodes

SETTINGS = {"name": "mine", "keep_fine": 0.25, "keep_finest": 0.5, "explained": 0.0, "learning_rate": 1e-3, "seed": 0}
SMALL = {"steps": 4, "batch": 12, "window": 4, "window_latents": 2}


@pytest.fixture(scope="module")
def vae() -> comfy.sd.VAE:
    """The demo's VAE in Wan's layout, as the stock node loads it."""
    return comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(ROOT / "demo" / "models" / "jano_tiny_wan_vae.safetensors")))


def early_ltx(**changes: object) -> dict:
    """The first version's configuration with few channels, as a file's metadata gives it to the host."""
    blocks = [["res_x", 4], ["compress_all", 1], ["res_x_y", 1], ["res_x", 3], ["compress_all", 1], ["res_x_y", 1]]
    config = VideoVAE.get_default_config(None, 0) | {"encoder_base_channels": 8, "decoder_base_channels": 8}
    assert config["blocks"][: len(blocks)] == blocks
    return config | changes


def ltx_vae(config: dict) -> comfy.sd.VAE:
    weights = filled(shapes_in(VideoVAE(config=config)))
    weights["per_channel_statistics.mean-of-means"] = torch.linspace(-0.5, 0.5, 128)
    weights["per_channel_statistics.std-of-means"] = torch.linspace(0.5, 1.5, 128)
    return comfy.sd.VAE(sd=weights, metadata={"config": json.dumps({"vae": config})})


@pytest.fixture(scope="module")
def ltx() -> comfy.sd.VAE:
    """In the layout of LTX-Video 0.9.0, as the stock node loads it."""
    return ltx_vae(early_ltx())


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path))
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "vae", ([str(tmp_path)], {".safetensors"}))
    return tmp_path


@torch.inference_mode()
def test_the_teacher_decodes_as_the_host_does(vae: comfy.sd.VAE) -> None:
    z = torch.randn(2, 16, 3, 4, 5)
    host = vae.first_stage_model
    assert type(host) is comfy.ldm.wan.vae.WanVAE
    expected = host.float().decode(z.clone())
    torch.testing.assert_close(teacher_from(host.state_dict())(z), expected, rtol=0, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("said", [{}, {"spatial_padding_mode": "zeros"}, {"spatial_padding_mode": "reflect"}])
def test_the_ltx_teacher_decodes_as_the_host_does(said: dict) -> None:
    """At the borders too, where without a word the host mirrors pictures and with one does as told."""
    host = ltx_vae(early_ltx(**said)).first_stage_model
    assert type(host) is VideoVAE
    z = torch.randn(2, 128, 3, 3, 4)
    teacher = teacher_from(host.state_dict(), host.config)
    torch.testing.assert_close(teacher(z), host.float().decode(z.clone()), rtol=0, atol=1e-4)


@torch.inference_mode()
def test_the_node_makes_an_ltx_decoder_that_the_loader_loads(ltx: comfy.sd.VAE, models: Path) -> None:
    clips = {"latent": {"samples": torch.randn(2, 128, 2, 2, 3)}, "pictures": torch.rand(9, 64, 64, 3)}
    made, report = made_by(ltx, clips | SMALL | {"window": 4, "batch": 4})
    assert isinstance(made, SmallDecoderVAE)
    assert (made.first_stage_model.widths.fine, made.first_stage_model.widths.finest) == (4, 4)
    assert "clips it was not trained on" in report
    loaded = run(prepared(FlashVAEDLoader), vae_name="mine.safetensors").args[0]
    z = clips["latent"]["samples"]
    shown = [nodes.VAEDecode().decode(one, {"samples": z})[0] for one in (made, loaded)]
    assert torch.equal(*shown)
    assert shown[0].shape == nodes.VAEDecode().decode(ltx, {"samples": z})[0].shape == (18, 64, 96, 3)
    assert made.encode(clips["pictures"]).shape == (1, 128, 2, 2, 2)


@torch.inference_mode()
@pytest.mark.parametrize("version", [1, 2])
def test_later_ltx_vaes_are_refused(version: int, models: Path) -> None:
    with torch.device("meta"):
        later = VideoVAE(version=version)
    with pytest.raises(ValueError, match="LTX-Video's VAE of a later version.*LTX-Video 0.9.0 can be compressed"):
        teacher_from(later.state_dict(), later.config)


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["pixels", "sound", "student"])
def test_what_cannot_be_compressed_is_refused_before_anything_is_encoded(
    kind: str, ltx: comfy.sd.VAE, models: Path
) -> None:
    pictures = {"pictures": torch.rand(9, 64, 64, 3)}
    if kind == "pixels":
        refused, words = comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)}), "is no VAE at all"
    elif kind == "student":
        refused, _ = made_by(ltx, pictures | SMALL | {"steps": 0})
        words = "is a Flash-VAED decoder already"
    else:
        refused, words = sound_vae(), "is LTX-2's VAE for sound"
    with pytest.raises(ValueError, match=f"This VAE {words}.*can be compressed: load that model's own VAE"):
        made_by(refused, pictures | SMALL)


def sound_vae() -> comfy.sd.VAE:
    """A VAE as far as the node asks it: the names of its weights are those of LTX-2's for sound."""
    vae = copy.copy(comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)}))
    vae.first_stage_model = torch.nn.ModuleDict(
        {"vocoder": torch.nn.Linear(1, 1), "autoencoder": torch.nn.Linear(1, 1)}
    )
    return vae


@torch.inference_mode()
def test_the_node_makes_a_vae_from_latents_and_pictures(vae: comfy.sd.VAE, models: Path) -> None:
    clips = {"latent": {"samples": torch.randn(2, 16, 2, 4, 4)}, "pictures": torch.rand(5, 32, 32, 3)}
    made, report = made_by(vae, clips | SMALL)
    assert isinstance(made, SmallDecoderVAE)
    assert made.decode(clips["latent"]["samples"]).shape == (2, 5, 32, 32, 3)
    assert made.encode(clips["pictures"]).shape == (1, 16, 2, 4, 4)
    assert "clips it was not trained on" in report
    assert sorted(path.name for path in models.iterdir()) == [
        "mine.safetensors",
        "mine_report.json",
        "mine_report.md",
    ]
    with pytest.raises(ValueError, match="not overwritten"):
        made_by(vae, clips | SMALL)


def made_by(vae: comfy.sd.VAE, inputs: dict) -> tuple[comfy.sd.VAE, str]:
    return run(prepared(FlashVAEDCompress), vae=vae, **SETTINGS, **inputs)


@torch.inference_mode()
def test_the_stop_button_keeps_what_was_learnt(
    vae: comfy.sd.VAE, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = {"latent": {"samples": torch.randn(2, 16, 2, 4, 4)}}
    told = []

    def stop_after_the_first_step(bar: object, value: int, *rest: object) -> None:
        told.append(value)
        if value == 1:
            model_management.interrupt_current_processing()

    monkeypatch.setattr(comfy.utils.ProgressBar, "update_absolute", stop_after_the_first_step)
    with pytest.raises(model_management.InterruptProcessingException):
        made_by(vae, clips | SMALL)
    assert [path.name for path in models.iterdir()] == ["mine.training"]
    assert max(told) == 1
    monkeypatch.undo()
    assert not list(Path(folder_paths.get_folder_paths("vae")[0]).glob("mine*"))


@pytest.mark.parametrize("name", ["../escaped", "/etc/passwd", "", "a/b", ".hidden"])
def test_names_stay_in_their_folder(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        file_name(name)


@pytest.mark.parametrize("name", ["CON", "nul", "aux.safetensors", "Com1.v2", "mine.", "mine "])
def test_names_that_windows_does_not_take_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="device on Windows|cannot be the name"):
        file_name(name)


def test_names_end_as_they_should() -> None:
    assert file_name("mine") == file_name("mine.safetensors") == "mine.safetensors"
    assert file_name("v1.5 wan") == "v1.5 wan.safetensors"


@torch.inference_mode()
@pytest.mark.parametrize(
    ("latent", "words"), [(None, "Connect latents or pictures"), (torch.zeros(1, 16, 8, 8), "A clip's latents are")]
)
def test_unfit_inputs_are_told_in_words(latent: Tensor | None, words: str, vae: comfy.sd.VAE, models: Path) -> None:
    with pytest.raises(ValueError, match=words):
        made_by(vae, SMALL | ({} if latent is None else {"latent": {"samples": latent}}))
