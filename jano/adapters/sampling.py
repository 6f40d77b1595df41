"""The sampling hooks: a Run is made in OUTER_SAMPLE, told of every evaluation, and dropped when sampling ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import ModuleType

import comfy.model_patcher
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ..account import now
from ..config import SchedulerConfig
from ..levels.parts import Parts
from ..presets import quality_of
from ..refusal import Unaccelerated
from ..run import Run
from ..sentences import say
from ..show.advice import advice_for
from ..show.headline import summary
from ..show.report import RunReport
from .active import ActiveRun, active_of
from .inputs import told_number
from .latents import grid_of, parts_of
from .masks import painted_cells
from .model_name import model_named
from .noise import noise_of
from .progress import tell_end, tell_step
from .references.calls import WRAPPERS as OF_REFERENCES
from .references.policy import refreshing
from .refusals import (
    conflicting_node,
    too_few_steps,
    unsupported_latent,
    unsupported_model,
    unsupported_sampling,
    unsupported_sigmas,
)
from .sampler_name import shown_name
from .samplers import traits_of
from .settings import KEY, JanoSettings, RunHistory, fingerprint, settings_of
from .shown_on import node_to_show

log = logging.getLogger(__name__)

# Where any engine has wrappers.
KINDS = (
    WrappersMP.OUTER_SAMPLE,
    WrappersMP.PREPARE_SAMPLING,
    WrappersMP.SAMPLER_SAMPLE,
    WrappersMP.PREDICT_NOISE,
    WrappersMP.CALC_COND_BATCH,
    WrappersMP.APPLY_MODEL,
)


def engine_of(scheduler: SchedulerConfig | None) -> ModuleType:
    """What reaches into the host for one engine; imported here alone, so that either can do without the other."""
    if scheduler is None:
        from . import counting as engine
    elif scheduler.controlled:
        from . import whole as engine
    else:
        from .by_level import calls as engine
    return engine


def install(model: ModelPatcher) -> None:
    """Register the wrappers on a clone that carries JanoSettings, in place of those that it had."""
    wrappers = {**WRAPPERS, **engine_of(settings_of(model).scheduler).WRAPPERS}
    uninstall(model)
    for kind, wrapper in wrappers.items():
        model.add_wrapper_with_key(kind, KEY, wrapper)
    for kind, wrapper in OF_REFERENCES.items():  # within the engine's own: they see what it asks
        model.add_wrapper_with_key(kind, KEY, wrapper)


def uninstall(model: ModelPatcher) -> None:
    """Take the wrappers off a clone again, whichever engine's they are."""
    for kind in KINDS:
        model.remove_wrappers_with_key(kind, KEY)


def told_strength(guider: object) -> float | None:
    """The scale of CFG in the guider's own word, where it has a single one."""
    return told_number(guider, "cfg")


def outer_sample(executor: Callable, noise: Tensor, latent_image: Tensor, sampler: object, sigmas: Tensor, *args, **kw):
    """OUTER_SAMPLE wrapper: the lifetime of a run."""
    guider = executor.class_obj
    settings = guider.model_options.get("transformer_options", {}).get(KEY)
    if not isinstance(settings, JanoSettings):
        return executor(noise, latent_image, sampler, sigmas, *args, **kw)
    settings = replace(settings, node_id=node_to_show(settings))
    original = guider.model_options
    guider.model_options = comfy.model_patcher.create_model_options_clone(original)
    denoise_mask = args[0] if args else kw.get("denoise_mask")
    active = start(settings, guider, noise, sampler, sigmas, kw.get("latent_shapes"), denoise_mask)
    guider.model_options["transformer_options"][KEY] = active
    try:
        samples = executor(noise, latent_image, sampler, sigmas, *args, **kw)
        if active.run is not None:
            active.run.conclude()
    finally:
        active.x = None
        if active.run is not None:
            active.run.drop()
        guider.model_options = original
    publish(active, guider.model_patcher.get_attachment(KEY), samples, parts_of(kw.get("latent_shapes")))
    return samples


def start(
    settings: JanoSettings,
    guider: object,
    noise: Tensor,
    sampler: object,
    sigmas: Tensor,
    latent_shapes: list | None,
    denoise_mask: Tensor | None,
) -> ActiveRun:
    """Make the run, or an ActiveRun without one that says why it is native."""
    model, engine = guider.model_patcher, engine_of(settings.scheduler)
    parts = parts_of(latent_shapes)
    shape = tuple(parts.shapes[parts.shown] if parts.shapes else noise.shape)
    network = model.model.diffusion_model
    active = ActiveRun(settings, _report_for(settings, guider, shape, sampler, len(sigmas) - 1))
    try:
        if refusal := _refused(settings, guider, shape, sampler, sigmas) or engine.refused(model, guider.model_options):
            raise Unaccelerated(refusal)
        active.noise = noise_of(model)
        flow_sigmas = [active.noise.flow_sigma(sigma) for sigma in sigmas.tolist()]
        grid = grid_of(network, shape, settings.analyzer.region)
        level_map = settings.level_map and settings.level_map.to(model.load_device)
        painted = painted_cells(model, denoise_mask, sigmas, guider.model_options)
        nowhere = painted is not None and not bool(painted.any())
        too_few = too_few_steps(sampler, settings.preset, len(sigmas) - 1)
        make = partial(
            Run,
            settings.analyzer,
            settings.scheduler,
            grid,
            noise.shape,
            flow_sigmas,
            active.report,
            level_map,
            traits_of(settings.scheduler, sampler, flow_sigmas, nowhere),
            painted=None if nowhere else painted,
            parts=parts,
            refreshing=refreshing(settings, guider, noise.shape, active.report, forecasts=not too_few),
        )
        active.run = _forecasting(make, too_few, active.report)
        active.blocks = engine.blocks_of(network)
    except Unaccelerated as unaccelerated:
        active.report.add_fallback(unaccelerated.reason)
    return active


