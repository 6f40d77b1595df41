"""First weights of the small decoder in LTX-Video's layout, from which it learns where random ones taught it nothing.

Every layer that changes size turns what it is given into the principal components of smaller patches, by least squares;
blocks add nothing yet. Time is doubled by cross-fading. Pictures are (N, 3, 1, H, W) in -1 to 1, clips of one frame.
"""

from __future__ import annotations

import torch
from torch import Tensor

from flash_vaed.least_squares import NormalEquations
from flash_vaed.ltx import PATCH, Head, LTXStudent, ResBlock, Upsampler

RIDGE = 1e-5
OFFSET = 12.0
"""Length of a constant beside every position's components, or the norms would divide their size out. PSNR of held-out
clips before any training: 17.4 dB with 1, 21.0 with 4, 22.5 with 12, 22.4 with 30."""


@torch.no_grad()
def begin(model: LTXStudent, pictures: Tensor, latents: Tensor) -> None:
    """Sets all weights of the decoder but the blocks' first convolutions, which rest as they are."""
    decoder, width = model.decoder, model.widths
    for part in decoder.modules():
        if isinstance(part, ResBlock):
            part.conv2.weight.zero_()
            part.conv2.bias.zero_()
    x = begin_entry(decoder.conv_in, model.entered(latents), components(pictures, 32, width.deep))
    first, second, third = decoder.up_blocks[1:]
    x = begin_upsampler(first.upsamplers[0], x, components(pictures, 16, width.deep))
    x = begin_narrowing(second.conv_in, x, components(pictures, 16, width.fine))
    x = begin_upsampler(second.upsamplers[0], x, components(pictures, 8, width.fine))
    x = begin_narrowing(third.conv_in, x, components(pictures, 8, width.finest))
    x = begin_upsampler(third.upsamplers[0], x, components(pictures, PATCH, width.finest))
    begin_head(decoder.conv_out, x, patches(pictures, PATCH).movedim(-1, 1))


def patches(pictures: Tensor, side: int) -> Tensor:
    """(N, 1, H / side, W / side, 3 * side^2): colours, then columns, then rows, as the decoder's head has them."""
    split = pictures.unflatten(4, (-1, side)).unflatten(3, (-1, side))
    return split.permute(0, 2, 3, 5, 1, 6, 4).flatten(4)


def components(pictures: Tensor, side: int, width: int) -> Tensor:
    """The first `width` principal components of patches, the first one's deviation 1, and the constant: (N, width, 1,
    h, w)."""
    parts = patches(pictures, side)
    centred = parts - parts.mean((0, 1, 2, 3))
    values, vectors = torch.linalg.eigh(centred.flatten(0, 3).T.cov())
    found = centred @ (vectors.flip(1)[:, :width] / values[-1].sqrt())
    found = torch.nn.functional.pad(found, (0, width - found.shape[-1]))
    signs = torch.tensor([1.0, -1.0]).repeat(width)[:width]
    return (found + OFFSET / width**0.5 * signs).movedim(-1, 1)


def solved(x: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Weight (M, C) and bias (M,) from channels x (N, C, 1, h, w) to `wanted` (N, M, 1, h, w)."""
    inputs, outputs = (tensor.movedim(1, -1).flatten(0, 3) for tensor in (x, wanted))
    equations = NormalEquations.of_size(inputs.shape[1], outputs.shape[1])
    equations.add(inputs, outputs)
    return equations.solve(torch.zeros(outputs.shape[1], inputs.shape[1]), RIDGE)


def set_middle(conv: torch.nn.Conv3d, weight: Tensor, bias: Tensor) -> None:
    """A kernel that looks at its own position alone."""
    middle = [size // 2 for size in conv.kernel_size]
    conv.weight.zero_()
    conv.weight[:, :, middle[0], middle[1], middle[2]] = weight
    conv.bias.copy_(bias)


def begin_entry(conv: torch.nn.Module, x: Tensor, wanted: Tensor) -> Tensor:
    set_middle(conv.conv, *solved(x, wanted))
    return conv(x)


def begin_narrowing(block: ResBlock, x: Tensor, wanted: Tensor) -> Tensor:
    set_middle(block.conv_shortcut.conv, *solved(block.norm3(x.movedim(1, -1)).movedim(-1, 1), wanted))
    return block(x)


def begin_upsampler(part: Upsampler, x: Tensor, wanted: Tensor) -> Tensor:
    """Of the two frames that each becomes, the first lies halfway from the frame before: its kernels take half each."""
    conv, width = part.conv.conv, x.shape[1]
    conv.weight.zero_()
    kernels, biases = conv.weight.view(width, 2, 2, 2, width, 3, 3, 3), conv.bias.view(width, 2, 2, 2)
    for row in range(2):
        for column in range(2):
            weight, bias = solved(x, wanted[..., row::2, column::2])
            kernels[:, 0, row, column, :, 0, 1, 1] = kernels[:, 0, row, column, :, 1, 1, 1] = weight / 2
            kernels[:, 1, row, column, :, 1, 1, 1] = weight
            biases[:, :, row, column] = bias[:, None]
    return part(x)


def begin_head(head: Head, x: Tensor, wanted: Tensor) -> None:
    set_middle(head.conv, *solved(head.seen(0, x), wanted))
