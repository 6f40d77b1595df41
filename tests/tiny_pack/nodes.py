"""The loaders, with the outputs of those that they stand in for, in the same order."""

from __future__ import annotations

import comfy.supported_models as host
import comfy.taesd.taehv
import comfy.taesd.taesd
import torch
from comfy.sd import VAE
from comfy_api.latest import io
from comfy_extras.nodes_qwen import TextEncodeQwenImageEditPlus
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.tiny_others import KNOWN, LTXAV, OTHERS, SDXL, patcher
from comfyui_jano.tests.tiny_pack.text import WIDTH, tiny_clip
from torch import Tensor, nn

MODELS = {
    "qwen": OTHERS["Qwen-Image"].make,
    "z_image": OTHERS["Z-Image"].make,
    "hunyuan": OTHERS["HunyuanVideo 1.5"].make,
    "flux2": tiny.flux2,
    "chroma": KNOWN["Chroma"].make,
    "vace": KNOWN["Wan VACE"].make,
    "sdxl": lambda: patcher(host.SDXL({**SDXL, "adm_in_channels": WIDTH + 6 * 256})),
    "ltx2": lambda: patcher(host.LTXAV(dict(LTXAV))),
}
CLIP_CHANNELS, PICTURE_CHANNELS = {"ltx2": 128, "hunyuan": 32}, {"sdxl": 4, "flux2": 128}
REFERENCE = 128  # pixels: the host's node makes a megapixel of every picture, which takes a minute here


def schema(node_id: str, inputs: list, outputs: list) -> io.Schema:
    return io.Schema(node_id=node_id, category="jano tiny", inputs=inputs, outputs=outputs)


def family() -> io.Combo.Input:
    return io.Combo.Input("family", options=list(MODELS))


class TinyModel(io.ComfyNode):
    """In place of UNETLoader."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema("TinyModel", [family()], [io.Model.Output()])

    @classmethod
    def execute(cls, family: str) -> io.NodeOutput:
        return io.NodeOutput(MODELS[family]())


class TinyText(io.ComfyNode):
    """In place of the loaders of text encoders."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema("TinyText", [], [io.Clip.Output()])

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(tiny_clip())


class TinyCheckpoint(io.ComfyNode):
    """In place of CheckpointLoaderSimple."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema("TinyCheckpoint", [family()], [io.Model.Output(), io.Clip.Output(), io.Vae.Output()])

    @classmethod
    def execute(cls, family: str) -> io.NodeOutput:
        return io.NodeOutput(MODELS[family](), tiny_clip(), decoder(family))


class TinyVAE(io.ComfyNode):
    """In place of VAELoader."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema("TinyVAE", [family()], [io.Vae.Output()])

    @classmethod
    def execute(cls, family: str) -> io.NodeOutput:
        return io.NodeOutput(decoder(family))


def decoder(family: str) -> VAE:
    """The host's smallest autoencoder for a family's latents."""
    if family in CLIP_CHANNELS:
        return VAE(sd=weights(comfy.taesd.taehv.TAEHV(CLIP_CHANNELS[family])))
    channels = PICTURE_CHANNELS[family]
    kept = weights(comfy.taesd.taesd.TAESD(latent_channels=channels))
    return VAE(sd=kept, metadata={"tae_latent_channels": channels})


def weights(network: nn.Module) -> dict[str, Tensor]:
    return tiny.randomise(network).state_dict()


class TinyEditText(TextEncodeQwenImageEditPlus):
    """The host's own node, but that its references are small."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        made = super().define_schema()
        made.node_id = "TinyEditText"
        return made

    @classmethod
    def execute(cls, clip: object, prompt: str, vae: VAE, **images: Tensor) -> io.NodeOutput:
        return super().execute(clip, prompt, Small(vae), **images)


class Small:
    """A VAE that encodes pictures at a side of REFERENCE."""

    def __init__(self, vae: VAE) -> None:
        self.vae = vae

    def encode(self, pixels: Tensor) -> Tensor:
        planes = nn.functional.interpolate(pixels.movedim(-1, 1), (REFERENCE, REFERENCE))
        return self.vae.encode(planes.movedim(1, -1))


class TinySilence(io.ComfyNode):
    """In place of LTXVEmptyLatentAudio."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema("TinySilence", [], [io.Latent.Output()])

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput({"samples": torch.zeros(1, 8, 6, 16), "type": "audio"})


class TinySound(io.ComfyNode):
    """In place of LTXVAudioVAEDecode."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema("TinySound", [io.Latent.Input("samples")], [io.Audio.Output()])

    @classmethod
    def execute(cls, samples: dict) -> io.NodeOutput:
        tone = samples["samples"].mean(dim=(1, 2)).repeat(1, 500)
        return io.NodeOutput({"waveform": torch.stack((tone, tone), dim=1), "sample_rate": 16000})
