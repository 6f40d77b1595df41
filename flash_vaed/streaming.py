"""Decoding a clip piece by piece: in time into one buffer, in space by overlapping tiles.

`decode`, `decode_tiled`, `decode_output_shape` and `comfy_has_chunked_io` are the names by which ComfyUI asks a
decoder to write into a buffer of its own and to tile by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor, nn

from .tiles import tiles


class StreamedDecoder(nn.Module):
    """A decoder that gives a clip's frames in `chunks`; each latent cell becomes `cell` (frames, height, width)."""

    comfy_has_chunked_io = True
    cell: tuple[int, int, int]
    colours: int
    decoder: nn.Module
    """With `stages()`: its parts in order, by their names in its state (the last is "head"), each for whole clips."""

    def chunks(self, z: Tensor) -> Iterator[Tensor]:
        """The frames (B, C, T, H, W) of latents z, in order."""
        raise NotImplementedError

    def entered(self, z: Tensor) -> Tensor:
        """What the decoder's first stage is given of latents z."""
        raise NotImplementedError

    def live_elements(self, shape: torch.Size) -> float:
        """The most elements that tensors hold at one time while latents of `shape` are decoded, without the frames."""
        raise NotImplementedError

    def decode_output_shape(self, shape: torch.Size) -> tuple[int, ...]:
        """The shape of the frames of latents of `shape`; the first latent is one frame."""
        batch, _, latents, *sides = shape
        time, *space = self.cell
        return batch, self.colours, time * (latents - 1) + 1, *(a * b for a, b in zip(sides, space, strict=True))

    def decode(self, z: Tensor, output_buffer: Tensor | None = None) -> Tensor:
        """The frames of latents z, written into the buffer (any device) as they are made."""
        if output_buffer is None:
            output_buffer = z.new_empty(self.decode_output_shape(z.shape))
        at = 0
        for frames in self.chunks(z):
            output_buffer[:, :, at : at + frames.shape[2]].copy_(frames)
            at += frames.shape[2]
        return output_buffer

    def decode_tiled(
        self,
        z: Tensor,
        tile_x: int = 32,
        tile_y: int = 32,
        overlap: int = 8,
        tile_t: int | None = None,
        overlap_t: int | None = None,
    ) -> Tensor:
        """The frames of latents z on the CPU, from tiles that fade into each other; sizes in latent cells.

        Each tile is decoded over the whole clip: cut in time, a causal decoder would begin anew at every cut and the
        clip would blink. Hence `tile_t` and `overlap_t` change nothing, and memory does not need them to.
        """
        frames = torch.zeros(self.decode_output_shape(z.shape))
        rows = tiles(z.shape[3], tile_y, overlap, self.cell[1])
        columns = tiles(z.shape[4], tile_x, overlap, self.cell[2])
        for row, column in product(rows, columns):
            weight = row.weight[:, None] * column.weight
            at, target = 0, frames[..., row.pixels, column.pixels]
            for part in self.chunks(z[..., row.cells, column.cells]):
                target[:, :, at : at + part.shape[2]] += weight * part.to(frames)
                at += part.shape[2]
        return frames
