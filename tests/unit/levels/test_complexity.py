"""Complexity scores on pictures small enough to compute by hand, and against the printed equations."""

import pytest
import torch
from comfyui_jano.jano.config import NORMALISATIONS, SCORES, AnalyzerConfig
from comfyui_jano.jano.levels import complexity
from comfyui_jano.jano.levels.complexity import (
    SCORE_FUNCTIONS,
    Features,
    contrast_score,
    curvature_score,
    frame_change,
    interval,
    interval_difference,
    normalised_scores,
    pairwise_score,
    paper_score,
    weighted,
)
from comfyui_jano.jano.levels.grid import TokenGrid
from torch import Tensor

TWO_REGIONS = TokenGrid(latent=(1, 1, 4), patch=(1, 1, 1), region=(1, 1, 2))
CLIP = TokenGrid(latent=(4, 5, 7), patch=(1, 2, 2), region=(2, 1, 2))  # ragged in every direction


def features(*steps: list) -> Features:
    """Velocities of one channel: one row of four cells a step."""
    velocity = torch.tensor(steps, dtype=torch.float32).reshape(len(steps), 1, 1, 1, 4)
    return Features(velocity, torch.zeros_like(velocity))


def random_features(steps: int, grid: TokenGrid) -> Features:
    velocity = torch.randn(steps, 3, *grid.latent)
    return Features(velocity, torch.zeros_like(velocity))


def test_curvature_is_zero_where_the_velocity_changes_evenly() -> None:
    score = curvature_score(features([0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 5, 5]), TWO_REGIONS, 0.7)
    assert score.tolist() == [0.0, 3.0]  # 5 - 2 * 1 + 0


def test_contrast_is_the_spread_inside_a_region_in_the_last_prediction() -> None:
    velocity = torch.zeros(2, 1, 1, 1, 4)
    denoised = torch.tensor([[9, 0, 0, 9], [0, 2, 5, 5]], dtype=torch.float32).reshape(2, 1, 1, 1, 4)
    score = SCORE_FUNCTIONS["contrast"](Features(velocity, denoised), TWO_REGIONS, 0.7)
    assert score.tolist() == [1.0, 0.0]  # 0 and 2 lie 1 from their mean; 5 and 5 do not differ


def of_clip(denoised: Tensor) -> Features:
    """Features whose last prediction is `denoised` (C, T, H, W)."""
    steps = torch.stack((torch.randn_like(denoised), denoised))
    return Features(torch.zeros_like(steps), steps)


def test_a_frame_changes_as_much_as_it_differs_from_either_neighbour() -> None:
    x0 = torch.tensor([[0.0, 0.0, 3.0, 2.0], [0.0, 0.0, 1.0, 1.0]]).reshape(2, 4, 1, 1)
    assert frame_change(x0).flatten().tolist() == [0.0, 5.0, 5.0, 0.5]  # (9 + 1) / 2 and (1 + 0) / 2


def test_contrast_in_a_clip_adds_the_spread_from_frame_to_frame() -> None:
    """A flat region that blinks by 4: its values lie 2 and -2 from their mean, a variance of 4^2 / 2 per pair."""
    grid = TokenGrid(latent=(3, 1, 4), patch=(1, 1, 1), region=(1, 1, 2))
    x0 = torch.zeros(1, 3, 1, 4)
    x0[:, 1, :, 2:] = 4.0
    x0[..., 0] = 2.0
    score = contrast_score(of_clip(x0), grid, 0.75)
    moves, varies = 0.75 * 8**0.5, 0.25 * 1.0
    torch.testing.assert_close(score, torch.tensor([varies, moves] * 3))


def test_contrast_of_a_moving_thing_is_high_where_it_moves_and_only_there() -> None:
    """A still checkerboard on the left, a flat square on the right that goes away after the first of four frames."""
    grid = TokenGrid.with_region_cells((4, 4, 8), (1, 2, 2), (1, 4, 4))
    x0 = torch.zeros(3, 4, 4, 8)
    x0[..., ::2, :4:2] = 1.0
    x0[:, 0, :, 4:] = 1.0
    texture, moving = contrast_score(of_clip(x0), grid, 0.9).reshape(4, 2).unbind(1)
    assert (texture[0] == texture).all()
    assert (moving[:2] > texture[:2]).all()
    assert (moving[2:] == 0).all()


