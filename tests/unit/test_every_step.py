import torch
from comfyui_jano.jano.account import Account
from comfyui_jano.jano.clock import Clock
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.every_step import TOO_FAR, EveryStep
from comfyui_jano.jano.sampler import PLAIN
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.jano.whole.engine import WholeSteps
from comfyui_jano.tests.unit.toy import GRID

CLOCK = Clock((1.0, 0.5, 0.0))


def test_a_prediction_is_handed_on_as_it_is() -> None:
    engine, denoised = EveryStep(), torch.randn(1, 4, 2, 2)
    engine.begin(CLOCK.moment(1), True, 0)
    engine.keep("key", denoised, CLOCK.moment(1), 4)
    assert engine.recall("key", CLOCK.moment(1), True) is None
    assert engine.settle(denoised, CLOCK.moment(1), False) is denoised
    assert engine.computed
    assert engine.shift is None


def test_only_what_tolerates_more_is_named() -> None:
    """A run at *draft* was told that *fast* and *draft* allow more."""
    told = {tolerance: EveryStep(tolerance).why_native() for tolerance in (0.0, 0.06, 0.2, 0.8)}
    assert told[0.0] == told[0.8] == TOO_FAR
    assert told[0.06] == f"{TOO_FAR} (fast and draft tolerate more)"
    assert told[0.2] == f"{TOO_FAR} (draft tolerates more)"


def test_it_can_stand_in_for_the_engine_that_skips_steps() -> None:
    report = RunReport("toy", 20)
    config, clock = SchedulerConfig(tolerance=0.1), Clock(tuple(torch.linspace(1, 0, 21).tolist()))
    whole = WholeSteps(config, clock, GRID, Account(report, GRID), PLAIN)
    public = {name for name in dir(whole) if not name.startswith("_")}
    not_asked = {"full_steps", "look", "seen"}  # by whom the engine is made; of engines that may look ahead
    assert public - set(dir(EveryStep())) == not_asked
