"""Sentences are text to everyone, and know what they were made of."""

from __future__ import annotations

import copy
import json

import pytest
from comfyui_jano.jano.sentences import Sentence, say, spoken

INNER = say("too_few_steps", steps=4, sampler=say("this_sampler"), fewest=9)


def test_a_sentence_is_its_english_text() -> None:
    assert INNER == "4 steps are too few to gain by with this sampler (qualities begin at 9 steps)"
    assert INNER in ["4 steps are too few to gain by with this sampler (qualities begin at 9 steps)"]
    assert json.loads(json.dumps([INNER])) == [str(INNER)]


def test_lists_stand_with_their_format_between_two() -> None:
    assert say("several", parts=[say("compiled"), "of that"]) == "the model is compiled; of that"


def test_the_page_is_told_key_and_values_however_deep() -> None:
    told = spoken(say("run_because", told=say("not_accelerated"), reason=say("several", parts=[INNER])))
    assert (told["key"], told["values"]["told"]) == (
        "run_because",
        {"text": "not accelerated", "key": "not_accelerated", "values": {}},
    )
    (part,) = told["values"]["reason"]["values"]["parts"]
    assert part["values"] == {"steps": 4, "sampler": spoken(say("this_sampler")), "fewest": 9}
    assert part["text"] == INNER


def test_text_of_another_pack_is_told_as_it_is() -> None:
    assert spoken("of another pack") == "of another pack"
    assert spoken(Sentence("of nowhere")) == "of nowhere"


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_what_json_cannot_hold_is_told_in_words(value: float) -> None:
    told = json.dumps(spoken(say("high_sigmas", sigma=value)), allow_nan=False)
    assert json.loads(told)["values"] == {"sigma": str(value)}


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_same_sentence(duplicate) -> None:
    assert spoken(duplicate(INNER)) == spoken(INNER)


def test_a_missing_value_is_no_sentence() -> None:
    with pytest.raises(KeyError):
        say("too_few_steps", steps=4)