def test_in_a_picture_contrast_has_no_temporal_part() -> None:
    x0 = torch.randn(3, 1, 1, 4)
    assert torch.equal(contrast_score(of_clip(x0), TWO_REGIONS, 1.0), contrast_score(of_clip(x0), TWO_REGIONS, 0.0))


def test_curvature_of_two_steps_is_their_difference() -> None:
    assert curvature_score(features([0, 0, 0, 0], [3, 4, 0, 0]), TWO_REGIONS, 0.7).tolist() == pytest.approx(
        [12.5**0.5, 0.0]
    )


@pytest.mark.parametrize(("steps", "k"), [(1, 1), (2, 1), (3, 1), (4, 2), (7, 3)])
def test_the_interval_is_half_the_steps(steps: int, k: int) -> None:
    assert interval(steps) == k


def test_the_interval_difference_is_over_k_steps() -> None:
    gradient = torch.tensor([0.0, 1.0, 4.0, 9.0]).reshape(4, 1)  # k = 2: |4 - 0| and |9 - 1|
    assert interval_difference(gradient).tolist() == [6.0]


def test_one_step_has_no_change() -> None:
    assert interval_difference(torch.ones(1, 3)).tolist() == [0.0, 0.0, 0.0]


def test_the_paper_score_of_a_row() -> None:
    """Gradients between neighbours within a region: 0 then 6 in the first, 0 then 0 in the second; half counts."""
    score = paper_score(features([1, 1, 2, 2], [1, 7, 3, 3]), TWO_REGIONS, 0.7)
    assert score.tolist() == [3.0, 0.0]


def test_the_pairwise_score_of_a_row() -> None:
    """Distances of the pairs (1, 1) (1, 2) (2, 1) (2, 2) change by 0, 6, 6, 0."""
    score = pairwise_score(features([1, 1, 2, 2], [1, 7, 3, 3]), TWO_REGIONS, 0.7)
    assert score.tolist() == pytest.approx([3.0, 0.0])


def test_a_single_frame_has_no_temporal_part() -> None:
    assert weighted(torch.tensor(100.0), torch.tensor(2.0), TWO_REGIONS, 0.7) == 2.0
    assert weighted(torch.tensor(10.0), torch.tensor(2.0), CLIP, 0.75) == 8.0


@pytest.mark.parametrize("weight", [0.0, 0.7, 1.0])
def test_the_paper_score_follows_the_printed_equations(weight: float) -> None:
    clip = random_features(4, CLIP)
    expected = by_loops(clip.velocity, CLIP, weight)
    torch.testing.assert_close(paper_score(clip, CLIP, weight), expected, rtol=1e-4, atol=1e-5)


def by_loops(velocity: Tensor, grid: TokenGrid, weight: float) -> Tensor:
    """Equations 10 to 15, one pair of neighbours at a time."""
    f = velocity.mean(1)
    k = len(f) // 2
    region = grid.region_of_cell().reshape(grid.latent)
    sums = torch.zeros(3, grid.num_regions)
    counts = torch.zeros(3, grid.num_regions)
    for cell in torch.cartesian_prod(*map(torch.arange, grid.latent)).tolist():
        for axis in range(3):
            other = [c + (i == axis) for i, c in enumerate(cell)]
            if other[axis] == grid.latent[axis] or region[tuple(cell)] != region[tuple(other)]:
                continue
            gradient = f[(slice(None), *other)] - f[(slice(None), *cell)]
            sums[axis, region[tuple(cell)]] += (gradient[k:] - gradient[:-k]).abs().mean()
            counts[axis, region[tuple(cell)]] += 1
    temporal, rows, columns = sums / counts.clamp(min=1)
    return weight * temporal + (1 - weight) * 0.5 * (rows + columns)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_tells_a_restless_region_from_a_still_one(name: str) -> None:
    grid = TokenGrid(latent=(2, 8, 8), patch=(1, 2, 2), region=(2, 2, 2))
    velocity = torch.zeros(4, 3, 2, 8, 8)
    velocity[..., 4:, 4:] = torch.randn(4, 3, 2, 4, 4)
    score = SCORE_FUNCTIONS[name](Features(velocity, velocity), grid, 0.7)
    assert score.argmax() == 3
    assert score[:3].max() < 0.1 * score[3]


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("latent", [(1, 17, 13), (3, 9, 8), (1, 1, 1)])
def test_every_score_has_one_finite_number_a_region(name: str, latent: tuple) -> None:
    grid = TokenGrid.with_region_cells(latent, (1, 2, 2), (1, 8, 8))
    score = SCORE_FUNCTIONS[name](random_features(3, grid), grid, 0.7)
    assert score.shape == (grid.num_regions,)
    assert score.isfinite().all()
    assert (score >= 0).all()


