"""The original decoder of LTX-Video 0.9.0 of any width, to learn from, by the host's names or by diffusers'.

Results are those of the host's class (tests/host/test_flash_compress.py), which keeps what it needs in time.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from .family import Family, Stretch, block
from .layout import STATISTICS, channels, take
from .ltx import PATCH, LTXDecoder, LTXStudent, LTXWidths, PlainConv, ResBlock

HOST_MARK = "decoder.up_blocks.9.res_blocks.3.conv2.conv.weight"
"""The last block of the first version's decoder; later versions have fewer and wider stages."""
MARK = "decoder.mid_block.resnets.0.conv1.conv.weight"
"""In diffusers' names; students have a separable convolution there."""
HOST_STAGES = (
    "mid_block",
    "up_blocks.0",
    "up_blocks.1.upsamplers.0",
    "up_blocks.1",
    "up_blocks.2.conv_in",
    "up_blocks.2.upsamplers.0",
    "up_blocks.2",
    "up_blocks.3.conv_in",
    "up_blocks.3.upsamplers.0",
    "up_blocks.3",
)
"""What the host calls up_blocks.0, up_blocks.1 and so on."""
HOST_PARTS = {"res_blocks.": "resnets.", "norm3.norm.": "norm3.", "conv_shortcut.": "conv_shortcut.conv."}
HOST_STATISTICS = ("per_channel_statistics.mean-of-means", "per_channel_statistics.std-of-means")
HOST_PADDING = "reflect"
"""Outside of the picture, where a VAE's file does not say it; diffusers and the students have zeros there."""


def resnets(stage: str, count: int) -> tuple[str, ...]:
    return tuple(place for number in range(count) for place in block(f"{stage}.resnets.{number}"))


LTX = Family(
    name="LTX-Video 0.9",
    student=LTXStudent,
    fine=(*block("up_blocks.2.conv_in"), "up_blocks.2.upsamplers.0", *resnets("up_blocks.2", 3)),
    finest=(*block("up_blocks.3.conv_in"), "up_blocks.3.upsamplers.0", *resnets("up_blocks.3", 4)),
    deep=Stretch(
        ("decoder.mid_block.", "decoder.up_blocks.0.", "decoder.up_blocks.1."),
        ("mid_block.resnets.3", "up_blocks.0.resnets.2", "up_blocks.1.upsamplers.0", "up_blocks.1.resnets.2"),
    ),
    ends=("decoder.conv_out.",),
    operators={
        "conv_in, up_blocks.1.upsamplers": "as in the teacher",
        "mid_block, up_blocks.0-1.resnets": "depthwise-separable causal 3D",
        "up_blocks.2, up_blocks.3.conv_in and upsamplers, conv_out": "3D, pruned",
        "up_blocks.3.resnets": "2D, pruned",
    },
)


def ltx_teacher(state: Mapping[str, Tensor], config: Mapping) -> LTXStudent:
    """The decoder half of a VAE in the layout of LTX-Video 0.9.0.

    config: as the host's class has it; only what weights do not show is read. KeyError or ValueError with how it
    differs from that layout.
    """
    from_host = HOST_MARK in state
    if from_host:
        check_config(config)
    kept = {renamed(name) if from_host else name: value for name, value in state.items()}
    kept = {name: value for name, value in kept.items() if name.startswith(("decoder.", *STATISTICS))}
    teacher = LTXStudent(widths_of(kept))
    blocks_in_full(teacher.decoder, teacher.widths)
    take(teacher, kept)
    pad(teacher.decoder, config.get("spatial_padding_mode", HOST_PADDING) if from_host else "zeros")
    return teacher


def check_config(config: Mapping) -> None:
    """ValueError with what the layout has not, and the weights do not show."""
    blocks = [settings for _, settings in config.get("decoder_blocks", config.get("blocks", ()))]
    if config.get("causal_decoder") or config.get("timestep_conditioning"):
        raise ValueError("its decoder is causal or takes a noise level")
    if any(isinstance(settings, Mapping) and settings.get("residual") for settings in blocks):
        raise ValueError("its upsampling keeps what comes in")


def renamed(name: str) -> str:
    """The host's name of a weight in diffusers' way."""
    if name in HOST_STATISTICS:
        return STATISTICS[HOST_STATISTICS.index(name)]
    half, _, rest = name.partition(".up_blocks.")
    if half != "decoder" or not rest:
        return name
    number, _, rest = rest.partition(".")
    for theirs, ours in HOST_PARTS.items():
        rest = rest.replace(theirs, ours)
    return f"decoder.{HOST_STAGES[int(number)]}.{rest}" if int(number) < len(HOST_STAGES) else name


def widths_of(state: Mapping[str, Tensor]) -> LTXWidths:
    """Channels by stage, from a teacher's shapes."""
    shapes = {name: value.shape for name, value in state.items()}
    deep, latent = (channels(shapes, "decoder.conv_in.conv.weight", axis) for axis in (0, 1))
    fine, finest = (channels(shapes, f"decoder.up_blocks.{place}.conv_in.conv1.conv.weight") for place in (2, 3))
    return LTXWidths(latent, deep, fine, finest, channels(shapes, "decoder.conv_out.conv.weight") // PATCH**2)


def blocks_in_full(decoder: LTXDecoder, w: LTXWidths) -> None:
    """Puts full convolutions in place of the student's separable and flat ones; what keeps its width is not mixed."""
    widths = (w.deep, w.deep, w.deep, w.fine, w.finest)
    for stage, width in zip((decoder.mid_block, *decoder.up_blocks), widths, strict=True):
        stage.resnets = nn.ModuleList(full_block(width) for _ in stage.resnets)
        stage.pictures = False


def full_block(width: int) -> ResBlock:
    return ResBlock((PlainConv(width, width, 3, nn), PlainConv(width, width, 3, nn)))


def pad(decoder: LTXDecoder, mode: str) -> None:
    """What is outside of the picture, in torch's words."""
    for layer in decoder.modules():
        if isinstance(layer, nn.Conv3d):
            layer.padding_mode = mode
