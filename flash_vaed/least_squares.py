"""Convolutions by least squares: normal equations are summed up over samples, then solved once.

A student's layer is set so that it turns the student's own input into the teacher's output as well as a layer of its
kind can (Flash-VAED initialises with sliced kernels; solving goes beyond the paper).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .layers import repeat_ends
from .parts import Taps

RIDGE = 0.1
"""Of the mean square of the inputs, towards the kernel there was before. On the tiny Wan VAE the best of 1e-5 to 0.3
with 32 windows: 22.9 dB, where 1e-5 gives 21.6; with 8, 21.1 instead of 12.3 (0.3 gives 21.8)."""


@dataclass
class NormalEquations:
    """Sums over samples of x x^T (N + 1, N + 1) and x y^T (N + 1, M), x with a one appended for the bias; float64."""

    gram: Tensor
    cross: Tensor
    count: int = 0

    @classmethod
    def of_size(cls, inputs: int, outputs: int) -> NormalEquations:
        shapes = ((inputs + 1, inputs + 1), (inputs + 1, outputs))
        return cls(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes))

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        """Counts samples in: inputs (S, N), outputs (S, M)."""
        ones = inputs.new_ones(len(inputs), 1)
        x = torch.cat([inputs, ones], 1).double()
        self.gram += (x.T @ x).cpu()
        self.cross += (x.T @ outputs.double()).cpu()
        self.count += len(inputs)

    def solve(self, prior: Tensor, ridge: float = RIDGE) -> tuple[Tensor, Tensor]:
        """Weights (M, N) and bias (M,), drawn by the ridge towards `prior` (M, N)."""
        size = len(self.gram) - 1
        pull = torch.full((size + 1,), float(ridge * self.gram.diagonal()[:-1].mean()), dtype=torch.float64)
        pull[-1] = 0.0
        cross = self.cross.clone()
        cross[:-1] += pull[:-1, None] * prior.double().cpu().T
        solution = torch.linalg.lstsq(self.gram + torch.diag(pull), cross).solution
        return solution[:-1].T.float(), solution[-1].float()


def patches(x: Tensor, taps: Taps, places: Tensor) -> Tensor:
    """What a convolution sees at some places of x (B, C, T, H, W): samples (S, C * kt * kh * kw).

    places: (S,) flat indices into (B, T, H, W). The columns are in the order of a kernel (C, kt, kh, kw), flattened.
    """
    batch, _, frames, height, width = x.shape
    back, rows, columns = taps.before + taps.after, taps.sides[0] // 2, taps.sides[1] // 2
    if taps.repeated:
        x = repeat_ends(x, taps.before, taps.after)
    ends = (0, 0) if taps.repeated else (taps.before, taps.after)
    padded = F.pad(x, (columns, columns, rows, rows, *ends))
    b, t, h, w = (index.to(x.device) for index in torch.unravel_index(places, (batch, frames, height, width)))
    seen = [
        padded[b, :, t + dt, h + dh, w + dw]
        for dt in range(back + 1)
        for dh in range(taps.sides[0])
        for dw in range(taps.sides[1])
    ]
    return torch.stack(seen, dim=2).flatten(1)


def at(x: Tensor, places: Tensor) -> Tensor:
    """The channels of x (B, C, T, H, W) at flat places of (B, T, H, W): (S, C)."""
    return x.movedim(1, -1).flatten(0, 3)[places.to(x.device)]


def random_places(x: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Up to `most` flat places of (B, T, H, W): all of them in order, or random ones."""
    total = x.shape[0] * x.shape[2] * x.shape[3] * x.shape[4]
    return torch.arange(total) if total <= most else torch.randint(total, (most,), generator=generator)


def rank_one_kernels(weight: Tensor, tap_moments: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The separable kernel closest to a full one (O, C, kt, kh, kw): depthwise (C, 1, kt, kh, kw), pointwise (O, C).

    Per input channel the best product of an output vector and a spatial kernel; tap_moments (C, K, K), the second
    moments of what the taps see, measure the closeness by the change of the output instead of that of the kernel.
    """
    depthwise, pointwise = [], []
    for channel in range(weight.shape[1]):
        kernel = weight[:, channel].flatten(1).double()
        root = None if tap_moments is None else _square_root(tap_moments[channel])
        u, s, v = torch.linalg.svd(kernel if root is None else kernel @ root, full_matrices=False)
        taps = v[0] if root is None else torch.linalg.solve(root, v[0])
        size = taps.norm().clamp_min(1e-12)
        depthwise.append(taps / size)
        pointwise.append(u[:, 0] * s[0] * size)
    shape = (weight.shape[1], 1, *weight.shape[2:])
    return torch.stack(depthwise).reshape(shape).float(), torch.stack(pointwise, 1).float()


def rank_one_energy(weight: Tensor) -> float:
    """The share of a kernel's squared norm that its closest separable kernel keeps; 6 % of a random one (width 384)."""
    values = torch.linalg.svdvals(weight.transpose(0, 1).flatten(2).double())
    return float(values[:, 0].square().sum() / values.square().sum())


def _square_root(moments: Tensor) -> Tensor:
    """Symmetric root of a second-moment matrix, kept away from zero so that it can be inverted."""
    values, vectors = torch.linalg.eigh(moments.double())
    return vectors * values.clamp_min(1e-6 * float(values.max()) + 1e-12).sqrt() @ vectors.T
