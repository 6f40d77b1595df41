"""The named qualities and the operating points of the paper."""

import re

import pytest
from comfyui_jano.bench.published import PUBLISHED, as_published
from comfyui_jano.jano.by_level.schedule import Schedule
from comfyui_jano.jano.clock import share_of_steps
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.presets import QUALITIES, schedule_complaint, schedule_of

NAMED = [quality for quality in QUALITIES if quality != "custom"]


def test_from_fidelity_to_draft_ever_more_error_is_tolerated() -> None:
    tolerances = [schedule_of(name, {}).tolerance for name in NAMED]
    assert NAMED == ["fidelity", "balanced", "fast", "draft"]
    assert tolerances == sorted(tolerances)
    assert 0 < tolerances[0] < tolerances[1] < tolerances[2] < tolerances[3]


def test_custom_starts_from_intervals() -> None:
    assert not SchedulerConfig().controlled


@pytest.mark.parametrize(("name", "said"), [("ultra", "'ultra'"), (3, "3"), ({}, "a dict")])
def test_an_unknown_quality_is_refused_in_a_sentence(name: object, said: str) -> None:
    sentence = f"Jano: quality {said} is unknown; choose one of fidelity, balanced, fast, draft, custom."
    assert schedule_complaint(name, {}) == sentence
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        schedule_of(name, {})


SWAPPED = {"static_threshold": 0.9, "moderate_threshold": 0.4}


def test_only_custom_minds_what_custom_is_made_of() -> None:
    assert schedule_complaint("custom", SWAPPED) != ""
    assert schedule_complaint("fast", SWAPPED) == ""
    assert schedule_complaint(None, SWAPPED) == ""  # the quality is linked: known when it runs
    assert schedule_of("fast", SWAPPED) == schedule_of("fast", {})
    assert schedule_of("custom", {"target_speedup": 2.0}).target_speedup == 2.0


POINTS = [(family, point) for family, points in PUBLISHED.items() for point in points]


@pytest.mark.parametrize(("family", "point"), POINTS)
def test_the_published_method_holds_and_keeps_active_tokens_at_every_step(family: str, point: str) -> None:
    analyzer, scheduler = as_published(family, point)
    assert (analyzer.score, analyzer.normalisation) == ("pairwise", "minmax")
    assert (scheduler.active_interval, scheduler.forecast, scheduler.correct) == (1, "hold", False)
    assert not scheduler.controlled


@pytest.mark.parametrize(("family", "point", "warmup", "end"), [("flux", "2.00x", 7, 48), ("wan", "14B 2.30x", 6, 46)])
def test_the_published_phases_at_fifty_steps(family: str, point: str, warmup: int, end: int) -> None:
    analyzer, scheduler = as_published(family, point)
    assert share_of_steps(analyzer.warmup, 50) == warmup
    assert Schedule.from_config(scheduler, 50, warmup).interleaved.stop == end


def test_published_wan_goes_by_the_authors_regions_and_thresholds() -> None:
    analyzer, scheduler = as_published("wan", "1.3B 1.45x")
    assert (analyzer.region, analyzer.temporal_weight) == ((7, 6, 8), 0.7)
    assert (scheduler.static_threshold, scheduler.static_interval) == (0.1, 3)
    assert (scheduler.moderate_threshold, scheduler.moderate_interval) == (0.3, 2)


def test_the_tolerances_are_those_that_were_measured() -> None:
    """The README's table of the presets holds for these and no others."""
    measured = {"fidelity": 0.02, "balanced": 0.06, "fast": 0.2, "draft": 0.8}
    assert {name: schedule_of(name, {}).tolerance for name in NAMED} == measured
