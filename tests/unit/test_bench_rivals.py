"""The rivals do what their papers say: exact where a method is exact, with the number of steps that was published."""

from __future__ import annotations

import pytest
import torch
from comfyui_jano.bench.rivals import TARGETS, meancache, seacache, settings, spectrum, taylor
from comfyui_jano.bench.rivals.skipping import Skipping
from torch import Tensor

SHAPE = (1, 2, 8, 8)
STEPS = 50
SIGMAS = [1.0 - step / STEPS for step in range(STEPS + 1)]


def polynomial(order: int) -> list[Tensor]:
    """An output per step, of this order in the step's index."""
    terms = torch.randn(order + 1, *SHAPE, dtype=torch.float64)
    return [sum(term * (step / STEPS) ** power for power, term in enumerate(terms)) for step in range(STEPS)]


def worst(method: object, outputs: list[Tensor], after: int = 0) -> float:
    """Largest error of the forecasts of steps from `after` on, in the outputs' range."""
    found, x = 0.0, torch.randn(SHAPE, dtype=torch.float64)
    for step, output in enumerate(outputs):
        if method.is_due(step, x):
            method.computed(step, x, output)
        elif step >= after:
            found = max(found, float((method.forecast(step, x) - output).abs().max()))
    return found / float(torch.stack(outputs).abs().max())


@pytest.mark.parametrize(("order", "exact"), [(0, False), (1, False), (0, True), (1, True), (2, True), (3, True)])
def test_a_taylor_series_reproduces_polynomials_of_its_order(order: int, exact: bool) -> None:
    computed = taylor.computed_steps(STEPS, 4, warmup=order + 1)
    assert worst(taylor.Taylor(computed, order, exact), polynomial(order)) < 1e-9
    assert worst(taylor.Taylor(computed, order, exact), polynomial(order + 1)) > 1e-4


def test_the_published_second_order_knows_the_bend_of_a_parabola_but_takes_its_slope_too_early() -> None:
    method = taylor.Taylor([0, 1, 2], 2)
    for step in range(3):
        method.computed(step, None, torch.tensor(float(step**2)))
    # 4 + 3 * 2 + (2 / 2) * 2^2 where the parabola is at 16: the slope is that of half a step before.
    assert method.forecast(4, None) == 14.0


