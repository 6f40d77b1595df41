"""The training twin of the host's Flux with reference pictures behind the picture's tokens: three kinds of them.

`step` is laid out as Flux.1 Kontext: references modulated at the step's time. `tz` is laid out as Flux.2 (one
modulation for all blocks, no guidance, no pooled text), its references modulated at time 0. `isolated` is `tz` whose
references see references only, as the KV checkpoints do: then their keys and values depend on nothing else. Order of
tokens: text, picture, references.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from flux_twin import FluxTwin, Mods, Shape, Table, patches, picture
from torch import Tensor

INDEX_SCALE = 10.0
"""Distance of two references on the first axis of the places where they are told apart by it; Flux.2's."""


@dataclass(frozen=True)
class Kind:
    """`method` is the host's name for how references are placed and modulated."""

    shape: Shape
    method: str
    isolated: bool = False


SHARED = Shape(vec_dim=None, guided=False, shared=True)
KINDS = {
    "step": Kind(Shape(), "offset"),
    "tz": Kind(SHARED, "index_timestep_zero"),
    "isolated": Kind(SHARED, "index_timestep_zero", isolated=True),
}

Size = tuple[int, int]
"""Rows and columns of tokens."""


def grid_places(size: Size, index: float = 0.0, down: int = 0, across: int = 0) -> Tensor:
    """Places (rows * columns, 3) of one picture with its corner at (index, down, across)."""
    axes = (
        torch.tensor([float(index)]),
        *(torch.arange(n) + float(start) for n, start in zip(size, (down, across), strict=True)),
    )
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)


def offset_corners(sizes: list[Size]) -> list[tuple[int, int]]:
    """Where references lie that share one plane: each beside or below the others, so that the whole grows least."""
    corners, height, width = [], 0, 0
    for rows, columns in sizes:
        beside = rows + height > columns + width
        down, across = (0, width) if beside else (height, 0)
        corners.append((down, across))
        height, width = max(height, rows + down), max(width, columns + across)
    return corners


def edit_places(kind: Kind, size: Size, references: list[Size], num_text: int) -> Tensor:
    """Places (tokens, 3) of text, picture and references."""
    if kind.method == "offset":
        corners = [(1.0, *corner) for corner in offset_corners(references)]
    else:
        corners = [(INDEX_SCALE * (number + 1), 0, 0) for number in range(len(references))]
    behind = [grid_places(shape, *corner) for shape, corner in zip(references, corners, strict=True)]
    return torch.cat([torch.zeros(num_text, 3), grid_places(size), *behind])


def isolation(num_seen: int, num_references: int) -> Tensor:
    """Mask (N, N), true where a row sees a column: references see references alone, text and picture see all."""
    is_reference = torch.arange(num_seen + num_references) >= num_seen
    return ~is_reference[:, None] | is_reference[None, :]


def spread(mods: Mods, num_first: int, num_rest: int) -> Mods:
    """Modulations (B, times, D) -> per token: the first tokens at the first time, the rest at the last."""
    if mods[0].shape[1] == 1:
        return mods
    first, rest = ([mod[:, time : time + 1] for mod in mods] for time in (0, 1))
    pairs = zip(first, rest, strict=True)
    return tuple(torch.cat([a.expand(-1, num_first, -1), b.expand(-1, num_rest, -1)], dim=1) for a, b in pairs)


class EditTwin(FluxTwin):
    """Predicts noise - latent from a noised latent and references."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind.shape)
        self.kind = kind

    def times(self, t: Tensor, pooled: Tensor) -> Tensor:
        """Conditioning vectors (B, 1 or 2, D): the step's, and that of time 0 where references have it."""
        vectors = [self.vector(t, pooled)]
        if self.kind.method == "index_timestep_zero":
            vectors.append(self.vector(torch.zeros_like(t), pooled))
        return torch.stack(vectors, dim=1)

    def forward(
        self, x: Tensor, t: Tensor, context: Tensor, pooled: Tensor, table: Table, references: list[Tensor]
    ) -> Tensor:
        """As FluxTwin's, the table with the references' places behind; references (B, C, h, w) each -> like x."""
        vec, txt, main = self.times(t, pooled), self.txt_in(context), self.img_in(patches(x))
        img = torch.cat([main, *(self.img_in(patches(reference)) for reference in references)], dim=1)
        num_main, num_text = main.shape[1], txt.shape[1]
        num_behind, num_seen = img.shape[1] - num_main, num_main + num_text
        mask = isolation(num_seen, num_behind).to(x.device) if self.kind.isolated else None
        for block in self.double_blocks:
            img_mod, txt_mod = self.double_mods(block, vec)
            img, txt = block(img, txt, spread(img_mod, num_main, num_behind), txt_mod, table, mask)
        both = torch.cat([txt, img], dim=1)
        for block in self.single_blocks:
            both = block(both, spread(self.single_mods(block, vec), num_seen, num_behind), table, mask)
        return picture(self.final_layer(both[:, num_text:num_seen], vec[:, :1]), *x.shape[-2:])
