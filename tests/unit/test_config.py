"""What a user may choose, and the sentence for what he may not."""

import dataclasses
import re

import pytest
from comfyui_jano.jano.config import AnalyzerConfig, SchedulerConfig, complaint


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"warmup": 1.0}, "warmup is a share of the steps, 0 to below 1, not 1.0."),
        ({"warmup": -0.1}, "warmup is a share of the steps, 0 to below 1, not -0.1."),
        ({"region": (0, -1, 4)}, r"region sizes are latent cells, 0 or more, not \(0, -1, 4\)."),
        ({"temporal_weight": 1.5}, "temporal_weight goes from 0 to 1, not 1.5."),
        ({"score": "entropy"}, "score 'entropy' is unknown; choose one of contrast, curvature, pairwise, paper."),
        ({"normalisation": "zscore"}, "normalisation must be one of rank, robust, minmax."),
    ],
)
def test_analyzer_settings_are_refused_in_a_sentence(config: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^Jano: {sentence}$"):
        AnalyzerConfig(**config)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"static_threshold": 0.7, "moderate_threshold": 0.6},
            "static_threshold 0.7 must not be above moderate_threshold 0.6.",
        ),
        ({"active_interval": 0}, "active_interval counts steps, 1 or more, not 0."),
        (
            {"static_interval": 2, "moderate_interval": 3},
            r"intervals must not shrink from active_interval over moderate_interval to "
            r"static_interval, but they are \(1, 3, 2\).",
        ),
        (
            {"active_interval": 3},
            r"intervals must not shrink from active_interval over moderate_interval to "
            r"static_interval, but they are \(3, 2, 2\).",
        ),
        ({"cooldown": 1.0}, "cooldown is a share of the steps, 0 to below 1, not 1.0."),
        ({"forecast": "cubic"}, "forecast must be one of linear, hold."),
    ],
)
def test_scheduler_settings_are_refused_in_a_sentence(config: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^Jano: {sentence}$"):
        SchedulerConfig(**config)


@pytest.mark.parametrize(
    "config",
    [
        {"static_threshold": 0.0, "moderate_threshold": 0.0},
        {"static_threshold": 1.0, "moderate_threshold": 1.0},
        {"static_interval": 1, "moderate_interval": 1, "active_interval": 1},
        {"static_interval": 5, "moderate_interval": 5, "active_interval": 5},
        {"cooldown": 0.0},
    ],
)
def test_the_ends_of_a_range_are_allowed(config: dict) -> None:
    SchedulerConfig(**config)


@pytest.mark.parametrize("config", [AnalyzerConfig(), SchedulerConfig()])
def test_settings_cannot_be_changed_and_can_be_keys(config: object) -> None:
    name = dataclasses.fields(config)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, name, 0.5)
    assert {config: 1}[type(config)()] == 1


HOSTILE = [None, "much", float("nan"), float("inf"), -1, 2**70, True, {}, [], (1, 2)]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize(
    ("config", "name"),
    [(config, field.name) for config in (AnalyzerConfig, SchedulerConfig) for field in dataclasses.fields(config)],
)
def test_any_value_is_taken_or_refused_in_one_sentence(config: type, name: str, value: object) -> None:
    sentence = complaint(config, {**vars(config()), name: value})
    assert complaint(config, {name: value}) in ("", sentence)  # alone it may be right, and wrong beside the defaults
    if sentence:
        assert re.fullmatch(r"Jano: .+[^.]\.", sentence)
        assert name in sentence or "region sizes" in sentence or "intervals" in sentence
        with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
            config(**{name: value})
    else:
        assert value == value  # not NaN
        config(**{name: value})


def test_what_is_not_known_is_not_judged() -> None:
    assert complaint(SchedulerConfig, {}) == ""
    assert complaint(SchedulerConfig, {"static_threshold": 0.95}) == ""  # moderate_threshold may be linked
    assert complaint(SchedulerConfig, {"static_threshold": 0.95, "moderate_threshold": 0.9}) != ""
    assert complaint(SchedulerConfig, {"target_speedup": 0.5}) == (
        "Jano: target_speedup is 0 (off) or between 1 and 4, not 0.5."
    )
