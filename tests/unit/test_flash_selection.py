"""Choosing channels: greedy selection on second moments against regressing everything anew."""

from __future__ import annotations

import torch
from comfyui_jano.flash_vaed.selection import (
    Moments,
    explained_share,
    filled,
    pixels,
    rank_at_random,
    rank_by_norm,
    rank_channels,
    reconstruction,
)
from torch import Tensor


def correlated(channels: int = 7, rank: int = 7, samples: int = 400) -> Tensor:
    return torch.randn(samples, rank).double() @ torch.randn(rank, channels).double() + 3.0


def moments_of(*parts: Tensor) -> Moments:
    moments = Moments.of_width(parts[0].shape[1])
    for part in parts:
        moments.add(part)
    return moments


def regressed(samples: Tensor, kept: list[int]) -> float:
    """R^2 of all channels on the kept ones and a constant."""
    x = torch.cat([samples[:, kept], samples.new_ones(len(samples), 1)], dim=1)
    rest = samples - x @ torch.linalg.lstsq(x, samples).solution
    return 1 - float(rest.square().sum() / (samples - samples.mean(0)).square().sum())


def test_moments_of_parts_are_those_of_the_whole() -> None:
    samples = correlated()
    moments = moments_of(samples[:150], samples[150:])
    torch.testing.assert_close(moments.mean(), samples.mean(0))
    torch.testing.assert_close(moments.covariance(), samples.T.cov(correction=0))


def test_greedy_selection_is_that_of_brute_force() -> None:
    samples = correlated()
    ranking = rank_channels(moments_of(samples).covariance())
    kept: list[int] = []
    for taken, share in zip(ranking.order, ranking.explained, strict=True):
        shares = {channel: regressed(samples, [*kept, channel]) for channel in range(7) if channel not in kept}
        assert taken == max(shares, key=shares.get)
        assert abs(share - shares[taken]) < 1e-6
        kept.append(taken)
    assert len(kept) == 7


def test_it_is_better_than_channels_by_chance() -> None:
    covariance = moments_of(correlated(12, 4) + 0.3 * torch.randn(400, 12)).covariance()
    greedy = explained_share(covariance, list(rank_channels(covariance).order[:3]))
    assert all(greedy >= explained_share(covariance, list(rank_at_random(12, seed)[:3])) for seed in range(20))


def test_channels_that_repeat_others_are_not_ranked() -> None:
    samples = correlated(6, 2)
    ranking = rank_channels(moments_of(samples).covariance())
    assert len(ranking.order) == 2
    assert ranking.explained[-1] > 1 - 1e-5
    assert ranking.width_for(0.999) == 2


def test_the_width_for_a_share_is_the_first_that_reaches_it() -> None:
    ranking = rank_channels(moments_of(correlated()).covariance())
    for width, share in enumerate(ranking.explained, start=1):
        assert ranking.width_for(share) == width
    assert ranking.width_for(1.5) == 7


def test_reconstruction_is_least_squares() -> None:
    samples = correlated()
    moments = moments_of(samples)
    weight = reconstruction(moments.covariance(), [1, 4])
    centred = samples - samples.mean(0)
    expected = torch.linalg.lstsq(centred[:, [1, 4]], centred).solution.T
    torch.testing.assert_close(weight, expected, rtol=1e-3, atol=1e-3)
    assert abs(explained_share(moments.covariance(), [1, 4]) - regressed(samples, [1, 4])) < 1e-5


def test_a_short_order_is_filled_up() -> None:
    assert filled((5, 1), 4, 6) == [0, 1, 2, 5]
    assert filled((5, 1, 3), 2, 6) == [1, 5]


def test_the_usual_criterion_takes_large_kernels() -> None:
    weight = torch.ones(3, 2, 3, 3) * torch.tensor([1.0, 3.0, 2.0]).view(3, 1, 1, 1)
    assert rank_by_norm(weight) == (1, 2, 0)


def test_samples_are_columns_of_the_features() -> None:
    features = torch.arange(2 * 3 * 4.0).reshape(2, 3, 2, 2)
    every = pixels(features, 100, torch.Generator())
    assert every.shape == (8, 3)
    assert every[5].tolist() == features[1, :, 0, 1].tolist()
    assert pixels(features, 5, torch.Generator()).shape == (5, 3)
