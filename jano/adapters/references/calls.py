"""Calls of the transformer without their references, which attention sees through cached keys and values."""

from __future__ import annotations

from collections.abc import Callable

from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...references.engine import Call
from ...refusal import Unaccelerated
from ..active import ActiveRun, active_in
from ..keys import chunk_keys
from ..refusals import unsupported_call
from .attention import OVERRIDE, ReferencePass, ReferenceTap
from .families import family_of, latents_in, num_attentions, num_tokens, without


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
    """APPLY_MODEL wrapper: one call of the transformer, returns the denoised prediction."""
    options = transformer_options or {}

    def execute(with_options: dict, with_conds: dict) -> Tensor:
        return executor(x, t, c_concat, c_crossattn, control, with_options, **with_conds)

    active = active_in(options)
    network = executor.class_obj.diffusion_model
    latents = latents_in(network, conds) if active and active.run.references else ()
    if not latents:
        return execute(options, conds)
    tokens = num_tokens(network, latents)
    if reason := unsupported_call(active.run, x, options):
        active.run.account.note(f"references are computed at every step where {reason}")
    call = None if reason else active.run.references.plan(chunk_keys(options), tokens, active.run.moment)
    if call is None:
        active.run.account.count_references(x.shape[0] * tokens, computed=True)
        return execute(options, conds)
    return _planned(active, network, call, x.shape[0], options, conds, execute)


def _planned(
    active: ActiveRun, network: object, call: Call, rows: int, options: dict, conds: dict, execute: Callable
) -> Tensor:
    """A call as planned; whatever does not look as expected is computed natively."""
    run, references = active.run, active.run.references
    start = run.grid.num_tokens if family_of(network).text_behind else None
    passing = ReferencePass(call, references.cache, run.moment.time, num_attentions(network), start)
    tap = {**options, OVERRIDE: ReferenceTap(options.get(OVERRIDE), passing)}
    x0 = None
    try:
        x0 = execute(tap, conds if call.stores else without(network, conds))
        passing.require()
    except Unaccelerated as unexpected:
        run.account.note(f"references are computed at every step: {unexpected}")
        references.give_up()
        run.account.count_references(rows * call.num_tokens, computed=True)
        as_native = x0 is not None and call.stores and not call.isolated
        return x0 if as_native else execute(options, conds)
    references.finish(call, rows, passing.drifts)
    return x0


WRAPPERS = {WrappersMP.APPLY_MODEL: apply_model}
