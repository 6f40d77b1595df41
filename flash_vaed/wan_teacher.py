"""The original Wan 2.1 decoder of any width, to learn from: a whole clip at once, and stage by stage.

Names and results are those of the host's class (tests/host/test_flash_compress.py), which decodes in chunks.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from .family import Family, Stretch, block
from .layers import Cache, RMSNorm, causal_conv
from .layout import channels, take
from .wan import CAUSAL, Block, WanDecoder, WanStudent, WanWidths

MARKS = ("decoder.middle.0.residual.2.weight", "decoder.upsamples.14.residual.6.weight")
"""In every Wan 2.1 VAE; students have a separable convolution there, Wan 2.2 another layout."""

WAN = Family(
    name="Wan 2.1",
    student=WanStudent,
    fine=("upsamples.7", *block("upsamples.8"), *block("upsamples.9"), *block("upsamples.10")),
    finest=("upsamples.11", *block("upsamples.12"), *block("upsamples.13"), *block("upsamples.14")),
    deep=Stretch(
        ("decoder.middle.", *(f"decoder.upsamples.{place}." for place in range(7))),
        ("middle.2", "upsamples.2", "upsamples.3", "upsamples.6"),
    ),
    ends=("decoder.head.",),
    operators={
        "conv1, attention, time_conv, head": "as in the teacher",
        "middle, upsamples.0-6": "depthwise-separable causal 3D",
        "upsamples.7-14": "2D, pruned",
    },
)


class FullBlock(Block):
    """The convolutions are full causal ones."""

    taps = CAUSAL

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        first = [RMSNorm(n_in, axes=3), nn.SiLU(), causal_conv(n_in, n_out, 3, nn)]
        second = [RMSNorm(n_out, axes=3), nn.SiLU(), nn.Identity(), causal_conv(n_out, n_out, 3, nn)]
        self.residual = nn.ModuleList(first + second)
        self.shortcut = causal_conv(n_in, n_out, 1, nn) if n_in != n_out else None

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        kept = x if self.shortcut is None else self.shortcut(x, cache)
        hidden = self.convs[0](self.seen(0, x), cache)
        return kept + self.convs[1](self.seen(1, hidden), cache)


def wan_teacher(state: Mapping[str, Tensor]) -> WanStudent:
    """The decoder half of a VAE in Wan 2.1's layout. KeyError or ValueError with how it differs from that."""
    kept = {name: value for name, value in state.items() if name.startswith(("conv1.", "conv2.", "decoder."))}
    # In two steps, as the host doubles pictures: its work is what a student is measured against.
    teacher = WanStudent(widths_of(kept), naive=True)
    blocks_in_full(teacher.decoder, teacher.widths)
    take(teacher, kept)
    return teacher


def widths_of(state: Mapping[str, Tensor]) -> WanWidths:
    """Channels by stage, from a teacher's shapes."""
    shapes = {name: value.shape for name, value in state.items()}
    places = ("middle.0.residual.6", "upsamples.3.resample.1", "upsamples.6.residual.6")
    places += ("upsamples.7.resample.1", "upsamples.11.resample.1", "head.2")
    return WanWidths(
        channels(shapes, "conv2.weight"), *(channels(shapes, f"decoder.{place}.weight") for place in places)
    )


def blocks_in_full(decoder: WanDecoder, w: WanWidths) -> None:
    """Puts full convolutions in place of the student's separable and flat ones."""
    for place in (0, 2):
        decoder.middle[place] = FullBlock(w.deep, w.deep)
    levels = ((0, w.deep, w.deep), (4, w.entry, w.middle), (8, w.fine, w.fine), (12, w.finest, w.finest))
    for start, n_in, width in levels:
        for place in range(3):
            decoder.upsamples[start + place] = FullBlock(n_in if place == 0 else width, width)
