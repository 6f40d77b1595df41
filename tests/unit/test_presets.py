"""The named qualities and the operating points of the paper."""

import pytest
from comfyui_jano.jano.config import AnalyzerConfig, SchedulerConfig
from comfyui_jano.jano.presets import PAPER_FLUX, QUALITIES, as_published, scheduler_preset
from comfyui_jano.jano.schedule import Schedule

NAMED = [quality for quality in QUALITIES if quality != "custom"]


def test_from_fidelity_to_draft_ever_more_error_is_tolerated() -> None:
    tolerances = [scheduler_preset(name).tolerance for name in NAMED]
    assert NAMED == ["fidelity", "balanced", "fast", "draft"]
    assert tolerances == sorted(tolerances)
    assert 0 < tolerances[0] < tolerances[1] < tolerances[2] < tolerances[3]


def test_custom_starts_from_intervals() -> None:
    assert not SchedulerConfig().controlled


@pytest.mark.parametrize("name", ["custom", "ultra"])
def test_an_unknown_quality_is_refused_in_a_sentence(name: str) -> None:
    sentence = f"^Jano: quality '{name}' is unknown; choose one of fidelity, balanced, fast, draft.$"
    with pytest.raises(ValueError, match=sentence):
        scheduler_preset(name)


@pytest.mark.parametrize("point", PAPER_FLUX)
def test_the_published_method_holds_and_keeps_active_tokens_at_every_step(point: str) -> None:
    analyzer, scheduler = as_published(point)
    assert analyzer == AnalyzerConfig(warmup=0.14, score="pairwise", normalisation="minmax")
    assert (scheduler.active_interval, scheduler.forecast, scheduler.correct) == (1, "hold", False)
    schedule = Schedule.from_config(scheduler, 50, 7)
    assert (schedule.interleaved.start, schedule.interleaved.stop) == (7, 48)
