"""A small decoder as the host's VAE: stock nodes take it, wrong latents and wrong partners are told in a sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import comfy.model_management as model_management
import comfy.ops
import comfy.sd
import comfy.utils
import folder_paths
import pytest
import torch
from comfy.ldm.lightricks.vae.causal_video_autoencoder import VideoVAE
from comfy_extras.nodes_multigpu import SelectVAEDeviceNode
from comfy_extras.nodes_wan import WanImageToVideo
from comfyui_jano.flash_vaed.host_vae import SmallDecoderVAE, load_vae
from comfyui_jano.flash_vaed.ltx import LTXStudent, LTXWidths
from comfyui_jano.flash_vaed.timing import first_latents
from comfyui_jano.flash_vaed.wan import WanStudent, WanWidths
from comfyui_jano.host.location import ROOT
from comfyui_jano.nodes.flash_vaed import FlashVAEDLoader
from comfyui_jano.nodes.flash_vaed_compare import FlashVAEDCompare
from comfyui_jano.tests.filled import fill, filled, shapes_in
from comfyui_jano.tests.host.test_nodes import prepared, run
from comfyui_jano.tests.live_elements import LiveElements
from torch import Tensor

import nodes

NARROW = WanWidths(deep=32, entry=16, middle=32, fine=8, finest=4)
NARROW_LTX = LTXWidths(latent=128, deep=64, fine=8, finest=4)


@pytest.fixture(autouse=True)
def _as_nodes_run():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def student() -> WanStudent:
    return fill(WanStudent(NARROW))


@pytest.fixture(scope="module")
def folder(student: WanStudent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Decoders of both models in files, as the authors save them."""
    folder = tmp_path_factory.mktemp("vae")
    torch.save(student.state_dict(), folder / "wan.pth")
    torch.save(filled(shapes_in(LTXStudent(NARROW_LTX))), folder / "ltx.pth")
    return folder


@pytest.fixture(scope="module")
def base() -> comfy.sd.VAE:
    """The demo's VAE in Wan's layout."""
    weights = comfy.utils.load_torch_file(str(ROOT / "demo" / "models" / "jano_tiny_wan_vae.safetensors"))
    return comfy.sd.VAE(sd=weights)


@pytest.fixture
def vae(folder: Path, base: comfy.sd.VAE) -> SmallDecoderVAE:
    return load_vae(folder / "wan.pth", base)


def pictures(student: torch.nn.Module, z: Tensor) -> Tensor:
    """What VAE Decode makes of a decoder's output: the frames of all clips in a row."""
    return student.decode(z).add(1).div(2).clamp(0, 1).movedim(1, -1).flatten(0, 1)


# --- stock nodes


@pytest.mark.parametrize("shape", [(1, 16, 5, 6, 4), (1, 16, 1, 6, 4), (2, 16, 3, 4, 6)])
def test_vae_decode_takes_it(vae: SmallDecoderVAE, student: WanStudent, shape: tuple[int, ...]) -> None:
    z = torch.randn(shape)
    decoded = nodes.VAEDecode().decode(vae, {"samples": z})[0]
    assert torch.allclose(decoded, pictures(student, z), atol=1e-5)


def test_vae_decode_tiled_takes_it_and_does_not_cut_time(vae: SmallDecoderVAE, student: WanStudent) -> None:
    z = torch.randn(1, 16, 9, 8, 16)
    sizes = {"tile_size": 64, "overlap": 16, "temporal_size": 8, "temporal_overlap": 4}
    tiled = nodes.VAEDecodeTiled().decode(vae, {"samples": z}, **sizes)[0]
    assert tiled.shape == (33, 64, 128, 3)
    alone = pictures(student, z[..., :8])
    assert torch.allclose(tiled[:, :, :32], alone[:, :, :32], atol=1e-5)


