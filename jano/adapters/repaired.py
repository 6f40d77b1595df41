"""Whose forecasts are repaired afterwards: samplers that gain by it, as `bench/run.py samplers` measures."""

from __future__ import annotations

from ..config import SchedulerConfig
from ..forecast.repair import Repair
from .sampler_name import sampler_name

# Samplers that are closer with the repair than without on both tiny models, to the picture and with the
# noise left in, on the prompts that they were chosen on and on others (tests/host/test_repaired.py).
REPAIRED = frozenset(
    f"sample_{name}"
    for name in (
        *("euler", "heun", "exp_heun_2_x0", "dpm_2", "dpmpp_2m", "res_multistep", "unipc", "unipc_bh2"),
        *("heunpp2", "res_multistep_ancestral"),
    )
)
# They go on from predictions of earlier steps as they were given them, a jump included.
REMEMBERING = frozenset(
    f"sample_{name}" for name in ("dpmpp_2m", "res_multistep", "gradient_estimation", "ipndm", "ipndm_v", "deis", "lms")
)
# These too, but they take every step again once they know the prediction behind it.
MULTISTEP = REMEMBERING | {"sample_unipc", "sample_unipc_bh2"}
LAST_LEVEL = 0.25
"""Sigma of a flow model from which the last step may go to 0 for multistep samplers to be repaired. Above it the steps
before are so long that the extrapolation of a sampler takes back more than the repair knows: at 20 steps the tiny Wan
gains at shift 3.16 (0.143; errors of 0.66 to 0.79), at shift 8 (0.296) dpmpp_2m and uni_pc come out at 1.01 and 1.12 on
other prompts, and the tiny Flux at that shift at 1.25 and 1.16. At 28 steps and shift 8 (0.229) uni_pc gains 2 dB."""


def repair_for(scheduler: SchedulerConfig | None, sampler: object, sigmas: list[float]) -> Repair:
    """What is done about forecasts, as the user set it or where this sampler gains by it. `sigmas` are a flow
    model's."""
    name = sampler_name(sampler)
    gains = Repair.STEADY if name in REMEMBERING else Repair.FULL
    if scheduler is None or scheduler.correct is not None:
        return gains if scheduler is not None and scheduler.correct else Repair.NONE
    if name not in REPAIRED or getattr(sampler, "extra_options", {}).get("s_churn"):
        return Repair.NONE
    return Repair.NEEDLESS if name in MULTISTEP and is_coarse(sigmas) else gains


def is_coarse(sigmas: list[float]) -> bool:
    """Whether the last step that leaves its sigma goes to 0 from a high one."""
    return sigmas[-1] == 0.0 and min((sigma for sigma in sigmas if sigma > 0.0), default=0.0) > LAST_LEVEL
