"""The original Wan 2.1 decoder of any width, to learn from: a whole clip at once, and stage by stage.

Names and results are those of the host's class (tests/host/test_flash_teacher.py), which decodes in chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from .layers import Cache, FrameAttention, RMSNorm, causal_conv
from .wan import WanDecoder, WanStudent, WanWidths

MARK = "decoder.middle.0.residual.2.weight"
"""In every Wan 2.1 VAE; students have a separable convolution there, Wan 2.2 another layout."""


class FullBlock(nn.Module):
    """Two normed causal convolutions around a shortcut."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        first = [RMSNorm(n_in, axes=3), nn.SiLU(), causal_conv(n_in, n_out, 3, nn)]
        second = [RMSNorm(n_out, axes=3), nn.SiLU(), nn.Identity(), causal_conv(n_out, n_out, 3, nn)]
        self.residual = nn.ModuleList(first + second)
        self.shortcut = causal_conv(n_in, n_out, 1, nn) if n_in != n_out else None

    def forward(self, x: Tensor, cache: Cache) -> Tensor:
        kept = x if self.shortcut is None else self.shortcut(x, cache)
        norm, activation, conv, norm_2, activation_2, _, conv_2 = self.residual
        hidden = conv(activation(norm(x)), cache)
        return kept + conv_2(activation_2(norm_2(hidden)), cache)


def teacher_from(state: Mapping[str, Tensor]) -> WanStudent:
    """The decoder half of a VAE in Wan 2.1's layout, float32, frozen. ValueError with a sentence if it is none."""
    if MARK not in state or "decoder.upsamples.14.residual.6.weight" not in state:
        raise ValueError(
            "This is no VAE in Wan 2.1's layout, the only one that can be compressed so far; load Wan 2.1's own VAE "
            "(wan_2.1_vae.safetensors) with Load VAE, not a small decoder made from it, nor Wan 2.2's or LTX-Video's."
        )
    # In two steps, as the host doubles pictures: its work is what a student is measured against.
    teacher = WanStudent(widths_of(state), naive=True)
    blocks_in_full(teacher.decoder, teacher.widths)
    names = teacher.state_dict()
    try:
        teacher.load_state_dict({name: value.detach().float() for name, value in state.items() if name in names})
    except RuntimeError as error:
        raise ValueError(f"A VAE that resembles Wan 2.1's, but differs from it: {error}") from error
    return teacher.eval().requires_grad_(False)


def widths_of(state: Mapping[str, Tensor]) -> WanWidths:
    """Channels by stage, from a teacher's shapes."""
    out = {name: value.shape[0] for name, value in state.items() if name.endswith("weight")}
    resampled = [out[f"decoder.upsamples.{place}.resample.1.weight"] for place in (3, 7, 11)]
    deep, middle = (out[f"decoder.{name}.residual.6.weight"] for name in ("middle.0", "upsamples.6"))
    return WanWidths(out["conv2.weight"], deep, resampled[0], middle, *resampled[1:], out["decoder.head.2.weight"])


def blocks_in_full(decoder: WanDecoder, w: WanWidths) -> None:
    """Puts full convolutions in place of the student's separable and flat ones."""
    for place in (0, 2):
        decoder.middle[place] = FullBlock(w.deep, w.deep)
    levels = ((0, w.deep, w.deep), (4, w.entry, w.middle), (8, w.fine, w.fine), (12, w.finest, w.finest))
    for start, n_in, width in levels:
        for place in range(3):
            decoder.upsamples[start + place] = FullBlock(n_in if place == 0 else width, width)


def stages(decoder: WanDecoder) -> list[tuple[str, nn.Module]]:
    """The decoder's parts in order, by their names in its state: conv1, middle.0, ... upsamples.14, head."""
    middle = [(f"middle.{place}", part) for place, part in enumerate(decoder.middle)]
    upsamples = [(f"upsamples.{place}", part) for place, part in enumerate(decoder.upsamples)]
    return [("conv1", decoder.conv1), *middle, *upsamples, ("head", decoder.head)]


def run_stage(stage: nn.Module, x: Tensor, cache: Cache) -> Tensor:
    """One part on a whole clip (B, C, T, H, W)."""
    if isinstance(stage, FrameAttention):
        return stage(x)
    if isinstance(stage, nn.ModuleList):
        norm, activation, conv = stage
        return conv(activation(norm(x)), cache)
    return stage(x, cache)


def walk(model: WanStudent, z: Tensor, last: str = "head") -> Iterator[tuple[str, Tensor]]:
    """The output of every part up to `last`, for a clip of latents (B, 16, T, h, w), teacher's or student's."""
    x, cache = model.conv2(z), {}
    for name, stage in stages(model.decoder):
        x = run_stage(stage, x, cache)
        yield name, x
        if name == last:
            return