def test_running_out_of_memory_falls_back_to_tiles(vae: SmallDecoderVAE, monkeypatch) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise model_management.OOM_EXCEPTION("CUDA out of memory")

    monkeypatch.setattr(vae.first_stage_model, "decode", no_memory)
    z = torch.randn(1, 16, 3, 40, 4)
    assert torch.equal(vae.decode(z), vae.decode_tiled(z, tile_x=32, tile_y=32, overlap=8))


def test_encoding_is_the_base_vaes(vae: SmallDecoderVAE, base: comfy.sd.VAE) -> None:
    clip = torch.rand(5, 32, 48, 3)
    assert torch.equal(nodes.VAEEncode().encode(vae, clip)[0]["samples"], base.encode(clip))
    sizes = {"tile_size": 64, "overlap": 16, "temporal_size": 8, "temporal_overlap": 4}
    tiled = [nodes.VAEEncodeTiled().encode(one, clip, **sizes)[0]["samples"] for one in (vae, base)]
    assert torch.equal(*tiled)


def test_image_to_video_takes_it(vae: SmallDecoderVAE, base: comfy.sd.VAE) -> None:
    picture = torch.rand(1, 32, 48, 3)
    conditioning = [[torch.zeros(1, 1, 8), {}]]
    made = [
        WanImageToVideo.execute(conditioning, conditioning, one, 48, 32, 9, 1, start_image=picture).args
        for one in (vae, base)
    ]
    latents = [positive[0][1]["concat_latent_image"] for positive, _, _ in made]
    assert torch.equal(*latents)


def test_without_a_base_encoding_says_what_to_connect(folder: Path) -> None:
    alone = load_vae(folder / "wan.pth")
    told = "A Flash-VAED decoder cannot encode: connect Wan 2.1's own VAE to its loader's base_vae."
    with pytest.raises(ValueError, match=re.escape(told)):
        alone.encode(torch.rand(1, 16, 16, 3))
    with pytest.raises(ValueError, match=re.escape(told)):
        alone.encode_tiled(torch.rand(1, 16, 16, 3))


@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (1, 16, 8, 8), (1, 48, 2, 4, 4)])
def test_latents_of_another_model_are_refused(vae: SmallDecoderVAE, shape: tuple[int, ...]) -> None:
    for decode in (vae.decode, vae.decode_tiled):
        with pytest.raises(ValueError, match="takes latents of Wan 2.1") as refusal:
            decode(torch.zeros(shape))
        assert str(shape) in str(refusal.value)


@pytest.mark.parametrize("shape", [(1, 16, 0, 8, 8), (1, 16, 2, 0, 8), (0, 16, 2, 8, 8)])
def test_latents_of_nothing_are_refused(vae: SmallDecoderVAE, base: comfy.sd.VAE, shape: tuple[int, ...]) -> None:
    for decode in (vae.decode, vae.decode_tiled, lambda latents: first_latents(latents, 2, base, vae)):
        with pytest.raises(ValueError, match="holds nothing"):
            decode(torch.zeros(shape))


# --- memory and devices


def test_frames_are_written_where_the_host_keeps_them(vae: SmallDecoderVAE) -> None:
    """Of 301 frames no more is held at once than of 17, but the pictures themselves."""
    held = []
    for latents in (5, 76):
        z = torch.randn(1, 16, latents, 2, 2)
        with LiveElements([z, *vae.first_stage_model.parameters()]) as live:
            frames = vae.decode(z)
        held.append(live.most - frames.numel())
    assert frames.shape == (1, 301, 16, 16, 3)
    assert held[0] == held[1]


def test_the_reserved_memory_does_not_grow_with_the_clip(vae: SmallDecoderVAE) -> None:
    reserved = [vae.memory_used_decode((1, 16, latents, 60, 104), torch.bfloat16) for latents in (1, 5, 76)]
    assert reserved[0] < reserved[1] == reserved[2]


def test_the_released_decoder_reserves_a_seventh_of_the_vae(base: comfy.sd.VAE) -> None:
    """1.3 times what its tensors take; the VAE's formula, whatever its width, is that of the full one."""
    with torch.device("meta"):
        released = WanStudent()
    shape = (1, 16, 21, 60, 104)
    least = 2 * released.live_elements(shape) / base.memory_used_decode(shape, torch.bfloat16)
    assert 0.09 < least < 0.11


