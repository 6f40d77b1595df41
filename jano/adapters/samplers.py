"""What is known of the host's samplers, and told of those of other packs."""

from __future__ import annotations

import inspect

from ..config import SchedulerConfig
from ..forecast.repair import Repair
from ..sampler import SamplerTraits
from .repaired import MULTISTEP, repair_for
from .sampler_name import sampler_name

# They look ahead in a step, and come back: each evaluation below the one before, until the next step begins.
LOOKING_AHEAD = ("sample_heunpp2",)
# They share a function with ancestral ones, and ask it for no noise.
WITHOUT_NOISE = ("sample_res_multistep", "sample_res_multistep_cfg_pp")
LEFT_BY_A_REPAIR, LEFT_BY_NOISE = 0.5, 2.0
"""How much of what forecasts do to the picture is left of it, multistep samplers being 1, repaired or not: samplers of
one step are repaired of half, and noise that is added amplifies it. PSNR in dB of pictures whose run measured an error
of 1, on the tiny Wan: euler 18 to 21, dpmpp_2m and uni_pc 10 to 18, euler_ancestral 8 to 12 (`bench/run.py risk`)."""
# How much noise a step adds: by their arguments, where they have them.
STRENGTHS = ("eta", "s_noise")


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


def traits_of(
    scheduler: SchedulerConfig | None, sampler: object, sigmas: list[float], is_held: bool = False
) -> SamplerTraits:
    """What a run over `sigmas`, a flow model's, must know of `sampler`. `is_held` tells that a mask lets it go its own
    way nowhere."""
    repair = Repair.NONE if is_held else repair_for(scheduler, sampler, sigmas)
    is_noisy = adds_noise(sampler)
    one_step = repair.corrects and sampler_name(sampler) not in MULTISTEP
    left = LEFT_BY_NOISE if is_noisy else LEFT_BY_A_REPAIR if one_step else 1.0
    return SamplerTraits(repair, is_noisy, sampler_name(sampler) in LOOKING_AHEAD, left)
