"""The sampling hooks: a Run is made in OUTER_SAMPLE, told of every evaluation, and dropped when sampling ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import comfy.model_patcher
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ..account import now
from ..config import SchedulerConfig, without_region_default
from ..report import RunReport
from ..run import Call, Mode, Run, Unaccelerated
from .attention import OVERRIDE, AttentionTap
from .families import by_class, grid_of
from .keys import Question, chunk_keys, question_of, with_question
from .live import Live
from .memory import with_cache
from .noise import Noise, noise_of
from .progress import Told, tell_end, tell_step
from .refusals import (
    conflicting_node,
    sampler_name,
    unsupported_call,
    unsupported_latent,
    unsupported_model,
    unsupported_sampling,
    unsupported_sigmas,
)
from .settings import KEY, JanoSettings, RunHistory, fingerprint
from .shown_on import node_to_show
from .taps import Tap, tapped
from .tokens import TokenRows

log = logging.getLogger(__name__)

# Samplers whose pictures are closer with forecasts repaired than without, as `bench/run.py samplers` measures.
REPAIRED_SAMPLERS = frozenset(
    f"sample_{name}"
    for name in (
        *("euler", "heun", "exp_heun_2_x0", "dpm_2", "dpmpp_2m"),
        *("res_multistep", "unipc", "unipc_bh2"),
    )
)


def install(model: ModelPatcher) -> None:
    """Register the wrappers on a clone that carries JanoSettings; a second time changes nothing."""
    for kind, wrapper in (
        (WrappersMP.OUTER_SAMPLE, outer_sample),
        (WrappersMP.PREPARE_SAMPLING, prepare_sampling),
        (WrappersMP.SAMPLER_SAMPLE, sampler_sample),
        (WrappersMP.PREDICT_NOISE, predict_noise),
        (WrappersMP.CALC_COND_BATCH, calc_cond_batch),
        (WrappersMP.APPLY_MODEL, apply_model),
    ):
        model.remove_wrappers_with_key(kind, KEY)
        model.add_wrapper_with_key(kind, KEY, wrapper)


def repairs(scheduler: SchedulerConfig | None, sampler: object) -> bool:
    """Whether forecasts are repaired afterwards: as the user set it, or where this sampler gains by it."""
    if scheduler is None or scheduler.correct is not None:
        return scheduler is not None and scheduler.correct
    options = getattr(sampler, "extra_options", {})
    return sampler_name(sampler) in REPAIRED_SAMPLERS and not options.get("s_churn")


def told_strength(guider: object) -> float | None:
    """The scale of CFG in the guider's own word, where it has a single one."""
    cfg = getattr(guider, "cfg", None)
    return cfg if isinstance(cfg, (int, float)) else None


@dataclass
class ActiveRun(Live):
    """A Run bound to the host's model; what `transformer_options["jano"]` holds while sampling.

    `run` is None when the whole run is native. `sigma` is the host's, of the evaluation that is under way, and `x` what
    it is about.
    """

    settings: JanoSettings
    report: RunReport
    run: Run | None = None
    taps: list[Tap] = field(default_factory=list)
    num_front: Callable[[dict], int] = lambda conds: 0
    noise: Noise = Noise.MIXED
    sigma: float = 0.0
    x: Tensor | None = None
    told: Told = field(default_factory=Told)

    @property
    def shift(self) -> Tensor | None:
        return self.run and self.run.shift

    def repaired(self, x: Tensor, scale: float = 1.0) -> Tensor:
        """`x`, or a prediction, of the sampler with what it does not know of; `scale` as in Run.shown."""
        return x if self.shift is None else x + scale * self.shift.to(x)

    def fall_back(self, reason: str) -> None:
        """Say once why something runs natively."""
        self.report.add_fallback(reason)


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
    corrects = denoise_mask is None and repairs(settings.scheduler, sampler)
    active = start(settings, guider, noise, sampler, sigmas, kw.get("latent_shapes"), corrects)
    guider.model_options["transformer_options"][KEY] = active
    try:
        samples = executor(noise, latent_image, sampler, sigmas, *args, **kw)
        if active.run is not None and (reason := active.run.why_native()):
            active.fall_back(reason)
    finally:
        active.x = None
        if active.run is not None:
            active.run.drop()
        guider.model_options = original
    publish(active, guider.model_patcher.get_attachment(KEY), samples)
    return samples


