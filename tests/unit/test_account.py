"""The account of a run whose latent has four tokens."""

import math

import pytest
import torch
from comfyui_jano.jano.account import Account
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.show.references import ReferenceAccount
from comfyui_jano.jano.show.report import RunReport, StepClass

GRID = TokenGrid(latent=(1, 2, 2), patch=(1, 1, 1), region=(1, 1, 1))


@pytest.fixture
def account() -> Account:
    account = Account(RunReport("toy", 4), GRID)
    account.begin(0, 1.0)
    return account


def test_evaluations_of_one_step_share_a_record(account: Account) -> None:
    first = account.record
    assert not account.begin(0, 0.9)
    assert account.record is first
    assert account.begin(1, 0.8)
    assert (first.evaluations, account.record.evaluations) == (2, 1)


def test_a_partial_call_counts_its_tokens_for_every_chunk(account: Account) -> None:
    account.count(StepClass.ACTIVE, 3, torch.tensor([1, 2]))
    assert (account.record.computed_tokens, account.record.all_tokens) == (6, 12)
    assert account.record.computed.tolist() == [[[False, True], [True, False]]]


@pytest.mark.parametrize(("latents", "tokens"), [(3.0, 12), (0.5, 2)], ids=["chunks", "a window"])
def test_a_native_call_counts_what_it_is_about(account: Account, latents: float, tokens: int) -> None:
    account.count_native(latents)
    assert (account.record.computed_tokens, account.record.all_tokens) == (tokens, tokens)
    assert account.record.computed is None


def test_what_a_forecast_spares_is_left_out(account: Account) -> None:
    account.spare(8)
    assert (account.record.computed_tokens, account.record.all_tokens) == (0, 8)
    assert account.record.step_class is StepClass.SKIPPED
    assert not account.record.computed.any()


def test_a_call_before_any_evaluation_belongs_to_the_first_step() -> None:
    account = Account(RunReport("toy", 4), GRID, first_sigma=0.9)
    account.count_native(1)
    assert account.begin(0, 0.9)
    assert (account.record.step, account.record.sigma, account.record.all_tokens) == (0, 0.9, 4)


@pytest.mark.parametrize("drift", [math.nan, math.inf])
def test_a_drift_that_is_not_finite_says_nothing_and_ends_no_run(drift: float) -> None:
    report = RunReport("Flux", 2, references=ReferenceAccount("auto", 64, {0}, {1}))
    Account(report, GRID).drifted(drift)
    assert report.references.told().endswith("whose drift was not measured")
    Account(report, GRID).drifted(0.02)
    assert report.references.told().endswith("drifted by 2 % at most")
