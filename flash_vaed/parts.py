"""What the decoders' parts tell whoever cuts and solves them: their convolutions, and what each of these sees."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Taps:
    """What a convolution sees: `before` frames before its own and `after` after it, with its height and width.

    Outside of the picture there are zeros, outside of the clip too, or its first and last frame `repeated`.
    """

    before: int
    after: int
    sides: tuple[int, int]
    repeated: bool = False

    @property
    def count(self) -> int:
        return (self.before + 1 + self.after) * self.sides[0] * self.sides[1]


SQUARE = Taps(0, 0, (3, 3))
"""Of a convolution of single frames."""
POINT = Taps(0, 0, (1, 1))


class Part:
    """A part with one convolution, or with two in a row around a shortcut (a block).

    taps: of its convolutions. rows: a kernel's rows for one channel of what comes out. norms: those with weights, one
    ahead of each convolution. mix: the shortcut's convolution, where there is one; mix_norm: a LayerNorm ahead of it.
    """

    taps: Taps
    rows: int = 1
    norms: tuple[nn.Module, ...] = ()
    mix: nn.Module | None = None
    mix_norm: nn.Module | None = None

    @property
    def convs(self) -> tuple[nn.Module, ...]:
        raise NotImplementedError

    def seen(self, place: int, x: Tensor) -> Tensor:
        """What convolution `place` is given where the part (the second: the first convolution) gave x."""
        raise NotImplementedError

    def skipped(self, x: Tensor) -> Tensor:
        """What `mix` is given of the block's input."""
        return x


class Separable(nn.Module):
    """A convolution within each channel, then a mix of the channels: `two` of them."""

    @property
    def two(self) -> tuple[nn.Module, nn.Module]:
        raise NotImplementedError

    def spread(self, x: Tensor) -> Tensor:
        """A whole clip behind the first of the two."""
        raise NotImplementedError


def is_separable(part: object) -> bool:
    return isinstance(part, Part) and isinstance(part.convs[0], Separable)