def start(
    settings: JanoSettings,
    guider: object,
    noise: Tensor,
    sampler: object,
    sigmas: Tensor,
    latent_shapes: list | None,
    corrects: bool,
) -> ActiveRun:
    """Make the run, or an ActiveRun without one that says why it is native."""
    model = guider.model_patcher
    network = model.model.diffusion_model
    active = ActiveRun(settings, RunReport(type(network).__name__, max(0, len(sigmas) - 1)))
    try:
        refusal = (
            unsupported_model(model, settings.by_level)
            or unsupported_latent(noise, latent_shapes)
            or unsupported_sampling(sampler, settings.preset, len(sigmas) - 1)
            or unsupported_sigmas(model, sigmas)
            or conflicting_node(guider.model_options, settings.by_level)
        )
        if refusal:
            raise Unaccelerated(refusal)
        family = by_class(network)
        analyzer = without_region_default(settings.analyzer, family.REGION)
        grid = grid_of(family, network, noise.shape, analyzer.region)
        level_map = settings.level_map and settings.level_map.to(model.load_device)
        active.noise = noise_of(model)
        flow_sigmas = [active.noise.flow_sigma(sigma) for sigma in sigmas.tolist()]
        active.run = Run(
            analyzer, settings.scheduler, grid, noise.shape, flow_sigmas, active.report, level_map, corrects
        )
        if active.run.keeps_keys:
            active.taps = family.taps(network)
            active.num_front = partial(family.num_front, network)
    except Unaccelerated as reason:
        active.fall_back(str(reason))
    return active


def publish(active: ActiveRun, history: RunHistory | None, samples: Tensor) -> None:
    """After a complete run: keep its report with the model, write the log line, tell the node."""
    report = active.report
    if report.verdict != "native":  # reasons for native runs were logged when they came up
        log.info(report.summary())
    tell_end(active.settings.node_id, report)
    if history is not None:
        report.fingerprint = fingerprint(samples)
        history.add(report)


def prepare_sampling(executor: Callable, model: ModelPatcher, noise_shape: tuple, conds: dict, *args, **kw):
    """PREPARE_SAMPLING wrapper: the host makes room for the cache too."""
    active = (kw.get("model_options") or {}).get("transformer_options", {}).get(KEY)
    if isinstance(active, ActiveRun) and active.run is not None and active.run.keeps_keys:
        noise_shape = with_cache(model, noise_shape, conds, active.run.grid.num_tokens)
    return executor(model, noise_shape, conds, *args, **kw)


def sampler_sample(
    executor: Callable, guider: object, sigmas: Tensor, extra_args: dict, callback: Callable | None, *args, **kw
):
    """SAMPLER_SAMPLE wrapper: the finished x, and what is shown on the way, are the repaired ones."""
    active = extra_args["model_options"].get("transformer_options", {}).get(KEY)
    if not isinstance(active, ActiveRun) or active.run is None:
        return executor(guider, sigmas, extra_args, callback, *args, **kw)

    def repaired(step: int, denoised: Tensor, x: Tensor, total_steps: int) -> None:
        callback(step, active.repaired(denoised), active.repaired(x, active.noise.scale(active.sigma)), total_steps)

    samples = executor(guider, sigmas, extra_args, callback and repaired, *args, **kw)
    if active.shift is None:
        return samples
    end = active.noise.scale(float(sigmas[-1])) * active.shift.to(samples)
    return samples + guider.inner_model.model_sampling.inverse_noise_scaling(sigmas[-1], end)


def predict_noise(executor: Callable, x: Tensor, timestep: Tensor, model_options: dict, seed: int | None = None):
    """PREDICT_NOISE wrapper: one guided model evaluation."""
    active = model_options.get("transformer_options", {}).get(KEY)
    run = active.run if isinstance(active, ActiveRun) else None
    if run is None:
        return executor(x, timestep, model_options, seed)
    if tuple(x.shape) != run.latent_shape:
        active.fall_back("the sampler evaluates parts of the latent")
        run.drop()
        active.run = None
        return executor(x, timestep, model_options, seed)
    started = now(x.device)
    active.sigma = float(timestep.flatten()[0])
    scale = active.noise.scale(active.sigma)
    run.begin(active.noise.flow_sigma(active.sigma))
    active.x = x = run.shown(x, scale)
    denoised = executor(x, timestep, model_options, seed)
    denoised = run.settle(x, denoised, scale, told_strength(executor.class_obj))
    run.account.record.seconds += now(x.device) - started
    tell_step(active.settings.node_id, run.report, run.grid.tokens, active.told)
    return denoised


