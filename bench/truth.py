"""What a score should foretell, read from a complete run; every truth is one number per region, larger means busier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..jano.levels.complexity import frame_change
from ..jano.levels.grid import TokenGrid
from .trajectory import Trajectory

Truth = Callable[[Trajectory, TokenGrid], Tensor]

# Tolerance of `settling_step`, as a share of the final latent's root mean square.
SETTLED = 0.1
# Steps over which `hold_error` holds a velocity.
HELD = 3
# Change per channel, in model latents, from which a token counts as moving.
MOVES = 0.35


def rms_per_region(values: Tensor, grid: TokenGrid) -> Tensor:
    """(..., C, T, H, W) -> (..., regions), root mean square over channels and cells."""
    return grid.mean_per_region(values.square().mean(-4)).sqrt()


def high_frequency_share(latent: Tensor, grid: TokenGrid) -> Tensor:
    """(C, T, H, W) -> (regions,): energy outside a quarter-radius circle of the centred 2D FFT of every region's
    slice, over all energy, averaged over channels and frames (paper section 3). Regions must fit evenly."""
    power = region_spectra(latent, grid)
    share = (power * outside_quarter(power)).sum((-2, -1)) / power.sum((-2, -1)).clamp(min=1e-12)
    return share.mean((1, 2))


def high_frequency_energy(latent: Tensor, grid: TokenGrid) -> Tensor:
    """As `high_frequency_share` but the energy itself (its square root)."""
    power = region_spectra(latent, grid)
    return (power * outside_quarter(power)).sum((-2, -1)).mean((1, 2)).sqrt()


def region_spectra(latent: Tensor, grid: TokenGrid) -> Tensor:
    """Centred power spectra (regions, C, T, h, w)."""
    _, h, w = grid.region_cells
    parts = latent.unfold(2, h, h).unfold(3, w, w)  # (C, T, rows, columns, h, w)
    parts = parts.movedim((2, 3), (0, 1)).flatten(0, 1)
    return torch.fft.fftshift(torch.fft.fft2(parts), dim=(-2, -1)).abs().square()


def outside_quarter(power: Tensor) -> Tensor:
    h, w = power.shape[-2:]
    rows, columns = torch.arange(h) - h // 2, torch.arange(w) - w // 2
    return rows[:, None].square() + columns.square() > (min(h, w) / 4) ** 2


def complexity(run: Trajectory, grid: TokenGrid) -> Tensor:
    """Ground-truth complexity: the high-frequency share of the final latent (paper section 3)."""
    return high_frequency_share(run.x[-1], grid)


def detail(run: Trajectory, grid: TokenGrid) -> Tensor:
    """The high-frequency energy of the final latent, not divided by all energy."""
    return high_frequency_energy(run.x[-1], grid)


def convergence(run: Trajectory, grid: TokenGrid) -> Tensor:
    """Ground-truth convergence: |latent change| over every tenth of the run, from a fifth on, added up (paper section
    3: from step 10 of 50, every 5 steps)."""
    start, every = round(0.2 * run.num_steps), max(1, round(0.1 * run.num_steps))
    return grid.mean_per_region(run.x[start::every].diff(dim=0).abs().mean(1)).sum(0)


def settling_step(run: Trajectory, grid: TokenGrid) -> Tensor:
    """Number of steps until a region's x0 stays within SETTLED of its final value."""
    final = run.x[-1]
    apart = rms_per_region(run.denoised - final, grid) > SETTLED * final.square().mean().sqrt()
    steps = torch.arange(1, run.num_steps + 1)[:, None]
    return (apart * steps).amax(0).float()


def hold_error(run: Trajectory, grid: TokenGrid, warmup: int = 4) -> Tensor:
    """What holding the velocity for HELD steps after the warm-up misses: its change, averaged over the steps."""
    velocity = run.velocity[warmup:]
    return rms_per_region(velocity[HELD:] - velocity[:-HELD], grid).mean(0)


def forecast_error(run: Trajectory, grid: TokenGrid, warmup: int = 4) -> Tensor:
    """What a straight forecast by one step misses after the warm-up: the velocity's second difference."""
    return rms_per_region(run.velocity[warmup:].diff(n=2, dim=0), grid).mean(0)


def moving_tokens(clip: Tensor, grid: TokenGrid) -> Tensor:
    """(num_tokens,) bool: which tokens of a finished clip (C, T, H, W) differ from the frame before or after."""
    tokens = replace(grid, region=(1, 1, 1))
    return tokens.mean_per_region(frame_change(clip)).sqrt() > MOVES


TRUTHS: dict[str, Truth] = {
    "complexity": complexity,
    "detail": detail,
    "convergence": convergence,
    "settling_step": settling_step,
    "hold_error": hold_error,
    "forecast_error": forecast_error,
}
