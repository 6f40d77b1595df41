"""What a run writes down while it goes on: per step, the tokens computed and left out, and the seconds."""

from __future__ import annotations

import time
from math import isfinite
from threading import Lock

import torch
from torch import Tensor

from .levels.grid import TokenGrid
from .show.error_map import ErrorMap
from .show.report import RunReport, StepClass, StepRecord


class Account:
    """The step records of a report, written by the run that they are of."""

    def __init__(self, report: RunReport, grid: TokenGrid, first_sigma: float = 1.0) -> None:
        self._report, self._grid, self._first_sigma = report, grid, first_sigma
        self._counting = Lock()  # a model that is split over devices is called by a thread for each
        self._current: StepRecord | None = None

    @property
    def record(self) -> StepRecord:
        """Of the step that is under way; calls before any evaluation belong to the first."""
        if self._current is None:
            self._current = StepRecord(0, self._first_sigma, StepClass.FULL)
            self._report.steps.append(self._current)
        return self._current

    def begin(self, step: int, sigma: float) -> bool:
        """An evaluation of `step` starts; whether it is the step's first, or the first since the sampler went on."""
        going_on = self._current is not None and self._current.step == step
        if not going_on:
            self._current = next((record for record in self._report.steps if record.step == step), None)
        if self._current is None:
            self._current = StepRecord(step, sigma, StepClass.FULL)
            self._report.steps.append(self._current)
        self._current.evaluations += 1
        return not going_on or self._current.evaluations == 1

    def count(self, step_class: StepClass, rows: int, tokens: Tensor | None) -> None:
        """A call for `rows` conditioning chunks that computes these tokens (indices), all if None."""
        everything, record = self._grid.num_tokens, self.record
        record.step_class = step_class
        record.computed = None if tokens is None else self._mask(tokens)
        record.computed_tokens += rows * (everything if tokens is None else tokens.numel())
        record.all_tokens += rows * everything

    def count_native(self, latents: float) -> None:
        """A call as without Jano; `latents` tells how many times the run's latent it is about, in all its chunks."""
        tokens, record = round(latents * self._grid.num_tokens), self.record
        with self._counting:
            record.step_class, record.computed = StepClass.FULL, None
            record.computed_tokens += tokens
            record.all_tokens += tokens

    def spare(self, tokens: int) -> None:
        """A forecast in place of calls that would have computed this many tokens."""
        record = self.record
        record.all_tokens += tokens
        if record.computed_tokens == 0:
            record.step_class, record.computed = StepClass.SKIPPED, self._mask(torch.empty(0, dtype=torch.long))

    def count_references(self, tokens: int, computed: bool, stores: bool = False) -> None:
        """Reference tokens of one call, over all its pictures: computed, kept too if it `stores`, or left out."""
        record, references = self.record, self._report.references
        record.all_tokens += tokens
        if computed:
            record.computed_tokens += tokens
        if stores or not computed:
            record.step_class = StepClass.STORE if computed else StepClass.PICTURE
        if references is not None and (stores or not computed):
            (references.stored if computed else references.frozen).add(record.step)

    def drifted(self, drift: float) -> None:
        """Kept keys and values of references were this far from those that were computed in their place; one that is
        not finite says nothing."""
        if isfinite(drift):
            self._report.references.drifts.append(drift)

    def references_kept(self, num_tokens: int, num_bytes: int, storage: str) -> None:
        """References of this many tokens are kept in this much memory now, and where."""
        references = self._report.references
        references.num_tokens = max(references.num_tokens, num_tokens)
        references.bytes_peak = max(references.bytes_peak, num_bytes)
        references.storage = storage

    def note(self, sentence: str) -> None:
        """Something that the user should know of an accelerated run, once; empty for nothing."""
        if sentence and sentence not in self._report.notes:
            self._report.notes.append(sentence)

    def fall_back(self, reason: str) -> None:
        """Why something is computed natively; each reason once."""
        self._report.add_fallback(reason)

    def missed(self, forecast_error: float | None, picture_error: float | None) -> None:
        """How far the forecast of the step that is under way was off, as a share of its prediction, and what the
        forecast steps before it did to the finished picture; None where that was not measured."""
        self.record.forecast_error, self.record.picture_error = forecast_error, picture_error

    def repaired(self, share: float) -> None:
        """How much of what the forecast steps before the one under way did is repaired, as successive errors agree."""
        self.record.repaired = share

    def tolerated(self, tolerance: float) -> None:
        """What the forecasts that the step under way ends might cost, in the measure of whole/control.py; 0: as yet
        unknown."""
        self.record.tolerance = tolerance or None

    def mapped(self, error_map: ErrorMap) -> None:
        """What the forecasts that the step under way ends did to the picture, region by region."""
        self.record.error_map = error_map

    def measured(self, spread: float) -> None:
        """The spread of the forecast errors over the regions, as known by now."""
        self._report.spread = spread

    def cached(self, num_bytes: int) -> None:
        """Keys and values take this much now."""
        self._report.cache_bytes_peak = max(self._report.cache_bytes_peak, num_bytes)

    def _mask(self, tokens: Tensor) -> Tensor:
        """(frames, rows, columns) bool on the CPU, True at these tokens."""
        mask = torch.zeros(self._grid.num_tokens, dtype=torch.bool)
        mask[tokens.cpu()] = True
        return mask.reshape(self._grid.tokens)


def now(device: torch.device) -> float:
    """Seconds, when the device has done all that it was given: without waiting, its work falls into a later step."""
    if device.type != "cpu":
        getattr(getattr(torch, device.type, None), "synchronize", lambda: None)()
    return time.perf_counter()
