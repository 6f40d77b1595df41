"""What counts as moving in a finished clip."""

import torch
from comfyui_jano.bench.truth import MOVES, moving_tokens
from comfyui_jano.jano.levels.grid import TokenGrid

GRID = TokenGrid.with_region_cells((4, 4, 6), (1, 2, 2), (1, 4, 4))


def test_a_token_moves_in_the_frames_before_and_after_a_change() -> None:
    clip = torch.zeros(16, 4, 4, 6)
    clip[:, 2:, :2, 2:4] = 1.1 * MOVES
    moving = moving_tokens(clip, GRID).reshape(GRID.tokens)
    assert moving.nonzero().tolist() == [[1, 0, 1], [2, 0, 1]]


def test_small_changes_and_lasting_textures_do_not_count() -> None:
    clip = torch.randn(16, 1, 4, 6).expand(-1, 4, -1, -1) + 0.9 * MOVES * torch.tensor([0, 1, 0, 1]).view(1, 4, 1, 1)
    assert not moving_tokens(clip, GRID).any()
