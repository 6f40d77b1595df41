"""Where a rival enters the host: it forecasts the guided output of a step that it does not compute.

Published implementations reach into each model, for its last hidden state or its blocks. Here every method gets the
same place, on any model of the host: the output after the guidance, v = (x - denoised) / sigma, which is a flow model's
velocity and an epsilon model's noise. A method that is linear in its outputs forecasts the same, bit for bit but for
rounding, whether it does so before the guidance or after it. What a run keeps is made and dropped with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...jano.clock import SAME_STEP, Clock

KEY = "jano_rival"


class Method(Protocol):
    """A way to leave steps out, for one run. Outputs and x are (batch, channels, [frames,] height, width)."""

    def is_due(self, step: int, x: Tensor) -> bool:
        """Whether this step is computed; asked once for every step, in their order."""

    def computed(self, step: int, x: Tensor, output: Tensor) -> None:
        """What the model said in a step that was due."""

    def forecast(self, step: int, x: Tensor) -> Tensor:
        """The output of a step that was not."""


Make = Callable[[Sequence[float]], Method]
"""A method for a run with these sigmas, one more than it has steps."""
Prepare = Callable[[ModelPatcher], ModelPatcher]


class Skipping:
    """One MODEL whose runs a method shortens."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._drop()

    def outer_sample(self, executor: Callable, noise: Tensor, latent: Tensor, sampler: object, sigmas: Tensor, *a, **k):
        """OUTER_SAMPLE wrapper: the lifetime of a run."""
        self._clock, self._method = Clock(tuple(sigmas.tolist())), self._make(sigmas.tolist())
        try:
            return executor(noise, latent, sampler, sigmas, *a, **k)
        finally:
            self._drop()

    def predict_noise(self, executor: Callable, x: Tensor, timestep: Tensor, *args, **kwargs) -> Tensor:
        """PREDICT_NOISE wrapper. Evaluations between two steps, or again in one, are computed as the step is."""
        sigma = float(timestep.flatten()[0])
        moment = self._clock.at(sigma)
        is_new = moment.step != self._step and abs(sigma - moment.start) <= SAME_STEP * sigma
        if is_new:
            self._step, self._is_due = moment.step, self._method.is_due(moment.step, x)
        if not self._is_due:
            return x - sigma * self._method.forecast(moment.step, x)
        denoised = executor(x, timestep, *args, **kwargs)
        if is_new:
            self._method.computed(moment.step, x, (x - denoised) / sigma)
        return denoised

    def _drop(self) -> None:
        self._clock = self._method = None
        self._step, self._is_due = -1, True


def skipping(make: Make) -> Prepare:
    """Turns a MODEL into one whose runs are shortened."""

    def prepare(model: ModelPatcher) -> ModelPatcher:
        clone, runs = model.clone(), Skipping(make)
        clone.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, runs.outer_sample)
        clone.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, KEY, runs.predict_noise)
        return clone

    return prepare


def budget_of(num_steps: int, target: float) -> int:
    """Steps that a target leaves to compute."""
    return max(1, round(num_steps / target))


def nearest(budget: int, choices: Sequence, count: Callable[[object], int]) -> object:
    """The first of the choices whose count of computed steps comes nearest to the budget."""
    return min(choices, key=lambda choice: abs(count(choice) - budget))