def test_a_chebyshev_series_follows_its_order_but_for_the_ridge(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = spectrum.computed_steps(STEPS, 0.25)
    assert worst(spectrum.Spectrum(STEPS, plan, 1.0), polynomial(0)) < 1e-9
    monkeypatch.setattr(spectrum, "RIDGE", 1e-9)
    assert worst(spectrum.Spectrum(STEPS, plan, 1.0), polynomial(spectrum.ORDER), after=20) < 1e-3
    assert worst(spectrum.Spectrum(STEPS, plan, 1.0), polynomial(spectrum.ORDER + 1), after=20) > 1e-3


def test_the_published_ridge_costs_a_line_some_percent() -> None:
    plan, outputs = spectrum.computed_steps(STEPS, 0.25), polynomial(1)
    assert worst(spectrum.Spectrum(STEPS, plan, 0.0), outputs) < 1e-9
    series, mixed = (worst(spectrum.Spectrum(STEPS, plan, mix), outputs) for mix in (1.0, 0.5))
    assert 1e-3 < mixed < 0.1
    assert mixed == pytest.approx(series / 2)


@pytest.mark.parametrize(("growth", "count"), [(0.75, 14), (3.0, 10)])
def test_spectrum_computes_as_many_steps_as_published(growth: float, count: int) -> None:
    assert len(spectrum.computed_steps(STEPS, growth)) == count


def test_meancache_computes_as_many_steps_as_planned_and_both_ends() -> None:
    for count, plan in meancache.QWEN_IMAGE_2512.items():
        assert len(plan.computed) == count == len(plan.spans) + 1
        assert plan.at(STEPS) == plan
        for steps in (20, 28, 30, 100):
            stretched = plan.at(steps)
            assert len(stretched.computed) == round(count * steps / STEPS) == len(set(stretched.computed))
            assert sorted(stretched.computed) == list(stretched.computed)
            assert (stretched.computed[0], stretched.computed[-1]) == (0, steps - 1)


def test_an_average_velocity_over_two_steps_follows_a_bend() -> None:
    """Of a velocity that grows evenly with sigma, x taken along by Euler: the rate is that of the averages."""
    sigmas = [1.0, 0.9, 0.8, 0.7, 0.6]
    x = torch.zeros(SHAPE, dtype=torch.float64)
    held, bent = (meancache.MeanCache(sigmas, meancache.Plan((0, 1, 3), (1, span))) for span in (1, 2))
    for step in range(2):
        output = torch.full(SHAPE, sigmas[step], dtype=torch.float64)
        for method in (held, bent):
            assert method.is_due(step, x)
            method.computed(step, x, output)
        x = x + output * (sigmas[step + 1] - sigmas[step])
    assert torch.allclose(held.forecast(2, x), torch.full(SHAPE, 0.9, dtype=torch.float64))
    assert float(bent.forecast(2, x).mean()) == pytest.approx(0.875)


def test_the_filter_keeps_the_picture_and_drops_the_noise() -> None:
    signal = seacache.spectrum((16, 16), 2.0, torch.device("cpu"))
    early, late = (seacache.gain(signal, sigma) for sigma in (0.95, 0.05))
    assert float(early.mean()) == pytest.approx(1.0) == float(late.mean())
    assert early[0, 0] / early[8, 8] > 20 > 2 > late[0, 0] / late[8, 8]
    noise, flat = torch.randn(1, 1, 16, 16), torch.ones(1, 1, 16, 16)
    kept = [float(seacache.filtered(x, 0.95).square().mean() / x.square().mean()) for x in (noise, flat)]
    assert kept[1] > 10 * kept[0]


def test_seacache_computes_more_where_its_threshold_is_lower() -> None:
    def count(threshold: float) -> int:
        method, computed = seacache.SeaCache(SIGMAS, threshold), 0
        start, end = torch.randn(2, *SHAPE)
        for step, sigma in enumerate(SIGMAS[:-1]):
            x = sigma * start + (1 - sigma) * end
            if method.is_due(step, x):
                method.computed(step, x, start - end * (1 + sigma))
                computed += 1
            else:
                method.forecast(step, x)
        return computed

    counts = [count(threshold) for threshold in (0.0, 0.01, 0.05, 1e9)]
    assert counts[0] == STEPS
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 3  # two to know a rate by, and the last one


@pytest.mark.parametrize("steps", [28, 50])
def test_every_planned_rival_computes_what_its_target_says(steps: int) -> None:
    for target in TARGETS:
        budget = steps / target
        assert len(spectrum.for_target(steps, target)) == pytest.approx(budget, abs=1.0)
        assert len(taylor.for_target(steps, target)) == pytest.approx(budget, abs=2.0)
        plan = meancache.QWEN_IMAGE_2512[meancache.PLAN_FOR[target]].at(steps)
        assert len(plan.computed) == pytest.approx(budget, abs=1.0)


def test_settings_are_told_apart() -> None:
    names = [(arm, name) for arm, name, _ in settings()]
    assert len(names) == len(set(names))


def test_nothing_of_a_run_is_left_after_it() -> None:
    runs = Skipping(lambda sigmas: taylor.Taylor([0], 0))
    sigmas = torch.tensor([1.0, 0.5, 0.0])
    asked = []

    def model(x: Tensor, timestep: Tensor) -> Tensor:
        asked.append(float(timestep))
        return x - timestep * 3.0

    def sample(noise: Tensor, *_: object) -> Tensor:
        for sigma in sigmas[:-1]:
            denoised = runs.predict_noise(model, noise, sigma)
            assert torch.allclose(denoised, noise - sigma * 3.0)
        return noise

    for _ in range(2):
        runs.outer_sample(sample, torch.ones(SHAPE), None, None, sigmas)
        assert runs._method is None
    assert asked == [1.0, 1.0]
