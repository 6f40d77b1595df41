"""Which tokens a step computes, and what that costs."""

import pytest
import torch
from comfyui_jano.jano.by_level.selection import ALL, Selection, select, step_class
from comfyui_jano.jano.levels.map import ALL_LEVELS, Level
from comfyui_jano.jano.show.report import StepClass
from comfyui_jano.tests.unit.toy import level_map

NONE = Selection(frozenset(), torch.tensor([], dtype=torch.long), torch.zeros(1, 2, dtype=torch.bool))


def test_the_tokens_of_some_levels_and_their_cells() -> None:
    chosen = select(level_map(), frozenset({Level.ACTIVE}), is_clip=False)
    assert chosen.tokens.tolist() == [1]
    assert chosen.cells.tolist() == [[False, True]]
    assert chosen.is_partial


def test_cells_of_clips_have_frames() -> None:
    assert select(level_map(), frozenset({Level.ACTIVE}), is_clip=True).cells.shape == (1, 1, 2)


def test_all_levels_that_occur_are_all_tokens() -> None:
    assert select(level_map(), frozenset({Level.STATIC, Level.ACTIVE}), is_clip=False) is ALL
    assert ALL.is_all
    assert not ALL.is_empty


def test_no_level_that_occurs_is_none() -> None:
    chosen = select(level_map(), frozenset({Level.MODERATE}), is_clip=False)
    assert chosen.is_empty
    assert not chosen.is_partial


@pytest.mark.parametrize(
    ("selection", "stores", "expected"),
    [
        (ALL, False, StepClass.FULL),
        (ALL, True, StepClass.STORE),
        (NONE, True, StepClass.SKIPPED),
        (select(level_map(), frozenset({Level.ACTIVE}), False), True, StepClass.ACTIVE),
        (select(level_map(), frozenset({Level.ACTIVE, Level.MODERATE}), False), True, StepClass.MODERATE),
    ],
)
def test_a_step_is_called_by_what_was_computed(selection: Selection, stores: bool, expected: StepClass) -> None:
    assert step_class(selection, stores) is expected


def test_all_levels_are_every_token_of_any_map() -> None:
    assert select(level_map(Level.STATIC, Level.MODERATE), ALL_LEVELS, is_clip=False) is ALL