def _report_for(
    settings: JanoSettings, guider: object, shape: tuple[int, ...], sampler: object, num_steps: int
) -> RunReport:
    """An empty report, which knows what was asked for."""
    asked = {"quality": quality_of(settings.scheduler), "sampler": shown_name(sampler), "cfg": told_strength(guider)}
    model = model_named(guider.model_patcher)
    asked |= {"accelerates": settings.scheduler is not None, "node_id": settings.node_id}
    return RunReport(model, max(0, num_steps), latent=shape, **asked)


def _forecasting(make: partial[Run], too_few: str, report: RunReport) -> Run:
    """A run that forecasts steps; where it cannot, one that only leaves references out, if it does that."""
    try:
        if too_few:
            raise Unaccelerated(too_few)
        return make()
    except Unaccelerated as unaccelerated:
        if make.keywords["refreshing"] is None:
            raise
        run = make(forecasts=False)
        report.notes.append(say("no_step_forecast", reason=unaccelerated.reason))
        return run


def _refused(settings: JanoSettings, guider: object, shape: tuple[int, ...], sampler: object, sigmas: Tensor) -> str:
    """Why this run is native whichever the engine; empty when it need not be."""
    return (
        unsupported_model(guider.model_patcher)
        or unsupported_latent(shape)
        or unsupported_sampling(sampler, len(sigmas) - 1)
        or unsupported_sigmas(guider.model_patcher, sigmas)
        or conflicting_node(guider.model_patcher, guider.model_options)
    )


def publish(active: ActiveRun, history: RunHistory | None, samples: Tensor, parts: Parts) -> None:
    """After a complete run: keep its report with the model, write the log line, tell the node. It is found by what the
    sampler gave, and by each of its parts, since a graph takes those apart."""
    report = active.report
    report.advice = advice_for(report)
    if report.verdict != "native":  # reasons for native runs were logged when they came up
        log.info(summary(report))
    tell_end(active.settings.node_id, report)
    if history is not None:
        report.fingerprints = frozenset(map(fingerprint, (samples, *parts.split(samples))))
        history.add(report)


def sampler_sample(
    executor: Callable, guider: object, sigmas: Tensor, extra_args: dict, callback: Callable | None, *args, **kw
):
    """SAMPLER_SAMPLE wrapper: the finished x, and what is shown on the way, are the repaired ones."""
    active = active_of(extra_args["model_options"])
    if active is None:
        return executor(guider, sigmas, extra_args, callback, *args, **kw)

    def repaired(step: int, denoised: Tensor, x: Tensor, total_steps: int) -> None:
        callback(step, active.repaired(denoised), active.repaired(x, active.noise.scale(active.sigma)), total_steps)

    samples = executor(guider, sigmas, extra_args, callback and repaired, *args, **kw)
    shift = active.run and active.run.shift
    if shift is None:
        return samples
    end = active.noise.scale(float(sigmas[-1])) * shift.to(samples)
    return samples + guider.inner_model.model_sampling.inverse_noise_scaling(sigmas[-1], end)


def predict_noise(executor: Callable, x: Tensor, timestep: Tensor, model_options: dict, seed: int | None = None):
    """PREDICT_NOISE wrapper: one guided model evaluation."""
    active = active_of(model_options)
    if active is None:
        return executor(x, timestep, model_options, seed)
    run = active.run
    if tuple(x.shape) != run.latent_shape:
        active.report.add_fallback(say("sampler_in_parts"))
        run.drop()
        active.run = None
        return executor(x, timestep, model_options, seed)
    started = now(x.device)
    active.sigma = float(timestep.flatten()[0])
    scale = active.noise.scale(active.sigma)
    run.begin(active.noise.flow_sigma(active.sigma))
    active.x = x = active.repaired(x, scale)
    denoised = executor(x, timestep, model_options, seed)
    denoised = run.settle(x / scale, denoised, told_strength(executor.class_obj))
    run.account.record.seconds += now(x.device) - started
    tell_step(active.settings.node_id, run.report, run.grid, active.told)
    return denoised


WRAPPERS = {
    WrappersMP.OUTER_SAMPLE: outer_sample,
    WrappersMP.SAMPLER_SAMPLE: sampler_sample,
    WrappersMP.PREDICT_NOISE: predict_noise,
}
