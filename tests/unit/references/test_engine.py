from comfyui_jano.jano.account import Account
from comfyui_jano.jano.clock import Clock
from comfyui_jano.jano.references.engine import References, Refreshing
from comfyui_jano.jano.show.references import ReferenceAccount
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.tests.unit.toy import GRID

CLOCK = Clock((1.0, 0.8, 0.6, 0.4, 0.2, 0.0))
TOKENS = 3


class At:
    """A control that is due at these steps."""

    refreshes = True

    def __init__(self, steps: frozenset[int]) -> None:
        self.steps = steps

    def due(self, step: int) -> bool:
        return step in self.steps

    def stored(self, step: int, drift: float | None) -> None:
        """Measures nothing."""

    def go_back(self) -> None:
        """Plans nothing."""


def references(*refreshed: int) -> tuple[References, RunReport]:
    report = RunReport("toy", 5, references=ReferenceAccount("auto"))
    kept = References(Refreshing(tolerance=1.0), CLOCK, Account(report, GRID))
    kept._control = At(frozenset(refreshed))
    return kept, report


def called(kept: References, step: int, *chunks: str) -> bool:
    """Whether a call for these chunks computes the references."""
    kept._account.begin(step, CLOCK.sigmas[step])
    call = kept.plan(chunks, TOKENS, CLOCK.moment(step))
    kept.finish(call, len(chunks), [])
    return call.stores


def test_computed_first_and_when_they_are_due() -> None:
    kept, report = references(3)
    assert [called(kept, step, "a") for step in range(5)] == [True, False, False, True, False]
    assert report.references.num_tokens == TOKENS


def test_sides_that_are_asked_one_by_one_are_due_in_the_same_step() -> None:
    kept, _ = references(2)
    stores = [(called(kept, step, "a"), called(kept, step, "b")) for step in range(4)]
    assert stores == [(True, True), (False, False), (True, True), (False, False)]


def test_a_second_evaluation_of_a_step_sees_what_the_first_computed() -> None:
    kept, _ = references(1)
    assert [called(kept, step, "a") for step in (0, 0, 1, 1, 2)] == [True, False, True, False, False]


def test_a_new_question_is_computed_with_all_that_it_is_asked_with() -> None:
    kept, _ = references()
    assert called(kept, 0, "a")
    assert called(kept, 1, "a", "b")
    assert not called(kept, 2, "a", "b")


def test_what_missed_a_refresh_is_computed_before_it_is_seen_again() -> None:
    kept, _ = references(2)
    for step in (0, 1):
        called(kept, step, "a", "b")
    assert called(kept, 2, "a")
    assert called(kept, 3, "b")
    assert not called(kept, 4, "b")


def test_after_a_jump_back_all_are_computed_anew() -> None:
    kept, _ = references()
    called(kept, 0, "a")
    kept.go_back()
    assert called(kept, 1, "a")


def test_where_memory_runs_out_the_next_storage_is_tried() -> None:
    kept, _ = references()
    called(kept, 0, "a")
    assert [kept.ran_out() for _ in range(3)] == [True, True, False]
    assert kept.cache.storage == "cpu"
    assert called(kept, 1, "a")


def test_given_up_nothing_is_planned_and_nothing_kept() -> None:
    kept, _ = references()
    called(kept, 0, "a")
    kept.give_up()
    assert kept.plan(("a",), TOKENS, CLOCK.moment(1)) is None
    assert kept.cache.num_bytes == 0


def test_the_account_counts_what_was_left_out() -> None:
    kept, report = references()
    for step in range(2):
        called(kept, step, "a", "b")
    assert sum(record.all_tokens for record in report.steps) == 4 * TOKENS
    assert sum(record.computed_tokens for record in report.steps) == 2 * TOKENS
    assert (report.references.stored, report.references.frozen) == ({0}, {1})
