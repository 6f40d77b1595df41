"""Whole steps are skipped where the guidance asks, above ControlNets, compiled models and the transformer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor, nn

from ..sentences import say
from .active import ActiveRun, active_of
from .counting import apply_model, counted
from .keys import ASKED_TWICE, Question, question_of, with_question
from .windows import HANDLER, as_one, is_inside


def refused(model: ModelPatcher, model_options: dict) -> str:
    """Why this model's steps cannot be skipped, beyond what any run needs: for nothing."""
    return ""


def blocks_of(network: nn.Module) -> None:
    """What must be known of the transformer's blocks: nothing."""


def prepare_sampling(executor: Callable, model: ModelPatcher, noise_shape: tuple, conds: dict, *args, **kw):
    """PREPARE_SAMPLING wrapper: in the run's own options, the windows of a long clip are one question."""
    options = kw.get("model_options") or {}
    if active_of(options) is not None and options.get(HANDLER) is not None:
        options[HANDLER] = as_one(options[HANDLER], partial(_asked, in_windows=True))
    return executor(model, noise_shape, conds, *args, **kw)


def calc_cond_batch(
    executor: Callable, model: object, conds: list, x_in: Tensor, timestep: Tensor, model_options: dict
) -> list[Tensor]:
    """CALC_COND_BATCH wrapper: predictions of every conditioning that the guidance asks for, forecast all or none."""
    if is_inside(model_options):
        return executor(model, conds, x_in, timestep, model_options)
    return _asked(executor, model, conds, x_in, timestep, model_options)


def _asked(
    executor: Callable,
    model: object,
    conds: list,
    x_in: Tensor,
    timestep: Tensor,
    model_options: dict,
    in_windows: bool = False,
) -> list[Tensor]:
    """A question of the guidance, which `executor` can answer."""
    active = active_of(model_options)

    def predict(options: dict) -> list[Tensor]:
        return executor(model, conds, x_in, timestep, options)

    if active is None:
        return predict(model_options)
    asked = question_of(model, conds, x_in, active.x, timestep, model_options, in_windows)
    is_only = active.run.questions.ask(asked.key)
    if active.run.references is not None:
        known = asked if is_only else replace(asked, native=ASKED_TWICE)
        model_options = with_question(model_options, known)
    is_whole = tuple(x_in.shape) == active.run.latent_shape
    predictions = _answered(active, asked, is_only, is_whole, len(conds), partial(predict, model_options))
    active.run.hear(asked.parts, asked.answers(predictions))
    return predictions


def _answered(
    active: ActiveRun,
    asked: Question,
    is_only: bool,
    is_whole: bool,
    num_sides: int,
    predict: Callable[[], list[Tensor]],
) -> list[Tensor]:
    """From memory, or from the host; questions about parts of the latent are neither kept nor forecast."""
    run = active.run
    is_repeated = run.questions.is_repeated(asked.key)
    if is_repeated:
        run.engine.forget(asked.key)
    if not is_whole:
        active.report.add_fallback(say("node_in_parts"))
        return counted(active, asked, predict)[0]
    forecast = run.engine.recall(asked.key, run.moment, is_only)
    if forecast is not None:
        return list(forecast.chunk(num_sides))
    before = run.account.record.all_tokens
    predictions, _ = counted(active, asked, predict)
    if not is_repeated:
        run.engine.keep(asked.key, torch.cat(predictions), run.moment, run.account.record.all_tokens - before)
    return predictions


WRAPPERS = {
    WrappersMP.PREPARE_SAMPLING: prepare_sampling,
    WrappersMP.CALC_COND_BATCH: calc_cond_batch,
    WrappersMP.APPLY_MODEL: apply_model,
}