def calc_cond_batch(
    executor: Callable, model: object, conds: list, x_in: Tensor, timestep: Tensor, model_options: dict
):
    """CALC_COND_BATCH wrapper: predictions of every conditioning that the guidance asks for, forecast all or none.

    Whole steps are skipped here and not at the transformer, so that ControlNets and compiled models are skipped too.
    """
    active = model_options.get("transformer_options", {}).get(KEY)
    run = active.run if isinstance(active, ActiveRun) else None
    if run is None:
        return executor(model, conds, x_in, timestep, model_options)
    asked = question_of(model, conds, x_in, active.x, timestep, model_options)
    is_only = run.groups.ask(asked.key)
    if not run.controlled:
        asked = asked if is_only else replace(asked, native="another node asks the same thing twice")
        with_it = with_question(model_options, asked)
        predictions = _accounted(active, asked, lambda: executor(model, conds, x_in, timestep, with_it))
        run.hear(asked.parts, asked.answers(predictions))
        return predictions
    is_whole = tuple(x_in.shape) == run.latent_shape
    if not is_whole:
        active.fall_back("another node evaluates parts of the latent")
    forecast = run.recall(asked.key) if is_whole else None
    if forecast is not None:
        predictions = list(forecast.chunk(len(conds)))
        run.hear(asked.parts, asked.answers(predictions))
        return predictions
    predictions = _accounted(active, asked, lambda: executor(model, conds, x_in, timestep, model_options))
    run.hear(asked.parts, asked.answers(predictions))
    if is_whole:
        run.keep(asked.key, torch.cat(predictions))
    return predictions


def _accounted(active: ActiveRun, asked: Question, predict: Callable[[], list[Tensor]]) -> list[Tensor]:
    """Predictions from the host, which are counted even if another pack calls the transformer past `apply_model`."""
    run = active.run
    counted = run.account.record.all_tokens
    predictions = predict()
    if run.account.record.all_tokens == counted and asked.states:
        run.account.count_native(len(asked.states) * run.latent_shape[0])
        if run.keeps_keys:
            active.fall_back("another node calls the transformer by itself")
    return predictions


def apply_model(
    executor: Callable,
    x: Tensor,
    t: Tensor,
    c_concat: Tensor | None = None,
    c_crossattn: Tensor | None = None,
    control: object = None,
    transformer_options: dict | None = None,
    **conds,
) -> Tensor:
    """APPLY_MODEL wrapper: one call of the transformer, returns the denoised prediction of every cell."""
    options = transformer_options or {}

    def execute(with_options: dict) -> Tensor:
        return executor(x, t, c_concat, c_crossattn, control, with_options, **conds)

    active = options.get(KEY)
    run = active.run if isinstance(active, ActiveRun) else None
    if run is None:
        return execute(options)
    reason = unsupported_call(run, x, options) if run.keeps_keys else ""
    if reason:
        active.fall_back(reason)
    if reason or not run.keeps_keys:
        run.account.count_native(x.shape[0])
        return execute(options)
    call = run.plan(chunk_keys(options))
    if call.mode is Mode.FULL:
        return run.finish(call, execute(options))
    if call.mode is Mode.SKIP:
        return run.finish(call, None)
    rows = TokenRows(call, run.grid.num_tokens, run.cache, active.num_front(conds))
    return _apply_tapped(active, rows, options, execute)


def _apply_tapped(active: ActiveRun, rows: TokenRows, options: dict, execute: Callable[[dict], Tensor]) -> Tensor:
    """A call that stores or uses cached keys and values; whatever does not look as expected is computed natively."""
    run, call = active.run, rows.call
    try:
        with tapped(active.taps, rows):
            x0 = execute({**options, OVERRIDE: AttentionTap(options.get(OVERRIDE))})
    except Unaccelerated as unexpected:
        active.fall_back(str(unexpected))
        run.give_up()
        return run.finish(Call(Mode.FULL, call.chunks), execute(options))
    x0 = run.finish(call, x0)
    run.cache.retain(call.chunks, rows.layers)
    if rows.layout is None:
        active.fall_back("another node answered in place of the transformer")
        run.give_up()
    return x0
