"""The host's MultiGPU CFG split: each side of the guidance on a device of its own, and steps that ask neither."""

from __future__ import annotations

from collections import Counter

import pytest
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.show.report import StepClass
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.devices import SECOND, split
from comfyui_jano.tests.host.tiny import sample, with_scheduler
from comfyui_jano.tests.host.whole.test_error_control import ANY_ERROR


def test_a_step_that_is_forecast_spares_every_device() -> None:
    both = split(tiny.flux)
    (second,) = both.get_additional_models_with_key("multigpu")
    assert second.load_device == SECOND
    assert second.model is not both.model
    calls: Counter[str] = Counter()
    for name, model in (("first", both), ("second", second)):
        network = model.model.diffusion_model
        network.register_forward_pre_hook(lambda _, args, name=name: calls.update({name: args[0].shape[0]}))
    accelerated = with_scheduler(both, "custom", ANY_ERROR)
    report = report_of(accelerated, sample(accelerated, 20, 3.0))
    assert (report.verdict, report.fallbacks) == ("accelerated", [])
    computed = [record.step_class for record in report.steps].count(StepClass.FULL)
    assert computed <= 10
    assert calls == {"first": computed, "second": computed}


def test_the_report_counts_what_all_devices_compute() -> None:
    shares = []
    for model in (split(tiny.flux), tiny.flux()):
        accelerated = with_scheduler(model, "custom", ANY_ERROR)
        report = report_of(accelerated, sample(accelerated, 12, 3.0))
        shares.append([(record.computed_tokens, record.all_tokens) for record in report.steps])
    assert shares[0] == shares[1]


@pytest.mark.parametrize("jano_first", [True, False])
def test_the_split_may_stand_before_or_behind_jano(jano_first: bool) -> None:
    def make() -> object:
        return with_scheduler(tiny.flux(), "custom", ANY_ERROR) if jano_first else tiny.flux()

    model = split(make)
    model = model if jano_first else with_scheduler(model, "custom", ANY_ERROR)
    assert report_of(model, sample(model, 20, 3.0)).computed_token_fraction <= 0.5
