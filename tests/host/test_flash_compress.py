"""Making a fast decoder in the host: its VAE is the teacher, and the node's file is loaded like any other."""

from __future__ import annotations

from pathlib import Path

import comfy.ldm.wan.vae
import comfy.sd
import comfy.utils
import folder_paths
import pytest
import torch
from comfy import model_management
from comfyui_jano.flash_vaed.host_vae import SmallDecoderVAE
from comfyui_jano.flash_vaed.wan_teacher import teacher_from
from comfyui_jano.host.location import ROOT
from comfyui_jano.nodes.flash_vaed_compress import FlashVAEDCompress, file_name
from comfyui_jano.tests.host.test_nodes import prepared, run
from torch import Tensor

SETTINGS = {"name": "mine", "keep_fine": 0.25, "keep_finest": 0.5, "explained": 0.0, "learning_rate": 1e-3, "seed": 0}
SMALL = {"steps": 4, "batch": 12, "window": 4, "window_latents": 2}


@pytest.fixture(scope="module")
def vae() -> comfy.sd.VAE:
    """The demo's VAE in Wan's layout, as the stock node loads it."""
    return comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(ROOT / "demo" / "models" / "jano_tiny_wan_vae.safetensors")))


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


def test_names_end_as_they_should() -> None:
    assert file_name("mine") == file_name("mine.safetensors") == "mine.safetensors"
    assert file_name("v1.5 wan") == "v1.5 wan.safetensors"


@torch.inference_mode()
@pytest.mark.parametrize(
    ("latent", "words"), [(None, "Connect latents or pictures"), (torch.zeros(1, 16, 8, 8), "Latents of Wan")]
)
def test_unfit_inputs_are_told_in_words(latent: Tensor | None, words: str, vae: comfy.sd.VAE, models: Path) -> None:
    with pytest.raises(ValueError, match=words):
        made_by(vae, SMALL | ({} if latent is None else {"latent": {"samples": latent}}))
