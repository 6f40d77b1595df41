"""A run as JSON, and what is said in it."""

import json
import math
from dataclasses import replace

import pytest
from comfyui_jano.jano.sentences import say
from comfyui_jano.jano.show.headline import summary, table
from comfyui_jano.jano.show.report import StepClass
from comfyui_jano.jano.show.told import account_of, spoken_of, verdict_of
from comfyui_jano.tests.unit.show.test_report import ASKED, QUARTERS, record, report


def test_a_note_is_no_reason_for_native_computation() -> None:
    made = report(record(0, 10), record(1, 0), notes=["a target was missed"])
    assert "Note: a target was missed." in summary(made)
    assert "| Note | a target was missed |" in table(made).markdown()
    for account in (account_of(made), verdict_of(made)):
        assert (account["fallbacks"], account["notes"]) == ([], ["a target was missed"])


def test_the_dictionary_is_json_and_complete() -> None:
    steps = [record(0, 10, 2.0, StepClass.FULL), record(1, 5, 1.0)]
    made = report(*steps, level_map=QUARTERS, cache_bytes_peak=7, spread=2.345, **ASKED)
    account = json.loads(json.dumps(account_of(made)))
    timeline = account.pop("timeline")
    assert account == {
        "model": "Flux",
        "quality": "balanced",
        "sampler": "euler",
        "cfg": 3.5,
        "latent": [1, 16, 4, 4],
        "verdict": "accelerated",
        "steps": 2,
        "tokens": 10,
        "level_share": {"static": 0.25, "moderate": 0.25, "active": 0.5},
        "computed_token_fraction": 0.75,
        "step_classes": {"full": 1, "active": 1},
        "seconds": 3.0,
        "speedup": 1.333,
        "basis": "estimated",
        "cache_bytes_peak": 7,
        "forecast_error_spread": 2.35,
        "references": None,
        "fallbacks": [],
        "notes": [],
        "headline": "1.3x faster, saved 1.0 s (estimated from this run's full steps)",
        "seconds_saved": 1.0,
        "steps_computed": 1,
        "steps_in_part": 1,
        "steps_forecast": 0,
        "largest_forecast_error": None,
        "picture_error": None,
        "risk": None,
        "references_frozen": False,
        "references_compared": False,
        "references_drift": None,
        "accelerates": True,
        "advice": "",
    }
    assert timeline[1] == {
        "step": 1, "sigma": 1.0, "class": "active", "computed": 0.5, "evaluations": 1, "seconds": 1.0,
        "forecast_error": None, "picture_error": None,
    }  # fmt: skip


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_what_is_not_finite_is_no_number_in_json(error: float) -> None:
    after = replace(record(3, 10), forecast_error=error)
    told = account_of(report(record(0, 10), record(1, 10), record(2, 0), after))
    assert told["timeline"][-1]["forecast_error"] is None
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_the_page_is_told_keys_and_values() -> None:
    made = report(record(0, 10), fallbacks=[say("compiled")], advice="")
    told = spoken_of(made)
    assert told["fallbacks"] == [{"text": "the model is compiled", "key": "compiled", "values": {}}]
    assert told["summary"]["key"] == "run_because"
    assert told["advice"] == ""
