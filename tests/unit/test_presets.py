"""The named qualities."""

import re

import pytest
from comfyui_jano.host.location import ROOT
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.forecast.repair import RESPONSE
from comfyui_jano.jano.presets import (
    EXPECTED,
    NO_TARGET,
    PRESETS,
    QUALITIES,
    chosen_qualities,
    more_tolerant,
    quality_of,
    schedule_complaint,
    schedule_of,
    told,
)

NAMED = [quality for quality in QUALITIES if quality not in ("target", "custom")]


def test_from_fidelity_to_draft_ever_more_error_is_tolerated() -> None:
    tolerances = [schedule_of(name, {}).tolerance for name in NAMED]
    assert NAMED == ["fidelity", "balanced", "fast", "draft"]
    assert tolerances == sorted(tolerances)
    assert 0 < tolerances[0] < tolerances[1] < tolerances[2] < tolerances[3]


def test_custom_starts_from_intervals() -> None:
    assert not SchedulerConfig().controlled


@pytest.mark.parametrize(("name", "said"), [("ultra", "'ultra'"), (3, "3"), ({}, "a dict")])
def test_an_unknown_quality_is_refused_in_a_sentence(name: object, said: str) -> None:
    sentence = f"Jano: quality {said} is unknown; choose one of {', '.join(QUALITIES)}."
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


def test_the_tolerances_are_those_that_were_measured() -> None:
    """The README's table of the presets holds for these and no others."""
    measured = {"fidelity": 0.02, "balanced": 0.06, "fast": 0.2, "draft": 0.8}
    assert {name: schedule_of(name, {}).tolerance for name in NAMED} == measured


def test_forecasts_and_their_repair_are_those_that_were_measured() -> None:
    """So do all tables of the bench."""
    chosen = SchedulerConfig()
    assert (chosen.cooldown, chosen.settling, chosen.forecast, RESPONSE) == (0.03, 1.0, "linear", 0.6)


def test_a_target_minds_no_levels() -> None:
    made = schedule_of("target", {**SWAPPED, "target_speedup": 2.0, "cooldown": 0.1})
    assert (made.target_speedup, made.cooldown) == (2.0, 0.1)
    assert made.static_threshold == SchedulerConfig().static_threshold
    assert schedule_complaint("target", {**SWAPPED, "target_speedup": 2.0}) == ""


def test_a_target_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(NO_TARGET)}$"):
        schedule_of("target", {})
    assert schedule_complaint("target", {"target_speedup": 0.0}) == NO_TARGET
    assert "between 1 and 4" in schedule_complaint("target", {"target_speedup": 0.5})
    assert schedule_complaint("target", {}) == ""  # linked: known when it runs


def test_what_a_preset_is_said_to_be_worth_was_measured() -> None:
    report = (ROOT / "bench" / "results" / "REPORT.md").read_text(encoding="utf-8")
    measured = report.split("## Closeness to the full run: tiny Flux at 256 pixels, 28 steps, euler, CFG 4\n")[1]
    for name in PRESETS:
        share, closeness = re.search(rf"\| Jano \| {name} \| 64 \| ([\d.]+) \| ([\d.]+) \|", measured).groups()
        assert EXPECTED[name] == (float(share), pytest.approx(float(closeness), abs=0.06))
    assert told("balanced") == "balanced: 2.2 times less computing, 43 dB"


@pytest.mark.parametrize("text", ["fast, draft", "fast draft", "Fast;\ndraft,fast", " fast,,draft "])
def test_several_qualities_are_named_in_a_text(text: str) -> None:
    assert chosen_qualities(text) == ("fast", "draft")


@pytest.mark.parametrize(
    ("text", "said"),
    [("fast, custom", "'custom' in qualities"), ("", "qualities is empty"), (3, "3 in"), ({}, "a dict in")],
)
def test_other_words_are_refused_in_a_sentence(text: object, said: str) -> None:
    """What is wrong, what there is, and what to do."""
    supported = "; name one or more of fidelity, balanced, fast, draft, separated by commas.$"
    with pytest.raises(ValueError, match=f"^Jano: {said}.*{supported}"):
        chosen_qualities(text)


@pytest.mark.parametrize(
    ("quality", "hint"),
    [
        ("fidelity", "fast and draft tolerate more"),
        ("balanced", "fast and draft tolerate more"),
        ("fast", "draft tolerates more"),
        ("draft", ""),
    ],
)
def test_nobody_is_told_to_try_the_quality_that_he_has(quality: str, hint: str) -> None:
    assert more_tolerant(schedule_of(quality, {}).tolerance) == hint
    assert more_tolerant(schedule_of("target", {"target_speedup": 2.0}).tolerance) == ""


def test_a_schedule_knows_the_quality_that_it_was_made_of() -> None:
    assert [quality_of(schedule_of(name, {})) for name in NAMED] == list(NAMED)
    assert quality_of(schedule_of("custom", {})) == "custom"
    assert quality_of(schedule_of("target", {"target_speedup": 2.0})) == "target"
    assert quality_of(schedule_of("custom", {"target_speedup": 2.0})) == "target"  # which is what acts then
    assert quality_of(None) == ""
