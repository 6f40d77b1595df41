"""Which rows of a transformer's sequences are computed in one call, and the reduced copies of what goes with them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...by_level.engine import Call
from ...by_level.kv_cache import KVCache
from ...prefetch import Prefetch
from ...refusal import Unaccelerated
from ...sentences import say
from ...storage import Packed
from ..live import Live


@dataclass(frozen=True)
class Layout:
    """Lengths of the joint sequence [text, image tokens of the latent, further image tokens]."""

    num_text: int
    num_main: int
    num_extra: int

    @property
    def num_image(self) -> int:
        return self.num_main + self.num_extra

    @property
    def length(self) -> int:
        return self.num_text + self.num_image


class TokenRows:
    """The rows of one transformer call. Text and further image tokens (references) are always computed.

    `image` indexes the image sequence, `joint` the sequence with the text (or `num_front` reference tokens) in front;
    both ascend.
    """

    def __init__(self, call: Call, num_main: int, cache: KVCache, num_front: int = 0) -> None:
        self.call, self.cache, self.num_front = call, cache, num_front
        self._num_main = num_main
        self.layout: Layout | None = None
        self.image: Tensor | None = None
        self.joint: Tensor | None = None
        self.layers: set[Hashable] = set()
        self.ran_out = False
        self._ahead: Prefetch[tuple[Packed, ...]] | None = None
        self._gathered: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def partial(self) -> bool:
        return self.call.selection.is_partial

    def fetched(self, layer: Hashable, device: torch.device) -> tuple[Packed, ...]:
        """What is kept of a layer on its device; that of the next is under way."""
        self._ahead = self._ahead or self.cache.ahead(self.call.chunks, device)
        return self._ahead.of(layer)

    def settle(self, num_text: int, num_image: int) -> None:
        """Learn the sequence lengths from the first block; raises Unaccelerated if a later one disagrees."""
        layout = Layout(num_text, self._num_main, num_image - self._num_main)
        if layout.num_extra < 0 or (self.layout is not None and self.layout != layout):
            raise Unaccelerated(say("odd_length", got=num_image, expected=self._num_main))
        if self.layout is None:
            self.layout = layout
            if self.partial:
                self._index(layout)

    def _index(self, layout: Layout) -> None:
        chosen = self.call.selection.tokens
        extra = torch.arange(layout.num_main, layout.num_image, device=chosen.device)
        self.image = torch.cat((chosen, extra))
        self.joint = torch.cat((torch.arange(layout.num_text, device=chosen.device), layout.num_text + self.image))

    def gather_joint(self, source: Tensor | None, dim: int) -> Tensor | None:
        """Rows of a table over the joint sequence (positions, masks); gathered once per call."""
        return None if source is None else self.once(source, lambda: source.index_select(dim, self.joint))

    def once(self, source: Tensor, reduce: Callable[[], Tensor]) -> Tensor:
        """What `reduce` makes of a tensor that all blocks share, made once per call."""
        if id(source) not in self._gathered:
            self._gathered[id(source)] = (source, reduce())  # with its source, so that the id stays taken
        return self._gathered[id(source)][1]

    def ranges(self, ranges: list, offset: int) -> list:
        """(start, end, index) ranges over [offset + image tokens], moved to where their rows went.

        Borders may only lie around the latent's tokens, where the host puts those of reference images.
        """
        layout, chosen = self.layout, self.call.selection.tokens.numel()
        moved = {offset + layout.num_main: offset + chosen, offset + layout.num_image: offset + self.image.numel()}
        moved |= {position: position for position in (0, offset)}
        try:
            return [(moved[start], moved[end], index) for start, end, index in ranges]
        except KeyError:
            raise Unaccelerated(say("odd_ranges", ranges=str(ranges))) from None


@dataclass
class BlockPass(Live):
    """One transformer block inside one call: what attention inside it must know."""

    layer: Hashable
    rows: TokenRows
    residual: Tensor | None = None
    attentions: int = field(default=0)

    def next_is_joint(self) -> bool:
        """Whether the attention that runs now is the block's self-attention (its first)."""
        self.attentions += 1
        return self.attentions == 1

    def require(self, attentions: int) -> None:
        """Raises Unaccelerated unless the block attended this often; else some attention was not seen, or in parts."""
        if self.attentions != attentions:
            raise Unaccelerated(say("odd_attentions", got=self.attentions, expected=attentions))
