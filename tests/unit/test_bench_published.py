"""Jano as published: the operating points of the paper."""

import pytest
from comfyui_jano.bench.published import PUBLISHED, as_published
from comfyui_jano.jano.by_level.schedule import Schedule
from comfyui_jano.jano.clock import share_of_steps

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