def test_weights_may_be_cast_and_come_from_elsewhere_at_every_use(vae: SmallDecoderVAE) -> None:
    """As the host does it when a model is only partly on the GPU."""
    z = torch.randn(1, 16, 3, 4, 4)
    whole = vae.decode(z)
    layers = [module for module in vae.first_stage_model.modules() if hasattr(module, "comfy_cast_weights")]
    for layer in layers:
        layer.comfy_cast_weights = True
        layer.to(torch.float64)
    assert len(layers) > 50
    assert torch.allclose(vae.decode(z), whole, atol=1e-5)


def test_convolutions_within_channels_are_left_to_torch(vae: SmallDecoderVAE, monkeypatch) -> None:
    """With the host's way around a fault of cuDNN in place, dense ones in half precision go there, and only these."""
    asked = []

    def dense_only(x: Tensor, weight: Tensor, padding: tuple, stride: tuple, dilation: tuple, groups: int, **_: object):
        asked.append(groups)
        return torch.nn.functional.conv3d(x, weight, None, stride, padding, dilation, groups)

    monkeypatch.setattr(comfy.ops, "NVIDIA_MEMORY_CONV_BUG_WORKAROUND", True)
    monkeypatch.setattr(torch, "cudnn_convolution", dense_only)
    half = vae.first_stage_model.bfloat16()
    half.decode(torch.randn(1, 16, 2, 4, 4).bfloat16())
    assert set(asked) == {1}


def test_half_precision_comes_close(folder: Path, monkeypatch) -> None:
    z = torch.randn(1, 16, 3, 4, 4)
    whole = load_vae(folder / "wan.pth").decode(z)
    monkeypatch.setattr(model_management, "vae_dtype", lambda device, allowed: allowed[0])
    half = load_vae(folder / "wan.pth")
    assert {parameter.dtype for parameter in half.first_stage_model.parameters()} == {torch.bfloat16}
    assert (half.decode(z) - whole).abs().mean() < 0.02


def test_unloading_and_loading_again_changes_nothing(vae: SmallDecoderVAE) -> None:
    z = torch.randn(1, 16, 2, 4, 4)
    before = vae.decode(z)
    model_management.unload_all_models()
    assert torch.equal(vae.decode(z), before)


def test_select_vae_device_takes_it(vae: SmallDecoderVAE) -> None:
    z = torch.randn(1, 16, 2, 4, 4)
    moved = SelectVAEDeviceNode.execute(vae, "default").args[0]
    assert torch.equal(moved.decode(z), vae.decode(z))
    clone = vae.patcher.deepclone_multigpu(new_load_device=torch.device("cpu"))
    assert clone.model is not vae.first_stage_model
    assert torch.equal(clone.model.decode(z), vae.first_stage_model.decode(z))


def test_a_decoder_that_would_draw_nothing_is_named(student: WanStudent, tmp_path: Path) -> None:
    weights = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    spoilt = max(weights)
    weights[spoilt].view(-1)[0] = float("nan")
    torch.save(weights, tmp_path / "spoilt.pth")
    with pytest.raises(ValueError, match=f"^spoilt.pth .*{spoilt} holds values that are not finite numbers; download"):
        load_vae(tmp_path / "spoilt.pth")


def test_what_is_saved_can_be_loaded(vae: SmallDecoderVAE, tmp_path: Path) -> None:
    comfy.utils.save_torch_file(vae.get_sd(), str(tmp_path / "saved.safetensors"))
    z = torch.randn(1, 16, 2, 4, 4)
    assert torch.equal(load_vae(tmp_path / "saved.safetensors").decode(z), vae.decode(z))


# --- partners and LTX


def test_a_base_of_another_model_is_refused(folder: Path, vae: SmallDecoderVAE) -> None:
    pixels = comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)})
    for wrong in (pixels, vae):
        with pytest.raises(ValueError, match="base_vae is not the VAE that makes this decoder's latents"):
            load_vae(folder / "wan.pth", wrong)


