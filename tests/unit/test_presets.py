"""The named qualities and the operating points of the paper."""

import pytest
from comfyui_jano.jano.config import AnalyzerConfig, SchedulerConfig
from comfyui_jano.jano.presets import PAPER_FLUX, QUALITIES, as_published, scheduler_preset
from comfyui_jano.jano.schedule import Level, Schedule

NAMED = [quality for quality in QUALITIES if quality != "custom"]


def test_from_fidelity_to_draft_ever_less_is_computed() -> None:
    computed = [computed_fraction(scheduler_preset(name)) for name in NAMED]
    assert NAMED == ["fidelity", "balanced", "fast", "draft"]
    assert computed == sorted(computed, reverse=True)
    assert len(set(computed)) == 4


def computed_fraction(config: SchedulerConfig) -> float:
    """Of 28 steps; with scores as ranks the thresholds are the shares."""
    low, high = config.static_threshold, config.moderate_threshold
    share = {Level.STATIC: low, Level.MODERATE: high - low, Level.ACTIVE: 1 - high}
    return Schedule.from_config(config, 28, 3).computed_fraction(share)


def test_balanced_computes_about_three_fifths() -> None:
    assert computed_fraction(scheduler_preset("balanced")) == pytest.approx((5 + 11 + 12 * 0.1) / 28)


def test_balanced_is_what_custom_starts_from() -> None:
    assert scheduler_preset("balanced") == SchedulerConfig()


@pytest.mark.parametrize("name", ["custom", "ultra"])
def test_an_unknown_quality_is_refused_in_a_sentence(name: str) -> None:
    sentence = f"^Jano: quality '{name}' is unknown; choose one of fidelity, balanced, fast, draft.$"
    with pytest.raises(ValueError, match=sentence):
        scheduler_preset(name)


@pytest.mark.parametrize("point", PAPER_FLUX)
def test_the_published_method_holds_and_keeps_active_tokens_at_every_step(point: str) -> None:
    analyzer, scheduler = as_published(point)
    assert analyzer == AnalyzerConfig(warmup=0.14, score="pairwise", normalisation="minmax")
    assert (scheduler.active_interval, scheduler.forecast) == (1, "hold")
    schedule = Schedule.from_config(scheduler, 50, 7)
    assert (schedule.interleaved.start, schedule.interleaved.stop) == (7, 48)
