"""Whether the guidance still asks the same, from one computed evaluation to the next."""

import pytest
import torch
from comfyui_jano.jano.forecast.questions import TURNED, Questions, guidance_strength, turned
from torch import Tensor

COND, UNCOND = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
BOTH = frozenset({"cond", "uncond"})


def guided(strength: float) -> Tensor:
    return UNCOND + strength * (COND - UNCOND)


def evaluated(questions: Questions, strength: float = 4.0, parts: frozenset = BOTH, cfg: float | None = None) -> bool:
    questions.begin()
    questions.hear(parts, [(0, COND), (1, UNCOND)])
    return questions.have_changed(guided(strength), cfg)


def test_the_first_question_is_a_new_one_and_the_same_again_is_not() -> None:
    questions = Questions()
    assert [evaluated(questions) for _ in range(3)] == [True, False, False]


def test_other_parts_are_another_question() -> None:
    questions = Questions()
    evaluated(questions)
    assert evaluated(questions, parts=BOTH | {"late"})
    assert not evaluated(questions, parts=BOTH | {"late"})


def test_both_sides_at_once_or_one_after_the_other_are_one_question() -> None:
    questions = Questions()
    evaluated(questions)
    questions.begin()
    questions.hear({"uncond"}, [(1, UNCOND)])
    questions.hear({"cond"}, [(0, COND)])
    assert not questions.have_changed(guided(4.0))


def test_guidance_that_is_turned_is_another_question() -> None:
    questions = Questions()
    evaluated(questions, 4.0)
    assert evaluated(questions, 1.5)
    assert not evaluated(questions, 1.5)


def test_where_strength_cannot_be_measured_the_guiders_word_counts() -> None:
    questions = Questions()
    for cfg, changed in ((4.0, True), (4.0, False), (2.0, True)):
        questions.begin()
        questions.hear(BOTH, [(0, COND), (1, UNCOND)])
        assert questions.have_changed(1.5 * guided(4.0), cfg) is changed


def test_the_strength_of_guidance_is_the_scale_of_cfg() -> None:
    cond, uncond = torch.randn(2, 1, 4, 8, 8)
    guided = uncond + 3.5 * (cond - uncond)
    assert guidance_strength(guided, [cond, uncond]) == pytest.approx(3.5, rel=1e-4)
    assert guidance_strength(cond, [cond]) is None
    assert guidance_strength(cond, [cond, cond]) is None
    assert guidance_strength(guided * 1.5, [cond, uncond]) is None


def test_cfg_takes_the_prediction_beyond_the_conditional_one() -> None:
    questions = Questions()
    evaluated(questions, strength=4.0)
    torch.testing.assert_close(questions.overshoot(guided(4.0)), guided(4.0) - COND)


def test_what_is_no_cfg_or_goes_not_beyond_has_no_overshoot() -> None:
    questions = Questions()
    evaluated(questions, strength=0.5)
    assert questions.overshoot(guided(0.5)) is None
    questions.hear(BOTH, [(2, UNCOND)])
    questions.have_changed(guided(4.0))
    assert questions.overshoot(guided(4.0)) is None


def test_small_changes_of_the_strength_are_schedules_of_it() -> None:
    assert not turned(4.0, 4.0 * (1 - 0.9 * TURNED))
    assert turned(4.0, 4.0 * (1 - 1.1 * TURNED))
    assert not turned(None, 4.0)
    assert not turned(4.0, None)


# --- keys that stand for two questions


def test_what_one_evaluation_asks_for_twice_is_not_the_only_one() -> None:
    questions = Questions()
    questions.begin()
    assert questions.ask("a")
    assert not questions.is_repeated("a")
    assert not questions.ask("a")
    assert questions.is_repeated("a")
    questions.begin()
    assert not questions.ask("a")  # it may be the second one, which the first has fallen silent before
    assert not questions.is_repeated("a")
    questions.begin()
    assert questions.ask("a")


def test_what_is_new_in_every_evaluation_is_noticed() -> None:
    for asked, always_new in (("abcd", True), ("abbc", False), ("a", False)):
        questions = Questions()
        for key in asked:
            questions.begin()
            questions.ask(key)
            questions.ask("always the same")
        questions.begin()
        assert questions.are_always_new is always_new