def test_the_names_a_user_can_choose_are_those_that_exist() -> None:
    assert tuple(SCORE_FUNCTIONS) == SCORES


def test_every_picture_of_a_batch_is_normalised_by_its_own_range() -> None:
    quiet, loud = features([0, 0, 0, 0], [1, 1, 2, 2]), features([0, 0, 0, 0], [100, 100, 300, 300])
    scores = normalised_scores([quiet, loud], TWO_REGIONS, AnalyzerConfig(score="curvature", normalisation="minmax"))
    assert scores.tolist() == [[0.0, 1.0], [0.0, 1.0]]


def test_holes_are_filled_before_scores_become_shares() -> None:
    """A busy ring around an empty region: filled, eight in nine regions rank equally high."""
    grid = TokenGrid(latent=(1, 6, 6), patch=(1, 2, 2), region=(1, 1, 1))
    x0 = torch.zeros(1, 1, 6, 6)
    x0[..., ::2] = 1.0
    x0[..., 2:4, 2:4] = 0.0
    scores = [normalised_scores([of_clip(x0)], grid, AnalyzerConfig(fill_holes=fill))[0] for fill in (False, True)]
    assert scores[0].tolist() == pytest.approx([1, 1, 1, 1, 1 / 9, 1, 1, 1, 1])
    assert scores[1].tolist() == [1.0] * 9


@pytest.mark.parametrize("fill_holes", [False, True])
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf"), 3e38])
def test_a_region_that_is_no_number_is_the_most_complex(
    name: str, broken: float, normalisation: str, fill_holes: bool
) -> None:
    """The run goes on: the others keep their order, and what cannot be judged is computed."""
    grid = TokenGrid(latent=(1, 6, 6), patch=(1, 2, 2), region=(1, 1, 1))
    velocity = torch.randn(3, 2, 1, 6, 6)
    velocity[-1, ..., 2, 2], velocity[-1, ..., 3, 3] = broken, -broken
    config = AnalyzerConfig(score=name, normalisation=normalisation, fill_holes=fill_holes)
    (scores,) = normalised_scores([Features(velocity, velocity)], grid, config)
    assert scores.isfinite().all()
    assert (scores >= 0).all()
    assert (scores <= 1).all()
    assert scores[4] == 1.0
    assert scores.unique().numel() > 2


@pytest.mark.parametrize("name", SCORES)
def test_where_nothing_is_a_number_everything_is_complex(name: str) -> None:
    nothing = torch.full((3, 2, *CLIP.latent), float("nan"))
    config = AnalyzerConfig(score=name, normalisation="minmax", fill_holes=True)
    assert normalised_scores([Features(nothing, nothing)], CLIP, config).eq(1.0).all()


@pytest.mark.parametrize("region", [(1, 1, 1), (512, 512, 512), (1, 512, 1), (512, 1, 512)], ids=str)
@pytest.mark.parametrize("latent", [(1, 66, 50), (9, 20, 18)], ids=str)
@pytest.mark.parametrize("name", SCORES)
def test_every_size_of_region_is_affordable(monkeypatch, name: str, latent: tuple, region: tuple) -> None:
    """A region is never larger than the latent, and of its pairs only some are held at once."""
    held, cdist = [0], torch.cdist

    def counted(a: Tensor, b: Tensor) -> Tensor:
        held.append(a.shape[:-2].numel() * a.shape[-2] * b.shape[-2])
        return cdist(a, b)

    monkeypatch.setattr(torch, "cdist", counted)
    monkeypatch.setattr(complexity, "PAIRS_AT_ONCE", 1 << 21)
    grid = TokenGrid.with_region_cells(latent, (1, 2, 2), region)
    assert all(part <= size for part, size in zip(grid.region, grid.tokens, strict=True))
    scores = normalised_scores([random_features(3, grid)], grid, AnalyzerConfig(score=name))
    assert scores.shape == (1, grid.num_regions)
    assert max(held) <= 1 << 21


def test_pairs_taken_in_parts_give_the_same_score(monkeypatch) -> None:
    clip = random_features(4, CLIP)
    whole = pairwise_score(clip, CLIP, 0.7)
    monkeypatch.setattr(complexity, "PAIRS_AT_ONCE", 1)
    torch.testing.assert_close(pairwise_score(clip, CLIP, 0.7), whole)
