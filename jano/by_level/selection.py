"""Which tokens a step computes: all, none, or some."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..levels.map import ALL_LEVELS, Level, LevelMap
from ..show.report import StepClass


@dataclass(frozen=True)
class Selection:
    """The computed tokens, those of some `levels`: their indices, and the latent cells that they cover (bool, over
    [frames,] height, width). Both None where they are all."""

    levels: frozenset[Level] = ALL_LEVELS
    tokens: Tensor | None = None
    cells: Tensor | None = None

    @property
    def is_all(self) -> bool:
        return self.tokens is None

    @property
    def is_empty(self) -> bool:
        return self.tokens is not None and self.tokens.numel() == 0

    @property
    def is_partial(self) -> bool:
        return not self.is_all and not self.is_empty


ALL = Selection()


def select(level_map: LevelMap, levels: frozenset[Level], is_clip: bool) -> Selection:
    """The tokens of these levels (one device synchronisation); the cells of a picture have no axis of frames."""
    mask = level_map.mask(levels)
    if bool(mask.all()):
        return ALL
    cells = level_map.grid.cells(mask)
    return Selection(levels, mask.nonzero().flatten(), cells if is_clip else cells[0])


def step_class(selection: Selection, stores: bool) -> StepClass:
    """What a call that computes this costs; `stores` tells that it fills the cache."""
    if selection.is_all:
        return StepClass.STORE if stores else StepClass.FULL
    if selection.is_empty:
        return StepClass.SKIPPED
    return StepClass.MODERATE if Level.MODERATE in selection.levels else StepClass.ACTIVE