def ltx_base(width: int = 64, noise_level: bool = False) -> comfy.sd.VAE:
    """The host's VAE for LTX-Video with fewer channels, and random statistics. `width`: of its deepest blocks."""
    blocks = [
        ("res_x", 1),
        ("compress_all", 1),
        ("res_x_y", 1),
        ("compress_all", 1),
        ("res_x_y", 1),
        ("compress_all", 1),
    ]
    config = {
        "dims": 3,
        "latent_channels": 128,
        "blocks": [*blocks, ("res_x", 1)],
        "encoder_base_channels": width // 4,
        "decoder_base_channels": width // 4,
        "norm_layer": "pixel_norm",
        "patch_size": 4,
        "latent_log_var": "uniform",
        "causal_decoder": False,
        "timestep_conditioning": noise_level,
    }
    weights = filled(shapes_in(VideoVAE(config=config)))
    weights["per_channel_statistics.mean-of-means"] = torch.randn(128)
    weights["per_channel_statistics.std-of-means"] = torch.rand(128) + 0.5
    return comfy.sd.VAE(sd=weights, metadata={"config": json.dumps({"vae": config})})


def test_ltx_without_statistics_asks_for_the_vae_that_has_them(folder: Path) -> None:
    with pytest.raises(ValueError, match="ltx.pth does not say how LTX-Video's latents are scaled: connect"):
        load_vae(folder / "ltx.pth")


def test_ltx_statistics_come_from_the_vae_and_latents_are_scaled_by_them(folder: Path) -> None:
    base = ltx_base()
    vae, z = load_vae(folder / "ltx.pth", base), torch.randn(1, 128, 2, 2, 1)
    raw = base.first_stage_model.per_channel_statistics.un_normalize(z)
    plain = fill(LTXStudent(NARROW_LTX))
    assert torch.allclose(vae.decode(z).flatten(0, 1), pictures(plain, raw), atol=1e-4)
    assert torch.allclose(vae.first_stage_model.per_channel_statistics.un_normalize(z), raw)
    clip = torch.rand(9, 32, 32, 3)
    assert torch.equal(vae.encode(clip), base.encode(clip))


def test_statistics_in_the_file_come_first(tmp_path: Path) -> None:
    weights = filled(shapes_in(LTXStudent(NARROW_LTX)))
    told = {"latents_mean": torch.randn(128), "latents_std": torch.rand(128) + 0.5}
    torch.save(weights | told, tmp_path / "ltx.pth")
    for base in (None, ltx_base()):
        student = load_vae(tmp_path / "ltx.pth", base).first_stage_model
        assert torch.equal(student.latents_mean, told["latents_mean"])
        assert torch.equal(student.latents_std, told["latents_std"])


@pytest.mark.parametrize("later", [{"width": 128}, {"noise_level": True}])
def test_a_later_ltx_vae_is_refused_as_base(folder: Path, later: dict) -> None:
    with pytest.raises(ValueError, match="connect that of LTX-Video 0.9.0 by the stock node"):
        load_vae(folder / "ltx.pth", ltx_base(**later))


def test_wan_and_ltx_do_not_lend_each_other_their_vaes(folder: Path, base: comfy.sd.VAE) -> None:
    for file, wrong in (("wan.pth", ltx_base()), ("ltx.pth", base)):
        with pytest.raises(ValueError, match="base_vae is not the VAE"):
            load_vae(folder / file, wrong)


# --- the nodes


@pytest.fixture
def listed(folder: Path, monkeypatch) -> Path:
    """The folder of decoders as the host's models/vae."""
    kinds = folder_paths.folder_names_and_paths["vae"][1]
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "vae", ([str(folder)], kinds))
    return folder


