"""Lumina 2 and Z-Image omni: their references come with captions of their own, and as a vision model sees them.

A sequence is [captions: the references', the picture's, what is left][seen: the references', padding][references,
picture]. Captions are refined among themselves, then what is seen, then the latents; every block attends to all.
Everything but the picture and its caption is at time zero, and left out together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn

from .layout import Counted, Places

CAPTIONS, SEEN = "ref_contexts", "siglip_feats"


@dataclass(frozen=True)
class Pieces:
    """Tokens of a call, each piece padded by itself: the references' `captions`, `left` captions that belong to no
    picture, what the vision model saw of the references, its `padding` for the picture, `references`, the `picture`."""

    captions: int
    left: int
    seen: int
    padding: int
    references: int
    picture: int = 0

    @property
    def left_out(self) -> int:
        return self.captions + self.left + self.seen + self.padding + self.references

    def positions(self) -> Places:
        """In the order in which the host counts: each reference's pieces, the picture's, the rest."""
        before = self.captions + self.seen + self.references
        return (0, before, None, self.padding, self.picture, self.left)

    def attentions(self, network: nn.Module, stores: bool) -> Counted:
        refiners, sees = len(network.context_refiner), stores and self.seen + self.padding > 0
        behind = self.left + self.seen + self.padding + self.references
        stages = [
            (refiners, (0, self.captions, None, self.left)),
            (len(network.siglip_refiner) if sees else 0, None),
            (len(network.noise_refiner), (0, self.references, self.picture)),
            (len(network.layers), (0, self.captions, None, behind, self.picture)),
        ]
        return Counted(stages)

    def kept(self, network: nn.Module) -> tuple[tuple[int, int], ...]:
        """Of how many blocks the keys and values of how many tokens are kept."""
        return (
            (len(network.context_refiner), self.captions + self.left),
            (len(network.noise_refiner), self.references),
            (len(network.layers), self.left_out),
        )


def pieces(network: nn.Module, references: Sequence[int], conds: Mapping[str, object], picture: int = 0) -> Pieces:
    """Of a call with these arguments; the references and the picture have so many tokens before they are padded."""
    padded = _padding(network.pad_tokens_multiple)
    captions = [padded(caption.shape[1]) for caption in conds.get(CAPTIONS) or ()]
    seen = [padded(prod(feature.shape[1:-1])) for feature in conds.get(SEEN) or ()]
    missing, sees = padded(1), network.siglip_embedder is not None
    return Pieces(
        sum(_one_each(captions, len(references), missing)),
        sum(captions[len(references) :]),
        sum(_one_each(seen, len(references), missing)) if sees else 0,
        missing if sees else 0,
        sum(map(padded, references)),
        padded(picture),
    )


def _padding(multiple: int | None) -> Callable[[int], int]:
    return lambda tokens: tokens if multiple is None else -(-tokens // multiple) * multiple


def _one_each(given: list[int], wanted: int, missing: int) -> list[int]:
    """So many: padding stands where one is missing, and one too many is not looked at."""
    return [*given[:wanted], *[missing] * (wanted - len(given))]


def of_a_conditioning(told: Mapping[str, object]) -> dict[str, list[Tensor]]:
    """The same arguments by their names in a conditioning; only the shapes are the call's."""
    seen = [output.last_hidden_state for output in told.get("clip_vision_outputs") or () if output is not None]
    return {CAPTIONS: list(told.get("reference_latents_text_embeds") or ()), SEEN: seen}
