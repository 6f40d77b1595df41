"""From scores to levels."""

import pytest
import torch
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.levels import map as levels
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.map import (
    ALL_LEVELS,
    Level,
    LevelMap,
    classify,
    fill_holes,
    normalise_minmax,
    normalise_robust,
)

S, M, A = int(Level.STATIC), int(Level.MODERATE), int(Level.ACTIVE)
ROW = TokenGrid(latent=(1, 1, 4), patch=(1, 1, 1), region=(1, 1, 1))
THRESHOLDS = SchedulerConfig(static_threshold=0.3, moderate_threshold=0.6)


def row(*levels: int) -> LevelMap:
    return LevelMap(ROW, torch.tensor(levels, dtype=torch.uint8), torch.zeros(4))


def test_a_score_on_a_threshold_has_the_lower_level() -> None:
    scores = torch.tensor([0.3, 0.31, 0.6, 0.61])
    assert classify(scores, ROW, THRESHOLDS).levels.tolist() == [S, M, M, A]


def test_in_a_batch_the_highest_level_counts() -> None:
    scores = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.2, 0.5, 0.2, 0.9]])
    chosen = classify(scores, ROW, THRESHOLDS)
    assert chosen.levels.tolist() == [S, M, M, A]
    assert chosen.scores.tolist() == pytest.approx([0.2, 0.5, 0.5, 0.9])


def test_tokens_have_the_level_of_their_region() -> None:
    grid = TokenGrid(latent=(1, 1, 3), patch=(1, 1, 1), region=(1, 1, 2))
    assert classify(torch.tensor([0.9, 0.1]), grid, THRESHOLDS).levels.tolist() == [A, A, S]


@pytest.mark.parametrize(
    ("thresholds", "levels"),
    [((0.0, 0.0), [S, A, A, A]), ((1.0, 1.0), [S, S, S, S]), ((0.0, 1.0), [S, M, M, M]), ((0.5, 0.5), [S, S, S, A])],
)
def test_thresholds_at_their_ends(thresholds: tuple, levels: list) -> None:
    config = SchedulerConfig(static_threshold=thresholds[0], moderate_threshold=thresholds[1])
    assert classify(torch.tensor([0.0, 0.1, 0.5, 1.0]), ROW, config).levels.tolist() == levels


def test_a_mask_marks_the_tokens_of_its_levels() -> None:
    chosen = row(S, M, A, A)
    assert chosen.mask(frozenset({Level.ACTIVE})).tolist() == [False, False, True, True]
    assert chosen.mask(frozenset({Level.STATIC, Level.MODERATE})).tolist() == [True, True, False, False]
    assert chosen.mask(ALL_LEVELS).all()
    assert not chosen.mask(frozenset()).any()


def test_shares_add_up_to_one() -> None:
    assert row(S, M, A, A).share() == {Level.STATIC: 0.25, Level.MODERATE: 0.25, Level.ACTIVE: 0.5}
    assert row(A, A, A, A).share() == {Level.STATIC: 0.0, Level.MODERATE: 0.0, Level.ACTIVE: 1.0}


def test_minmax_stretches_to_the_ends() -> None:
    assert normalise_minmax(torch.tensor([2.0, 3.0, 6.0])).tolist() == [0.0, 0.25, 1.0]


@pytest.mark.parametrize("normalise", [normalise_minmax, normalise_robust])
def test_equal_scores_are_all_zero(normalise) -> None:
    assert normalise(torch.full((5,), 3.0)).tolist() == [0.0] * 5


def test_one_outlier_does_not_make_the_rest_static() -> None:
    scores = torch.cat((torch.linspace(0, 1, 99), torch.tensor([1000.0])))
    assert normalise_minmax(scores)[:99].max() < 0.01
    robust = normalise_robust(scores)
    assert robust[50] == pytest.approx(0.5, abs=0.03)
    assert (robust[0], robust[99]) == (0.0, 1.0)


def frames_of(*rows: str) -> tuple[torch.Tensor, TokenGrid]:
    """Scores written as digits: one string a row, frames parted by an empty one."""
    frames = [[[float(digit) for digit in row] for row in frame.split()] for frame in "\n".join(rows).split("\n\n")]
    scores = torch.tensor(frames)
    return scores.flatten(), TokenGrid(tuple(scores.shape), (1, 1, 1), (1, 1, 1))


def test_a_hole_is_filled_up_to_the_lowest_of_its_rim() -> None:
    scores, grid = frames_of("00000", "08790", "07180", "09980", "00000")
    filled, _ = frames_of("00000", "08790", "07780", "09980", "00000")
    assert torch.equal(fill_holes(scores, grid), filled)


def test_a_ring_closes_over_corners_but_not_with_a_gap() -> None:
    scores, grid = frames_of("01110", "10001", "10001", "01101", "00000")
    assert torch.equal(fill_holes(scores, grid), scores)  # the gap is in the ring's lowest row
    scores, grid = frames_of("00000", "00100", "01010", "00100", "00000")
    assert fill_holes(scores, grid).reshape(5, 5)[2, 2] == 1


def test_frames_are_filled_by_themselves_and_a_picture_of_two_rows_has_no_holes() -> None:
    ring, grid = frames_of("111", "101", "111", "", "111", "101", "101")
    assert fill_holes(ring, grid).reshape(2, 3, 3)[:, 1, 1].tolist() == [1, 0]
    scores, grid = frames_of("9191", "1919")
    assert torch.equal(fill_holes(scores, grid), scores)


def test_equal_scores_have_no_holes() -> None:
    scores, grid = frames_of("333", "333", "333")
    assert torch.equal(fill_holes(scores, grid), scores)


def test_filling_ends_on_scores_that_are_no_numbers(monkeypatch) -> None:
    pool, calls = levels.max_pool2d, []

    def counted(*args: object) -> torch.Tensor:
        calls.append(1)
        assert len(calls) < 1000, "filling does not end"
        return pool(*args)

    monkeypatch.setattr(levels, "max_pool2d", counted)
    grid = TokenGrid((1, 8, 8), (1, 1, 1), (1, 1, 1))
    assert fill_holes(torch.full((64,), float("nan")), grid).shape == (64,)
