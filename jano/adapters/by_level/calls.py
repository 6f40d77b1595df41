"""Calls of the transformer that compute the tokens which are due, and see the others through cached K/V."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor, nn

from ...by_level.engine import Call
from ...refusal import Unaccelerated
from ...sentences import say
from ..active import ActiveRun, active_in, active_of
from ..counting import counted
from ..keys import ASKED_TWICE, chunk_keys, question_of, with_question
from ..memory import storage_of
from ..refusals import patched_blocks, unsupported_call
from .attention import OVERRIDE, AttentionTap
from .families import family_of
from .memory import cache_bytes, with_cache
from .refusals import unsupported_model, unsupported_split
from .taps import Tap, tapped
from .tokens import TokenRows


@dataclass(frozen=True)
class Blocks:
    """What is known of a transformer: its blocks, and how many image tokens stand in front of the latent's own."""

    taps: list[Tap]
    num_front: Callable[[dict], int]


def refused(model: ModelPatcher, model_options: dict) -> str:
    """Why this model's tokens cannot be left out, beyond what any run needs; empty for nothing."""
    split = unsupported_split(model, model_options)
    return unsupported_model(model) or split or patched_blocks(model_options["transformer_options"])


def blocks_of(network: nn.Module) -> Blocks:
    family = family_of(network)
    return Blocks(family.taps(network), partial(family.num_front, network))


def prepare_sampling(executor: Callable, model: ModelPatcher, noise_shape: tuple, conds: dict, *args, **kw):
    """PREPARE_SAMPLING wrapper: the host makes room for the cache too."""
    active = active_of(kw.get("model_options"))
    if active is not None:
        needed = cache_bytes(model, noise_shape, conds, active.run.grid.num_tokens)
        storage = storage_of(active.settings.references, model, needed)
        active.run.engine.keep_in(storage)
        noise_shape = with_cache(model, noise_shape, needed, storage)
    return executor(model, noise_shape, conds, *args, **kw)


def calc_cond_batch(
    executor: Callable, model: object, conds: list, x_in: Tensor, timestep: Tensor, model_options: dict
) -> list[Tensor]:
    """CALC_COND_BATCH wrapper: what the guidance asks for is told to every call of the transformer."""
    active = active_of(model_options)
    if active is None:
        return executor(model, conds, x_in, timestep, model_options)
    asked = question_of(model, conds, x_in, active.x, timestep, model_options)
    if not active.run.questions.ask(asked.key):
        asked = replace(asked, native=ASKED_TWICE)
    with_it = with_question(model_options, asked)
    predictions, by_itself = counted(active, asked, lambda: executor(model, conds, x_in, timestep, with_it))
    if by_itself:
        active.report.add_fallback(say("calls_by_itself"))
    active.run.hear(asked.parts, asked.answers(predictions))
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

    active = active_in(options)
    if active is None:
        return execute(options)
    if reason := unsupported_call(active.run, x, options):
        active.report.add_fallback(reason)
        active.run.account.count_native(active.run.latents_in(x))
        return execute(options)
    return _planned(active, active.blocks.num_front(conds), options, execute)


def _planned(active: ActiveRun, num_front: int, options: dict, execute: Callable[[dict], Tensor]) -> Tensor:
    """A call as the engine plans it."""
    run = active.run
    call = run.engine.plan(chunk_keys(options), run.moment)
    if call.selection.is_empty:
        return run.engine.finish(call, None, run.moment)
    if not call.stores:
        return run.engine.finish(call, execute(options), run.moment)
    return _tapped(active, TokenRows(call, run.grid.num_tokens, run.engine.cache, num_front), options, execute)


def _tapped(active: ActiveRun, rows: TokenRows, options: dict, execute: Callable[[dict], Tensor]) -> Tensor:
    """A call that stores or uses cached keys and values; whatever does not look as expected is computed natively."""
    run, call = active.run, rows.call
    try:
        with tapped(active.blocks.taps, rows):
            x0 = execute({**options, OVERRIDE: AttentionTap(options.get(OVERRIDE))})
    except Unaccelerated as unexpected:
        active.report.add_fallback(unexpected.reason)
        run.give_up()
        return run.engine.finish(Call(call.chunks), execute(options), run.moment)
    if rows.ran_out:
        return _ran_out(active, call, x0)
    x0 = run.engine.finish(call, x0, run.moment)
    run.engine.cache.retain(call.chunks, rows.layers)
    if rows.layout is None:
        active.report.add_fallback(say("answered_instead"))
        run.give_up()
    return x0


def _ran_out(active: ActiveRun, call: Call, x0: Tensor) -> Tensor:
    """All tokens were computed, and not all kept: the next storage keeps them from the next call on, or none does."""
    run = active.run
    if not run.engine.ran_out():
        active.report.add_fallback(say("no_memory_by_level"))
        run.give_up()
    return run.engine.finish(Call(call.chunks), x0, run.moment)


WRAPPERS = {
    WrappersMP.PREPARE_SAMPLING: prepare_sampling,
    WrappersMP.CALC_COND_BATCH: calc_cond_batch,
    WrappersMP.APPLY_MODEL: apply_model,
}