def test_the_loader_asks_for_a_file_first_and_gives_a_vae_first(listed: Path) -> None:
    schema = FlashVAEDLoader.GET_SCHEMA()
    required = [field for field in schema.inputs if not getattr(field, "optional", False)]
    assert required[0].id == "vae_name"
    assert {"wan.pth", "ltx.pth"} <= set(FlashVAEDLoader.define_schema().inputs[0].options)
    assert schema.outputs[0].io_type == "VAE"
    vae = run(prepared(FlashVAEDLoader), vae_name="wan.pth").args[0]
    assert isinstance(vae, comfy.sd.VAE)
    assert vae.decode(torch.randn(1, 16, 2, 4, 4)).shape == (1, 5, 32, 32, 3)
    assert not list(listed.glob("*.safetensors"))


def test_the_loader_writes_safetensors_once(listed: Path, student: WanStudent, tmp_path: Path) -> None:
    written = listed / "once.safetensors"
    torch.save(student.state_dict(), listed / "once.pth")
    run(prepared(FlashVAEDLoader), vae_name="once.pth", save_safetensors=True)
    again = run(prepared(FlashVAEDLoader), vae_name="once.safetensors", save_safetensors=True).args[0]
    assert again.get_sd().keys() == student.state_dict().keys()
    written.write_bytes(b"somebody's own")
    run(prepared(FlashVAEDLoader), vae_name="once.pth", save_safetensors=True)
    assert written.read_bytes() == b"somebody's own"


def test_ltx_is_written_with_the_statistics_it_was_loaded_with(listed: Path) -> None:
    base = ltx_base()
    loaded = run(prepared(FlashVAEDLoader), vae_name="ltx.pth", base_vae=base, save_safetensors=True).args[0]
    again = run(prepared(FlashVAEDLoader), vae_name="ltx.safetensors").args[0]
    assert torch.equal(again.first_stage_model.latents_std, loaded.first_stage_model.latents_std)


def test_a_folder_that_cannot_be_written_is_named(listed: Path, monkeypatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(f"{load_vae.__module__}.write_safetensors", refused)
    with pytest.raises(ValueError, match="could not be written .Permission denied.; turn save_safetensors off"):
        run(prepared(FlashVAEDLoader), vae_name="wan.pth", save_safetensors=True)


def test_compare_tells_closeness_speed_and_weights(vae: SmallDecoderVAE, base: comfy.sd.VAE) -> None:
    latent = {"samples": torch.randn(1, 16, 6, 4, 6)}
    output = run(prepared(FlashVAEDCompare), fast_vae=vae, reference_vae=base, latent=latent, most_latents=2)
    markdown, pairs = output.args
    for part in (
        "| PSNR | ",
        " on average over 5 pictures, ",
        "| Speed | ",
        "times as fast",
        "| Weights | 0.3 MB instead of ",
    ):
        assert part in markdown
    assert "| Memory while decoding | not measured: on a CPU |" in markdown
    assert list(output.ui["text"]) == [markdown]
    first = latent["samples"][:, :, :2]
    both = torch.cat([base.decode(first), vae.decode(first)], dim=3)[0]
    assert torch.allclose(pairs[:, :32], both, atol=1e-5)
    assert pairs.shape[1] > 32  # which side is which stands below


def test_the_reference_against_itself_is_equal(base: comfy.sd.VAE) -> None:
    latent = {"samples": torch.randn(1, 16, 1, 4, 6)}
    markdown = run(prepared(FlashVAEDCompare), fast_vae=base, reference_vae=base, latent=latent).args[0]
    assert "| PSNR | infinite: the pictures are equal |" in markdown


@pytest.mark.parametrize(
    ("shape", "told"),
    [((1, 16, 8, 8), "compared on a clip's latent"), ((1, 48, 2, 4, 4), "has 48 channels, but a VAE")],
)
def test_compare_refuses_other_latents(vae: SmallDecoderVAE, base: comfy.sd.VAE, shape: tuple, told: str) -> None:
    latent = {"samples": torch.zeros(shape)}
    with pytest.raises(ValueError, match=told):
        run(prepared(FlashVAEDCompare), fast_vae=vae, reference_vae=base, latent=latent)
