"""What is known of the host's samplers, and told of those of other packs."""

from __future__ import annotations

import inspect

from ..config import SchedulerConfig
from ..sampler import SamplerTraits

# Samplers whose pictures are closer with forecasts repaired than without, as `bench/run.py samplers` measures.
REPAIRED_SAMPLERS = frozenset(
    f"sample_{name}"
    for name in (
        *("euler", "heun", "exp_heun_2_x0", "dpm_2", "dpmpp_2m"),
        *("res_multistep", "unipc", "unipc_bh2"),
        *("ddpm", "res_multistep_ancestral", "heunpp2"),
    )
)
# They look ahead in a step, and come back: each evaluation below the one before, until the next step begins.
LOOKING_AHEAD = ("sample_heunpp2",)
# They share a function with ancestral ones, and ask it for no noise.
WITHOUT_NOISE = ("sample_res_multistep", "sample_res_multistep_cfg_pp")
# How much noise a step adds: by their arguments, where they have them.
STRENGTHS = ("eta", "s_noise")


def sampler_name(sampler: object) -> str:
    """Name of a sampler's function, such as "sample_euler"; empty when it has none."""
    return getattr(getattr(sampler, "sampler_function", None), "__name__", "")


def repairs(scheduler: SchedulerConfig | None, sampler: object) -> bool:
    """Whether forecasts are repaired afterwards: as the user set it, or where this sampler gains by it."""
    if scheduler is None or scheduler.correct is not None:
        return scheduler is not None and scheduler.correct
    options = getattr(sampler, "extra_options", {})
    return sampler_name(sampler) in REPAIRED_SAMPLERS and not options.get("s_churn")


def adds_noise(sampler: object) -> bool:
    """Whether a sampler adds noise of its own at every step, as ancestral and SDE ones do."""
    options = getattr(sampler, "extra_options", {})
    if options.get("s_churn"):
        return True
    name, function = sampler_name(sampler), getattr(sampler, "sampler_function", None)
    parameters = inspect.signature(function).parameters if callable(function) else {}
    if "noise_sampler" not in parameters or name in WITHOUT_NOISE:
        return False
    return all(options.get(strength, parameters[strength].default) for strength in STRENGTHS if strength in parameters)


def traits_of(scheduler: SchedulerConfig | None, sampler: object, is_held: bool = False) -> SamplerTraits:
    """What a run must know of `sampler`. `is_held` tells that a mask lets it go its own way nowhere."""
    corrects = repairs(scheduler, sampler) and not is_held
    return SamplerTraits(corrects, adds_noise(sampler), sampler_name(sampler) in LOOKING_AHEAD)
