"""When a step is worth computing, on error rates given by hand."""

import math

import pytest
from comfyui_jano.jano.clock import Clock, Moment, log_odds
from comfyui_jano.jano.whole.control import (
    FADING,
    LONGEST_GAP,
    ORDER,
    Bridge,
    ErrorControl,
    first_full_steps,
)

SIGMAS = [1 - step / 24 for step in range(25)]
CLOCK = Clock(tuple(SIGMAS))


def drive(control: ErrorControl, rate: float = 1.0) -> str:
    """A run whose forecasts err by rate * span^ORDER: C for computed, - for forecast."""
    letters, last = "", 0
    for step in range(control.clock.num_steps):
        if not control.due(step):
            control.passed(step)
            letters += "-"
            continue
        span = log_odds(SIGMAS[last]) - log_odds(SIGMAS[step])
        control.computed(step, rate * span**ORDER if step >= 2 else None)
        letters, last = letters + "C", step
    return letters


def test_time_falls_with_sigma_and_ends_finite() -> None:
    times = [log_odds(sigma) for sigma in SIGMAS]
    assert times == sorted(times, reverse=True)
    assert log_odds(0.5) == pytest.approx(0.0, abs=2e-3)


def test_an_error_in_the_last_step_is_an_error_of_the_picture() -> None:
    assert Moment(0, 0.3, 0.3, 0.0).picture_weight == 1.0


def test_an_euler_step_moves_x_by_its_share_of_the_error_and_x_shows_the_picture_scaled() -> None:
    sigma, following = 0.8, 0.6
    moved = (sigma - following) / sigma
    assert Moment(0, sigma, sigma, following).picture_weight == pytest.approx(moved / (1 - following))


def test_urgency_counts_the_steps_waited() -> None:
    assert Bridge(4, 3.0).urgency == pytest.approx(6.0)
    assert Bridge(1, 1.0).over(2.0) == Bridge(2, 3.0)


def test_without_tolerance_every_step_is_computed() -> None:
    assert drive(ErrorControl(CLOCK, 1, 0.0)) == "C" * 24


def test_however_small_the_errors_the_model_is_asked_again() -> None:
    letters = drive(ErrorControl(CLOCK, 1, 1e9))
    assert letters.startswith("CCCC" + "-" * (LONGEST_GAP - 1) + "C")
    assert letters.endswith("C")


def test_a_greater_tolerance_computes_less() -> None:
    counts = [drive(ErrorControl(CLOCK, 1, tolerance)).count("C") for tolerance in (0.003, 0.03, 0.3, 3.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_a_model_that_errs_more_is_computed_more() -> None:
    calm, restless = (drive(ErrorControl(CLOCK, 1, 0.05), rate).count("C") for rate in (0.1, 3.0))
    assert calm < restless


@pytest.mark.parametrize("budget", [5, 6, 7, 8, 10, 12, 16, 20])
@pytest.mark.parametrize("rate", [0.01, 1.0, 30.0])
def test_a_budget_is_met_whatever_the_errors(budget: int, rate: float) -> None:
    """Within a step: gaps are whole steps, and one tolerance often opens two of them at once."""
    assert budget - 2 <= drive(ErrorControl(CLOCK, 1, 0.0, budget), rate).count("C") <= budget


def test_a_small_budget_need_not_lie_evenly() -> None:
    """Errors fade, so that gaps grow: with a longest gap of equal lengths the last would be as short as the first."""
    gaps = [len(gap) for gap in drive(ErrorControl(CLOCK, 1, 0.0, 6, full_steps=3)).strip("C").split("C")]
    assert max(gaps) >= 2 * gaps[0]


def test_errors_are_expected_to_fade_so_that_a_budget_is_spent_early() -> None:
    letters = drive(ErrorControl(CLOCK, 1, 0.0, 14))
    first, second = letters[:12], letters[12:]
    assert first.count("C") > second.count("C")


@pytest.mark.parametrize(("steps", "full"), [(9, 4), (20, 4), (25, 5), (28, 5), (35, 7), (50, 8)])
def test_longer_runs_start_with_more_full_steps(steps: int, full: int) -> None:
    assert first_full_steps(steps) == full


@pytest.mark.parametrize(
    ("steps", "budget", "full"),
    [(28, 14, 5), (28, 11, 4), (28, 8, 3), (20, 10, 4), (20, 8, 3), (50, 17, 5), (40, 20, 8)],
)
def test_a_small_budget_starts_with_fewer_full_steps(steps: int, budget: int, full: int) -> None:
    assert first_full_steps(steps, budget) == full


# --- what a measurement says


def measured(*errors: float | None) -> float:
    """The error rate after these errors at the first steps, None where there was no forecast."""
    control = ErrorControl(CLOCK, 1, 0.1)
    for step, error in enumerate(errors):
        control.computed(step, error)
    return control.rate


def test_a_measurement_leaves_half_of_the_one_before() -> None:
    first, second = measured(None, None, 0.1), measured(None, None, None, 0.4)
    assert second > 2 * first
    assert measured(None, None, 0.1, 0.4) == pytest.approx((first + second) / 2)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_an_error_that_is_no_number_says_nothing(broken: float) -> None:
    assert measured(None, None, broken) is None
    assert measured(None, None, 0.1, broken) == measured(None, None, 0.1)


def test_errors_grow_with_the_time_to_the_power_of_three_halves() -> None:
    """A forecast over twice the time, of the same step, errs 2.83 times as much."""
    from_near, from_far = urgency(log_odds(0.5) + 0.4), urgency(log_odds(0.5) + 0.8)
    assert from_far / from_near == pytest.approx(2**1.5, rel=1e-3)


def urgency(time: float) -> float:
    """How urgent the step at sigma 0.5 is when the model was last computed at this time: by bisection."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        control = ErrorControl(Clock((sigma_at(time), 0.5, 0.4, 0.0)), 0, middle, full_steps=1, rate=1.0)
        control.computed(0, None)
        low, high = (middle, high) if control.due(1) else (low, middle)
    return low


def sigma_at(time: float) -> float:
    """The noise level at which the log odds are this, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if log_odds(middle) < time else (low, middle)
    return low


def test_what_forecasts_did_to_the_picture_is_known_once_the_model_is_asked() -> None:
    """The measured error, shared out over the forecast steps as errors grow, each by how far it moved the picture."""
    rate = 0.3
    control = ErrorControl(CLOCK, 1, 0.1, rate=rate)
    control.computed(3, None)
    assert control.picture_error == 0.0
    control.passed(4)
    control.passed(5)
    growths = [growth(control, 3, step) for step in (4, 5, 6)]
    control.computed(6, rate * growths[-1])
    weights = [CLOCK.moment(step).picture_weight for step in (4, 5)]
    assert control.picture_error == pytest.approx(rate * (growths[0] * weights[0] + growths[1] * weights[1]))
    control.passed(7)
    control.computed(8, None)
    assert control.picture_error is None  # its error was not measured
    control.computed(9, 0.5)
    assert control.picture_error == 0.0  # nothing was forecast


def growth(control: ErrorControl, last: int, step: int) -> float:
    known, now = (CLOCK.moment(at).time for at in (last, step))
    return (known - now) ** ORDER * math.exp(FADING * now)
