"""Which decoder a file holds, told by the names and shapes of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .ltx import PATCH, LTXStudent, LTXWidths
from .others import what_else
from .wan import WanStudent, WanWidths
from .weights import SOURCE

Shapes = Mapping[str, torch.Size]

WAN_MARK = "decoder.middle.0.residual.2.depthwise_conv.weight"
LTX_MARK = "decoder.mid_block.resnets.0.conv1.depthwise.weight"
STATISTICS = ("latents_mean", "latents_std")
OTHER_STATISTICS = ("mean_of_means", "std_of_means")
"""The released LTX file has statistics under both pairs of names; which of them are more than defaults is not known."""


def student_of(weights: Mapping[str, Tensor], file: str, operations: Any = nn) -> tuple[nn.Module, dict[str, Tensor]]:
    """The decoder without its weights (on the meta device), and exactly the weights that it takes.

    ValueError with a sentence for the user where `weights` are something else or not all there.
    """
    if WAN_MARK in weights:
        make, kept = wan_student, dict(weights)
    elif LTX_MARK in weights:
        make, kept = ltx_student, decoder_and_statistics(weights)
    else:
        raise ValueError(f"{file} {what_else(weights)}.")
    shapes = {name: tensor.shape for name, tensor in kept.items()}
    try:
        with torch.device("meta"):
            student = make(shapes, operations)
    except KeyError as error:
        raise ValueError(f"{file} lacks weights of a Flash-VAED decoder ({error}); {SOURCE}.") from error
    except ValueError as error:
        raise ValueError(f"{file} looks like a Flash-VAED decoder, but {error}; {SOURCE}.") from error
    if difference := unlike(shapes, {name: tensor.shape for name, tensor in student.state_dict().items()}):
        raise ValueError(f"{file} looks like a Flash-VAED decoder, but {difference}; {SOURCE}.")
    return student, kept


def without_meaning(weights: Mapping[str, Tensor]) -> str:
    """Which weights say nothing, though their names and shapes fit; empty for none: a picture would be wrong."""
    for name, tensor in weights.items():
        if not tensor.is_floating_point():
            return f"{name} holds {str(tensor.dtype).removeprefix('torch.')} in place of weights"
        if not bool(tensor.float().isfinite().all()):
            return f"{name} holds values that are not finite numbers"
    return ""


def unlike(found: Shapes, expected: Shapes) -> str:
    """How names or shapes differ; empty where they do not."""
    missing, unknown = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing:
        return f"is incomplete: it lacks weights ({len(missing)} of {len(expected)}, such as {min(missing)})"
    if unknown:
        return f"is of another kind: it has weights that none has ({len(unknown)}, such as {min(unknown)})"
    wrong = [name for name, shape in expected.items() if found[name] != shape]
    if wrong:
        sizes = f"{tuple(found[wrong[0]])}, where all others ask for {tuple(expected[wrong[0]])}"
        return f"has weights of another shape ({len(wrong)}, such as {wrong[0]} with {sizes})"
    return ""


def take(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Loads exactly these weights, in the model's own precision. ValueError with how they differ from what it has."""
    own = {name: tensor.shape for name, tensor in model.state_dict().items()}
    difference = unlike({name: tensor.shape for name, tensor in weights.items()}, own) or without_meaning(weights)
    if difference:
        raise ValueError(difference)
    model.load_state_dict({name: tensor.detach() for name, tensor in weights.items()})


def channels(shapes: Shapes, name: str, axis: int = 0) -> int:
    """A width that a weight's shape tells. KeyError where there is no such weight, ValueError with what is wrong with
    it."""
    shape = shapes[name]
    if len(shape) <= axis or not shape[axis]:
        raise ValueError(f"{name} has the shape {tuple(shape)}, which tells no number of channels")
    return shape[axis]


def wan_student(shapes: Shapes, operations: Any) -> WanStudent:
    widths = WanWidths(
        latent=channels(shapes, "conv2.weight"),
        deep=channels(shapes, "decoder.conv1.weight"),
        entry=channels(shapes, "decoder.upsamples.3.resample.1.weight"),
        middle=channels(shapes, "decoder.upsamples.4.residual.3.gamma"),
        fine=channels(shapes, "decoder.upsamples.7.resample.1.weight"),
        finest=channels(shapes, "decoder.upsamples.11.resample.1.weight"),
        colours=channels(shapes, "decoder.head.2.weight"),
    )
    return WanStudent(widths, operations)


def ltx_student(shapes: Shapes, operations: Any) -> LTXStudent:
    widths = LTXWidths(
        latent=channels(shapes, "decoder.conv_in.conv.weight", 1),
        deep=channels(shapes, "decoder.conv_in.conv.weight"),
        fine=channels(shapes, "decoder.up_blocks.2.conv_in.conv1.conv.weight"),
        finest=channels(shapes, "decoder.up_blocks.3.conv_in.conv1.conv.weight"),
        colours=channels(shapes, "decoder.conv_out.conv.weight") // PATCH**2,
    )
    return LTXStudent(widths, operations)


def decoder_and_statistics(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An LTX file without its encoder, and with one pair of statistics: the first that says something, else 0 and 1."""
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("encoder.")}
    pairs = [[kept.pop(name, None) for name in names] for names in (STATISTICS, OTHER_STATISTICS)]
    pairs = [[values.reshape(-1) for values in pair] for pair in pairs if all(values is not None for values in pair)]
    entry = kept.get("decoder.conv_in.conv.weight")
    width = entry.shape[1] if entry is not None and entry.ndim > 1 else 0
    told = [pair for pair in pairs if are_told(*pair)] or [[torch.zeros(width), torch.ones(width)]]
    return kept | dict(zip(STATISTICS, told[0], strict=True))


def are_told(mean: Tensor, deviation: Tensor) -> bool:
    """Whether statistics are more than the 0 and 1 that a model begins with."""
    return bool((mean != 0).any() or (deviation != 1).any())
