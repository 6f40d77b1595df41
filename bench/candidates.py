"""Scores that are not in jano.levels.complexity, or not yet: what else the first steps say about a region."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from ..jano.levels.complexity import SCORE_FUNCTIONS, Features, curvature_score
from ..jano.levels.grid import TokenGrid
from .stats import ranks
from .trajectory import Trajectory
from .truth import high_frequency_energy, high_frequency_share, rms_per_region

Candidate = Callable[[Trajectory, TokenGrid, int], Tensor]


def of_features(score: Callable[[Features, TokenGrid], Tensor]) -> Candidate:
    return lambda run, grid, warmup: score(run.warmup(warmup), grid)


def fft_latent(run: Trajectory, grid: TokenGrid, warmup: int) -> Tensor:
    """High-frequency share of the still noisy latent: the paper's counter-example."""
    return high_frequency_share(run.x[warmup], grid)


def fft_denoised(features: Features, grid: TokenGrid) -> Tensor:
    """High-frequency share of the last x0 prediction."""
    return high_frequency_share(features.denoised[-1], grid)


def detail_denoised(features: Features, grid: TokenGrid) -> Tensor:
    """High-frequency energy of the last x0 prediction."""
    return high_frequency_energy(features.denoised[-1], grid)


def gradient(latent: Tensor, grid: TokenGrid) -> Tensor:
    """Root mean square of the differences to the next row and the next column: (..., C, T, H, W) -> (..., regions)."""
    down = pad(latent.diff(dim=-2), (0, 0, 0, 1)).square()
    across = pad(latent.diff(dim=-1), (0, 1)).square()
    return grid.mean_per_region((down + across).mean(-4)).sqrt()


def gradient_denoised(features: Features, grid: TokenGrid) -> Tensor:
    return gradient(features.denoised[-1], grid)


def gradient_velocity(features: Features, grid: TokenGrid) -> Tensor:
    return gradient(features.velocity[-1], grid)


def contrast_denoised(features: Features, grid: TokenGrid) -> Tensor:
    """Standard deviation of the last x0 prediction inside the region, root mean square over channels."""
    return contrast(features.denoised[-1], grid)


def contrast(latent: Tensor, grid: TokenGrid) -> Tensor:
    """(C, T, H, W) -> (regions,): what a region is apart from its mean."""
    variance = grid.mean_per_region(latent.square()) - grid.mean_per_region(latent).square()
    return variance.clamp(min=0.0).mean(0).sqrt()


def smoothed_contrast(features: Features, grid: TokenGrid) -> Tensor:
    """Contrast, half of it from the region's neighbours."""
    own = contrast_denoised(features, grid)
    return 0.5 * (own + with_neighbours(own, grid))


def with_neighbours(scores: Tensor, grid: TokenGrid) -> Tensor:
    """Mean over a region and its neighbours in the picture."""
    plane = scores.reshape(1, *grid.regions[1:])
    return avg_pool2d(plane, 3, stride=1, padding=1, count_include_pad=False).flatten()


def change_denoised(features: Features, grid: TokenGrid) -> Tensor:
    """Last step-to-step change of the x0 prediction."""
    return rms_per_region(features.denoised[-1] - features.denoised[-2], grid)


def change_velocity(features: Features, grid: TokenGrid) -> Tensor:
    """Step-to-step change of the velocity, averaged over the warm-up."""
    return rms_per_region(features.velocity.diff(dim=0), grid).mean(0)


def gradient_of_change(features: Features, grid: TokenGrid) -> Tensor:
    """Spatial gradient of the x0 prediction's last change: where new detail appears."""
    return gradient(features.denoised[-1] - features.denoised[-2], grid)


def relative_curvature(features: Features, grid: TokenGrid) -> Tensor:
    """Curvature over the velocity's own size."""
    return curvature_score(features, grid, 0.0) / rms_per_region(features.velocity[-1], grid)


def ranked_together(*scores: Callable[[Features, TokenGrid], Tensor]) -> Candidate:
    """Mean of the ranks that several scores give."""
    return lambda run, grid, warmup: sum(ranks(score(run.warmup(warmup), grid)) for score in scores)


def curvature(features: Features, grid: TokenGrid) -> Tensor:
    return curvature_score(features, grid, 0.0)


EXISTING: dict[str, Candidate] = {
    name: of_features(lambda features, grid, score=score: score(features, grid, 0.0))
    for name, score in SCORE_FUNCTIONS.items()
}

CANDIDATES: dict[str, Candidate] = {
    "contrast_denoised": of_features(contrast_denoised),
    "smoothed_contrast": of_features(smoothed_contrast),
    "detail_denoised": of_features(detail_denoised),
    "gradient_denoised": of_features(gradient_denoised),
    "gradient_velocity": of_features(gradient_velocity),
    "fft_latent": fft_latent,
    "fft_denoised": of_features(fft_denoised),
    "change_denoised": of_features(change_denoised),
    "change_velocity": of_features(change_velocity),
    "gradient_of_change": of_features(gradient_of_change),
    "relative_curvature": of_features(relative_curvature),
    "curvature+gradient_denoised": ranked_together(curvature, gradient_denoised),
    "gradient+change_denoised": ranked_together(gradient_denoised, change_denoised),
}
