"""Calls of the transformer without their references, which attention sees through cached keys and values."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor, nn

from ...references.engine import Call, Chunks
from ...refusal import Unaccelerated
from ...run import Run
from ...sentences import Sentence, say
from ..active import ActiveRun, active_in
from ..keys import chunk_keys
from ..refusals import unsupported_call
from .arguments import (
    attentions,
    embedder,
    latents_in,
    num_references,
    positions,
    unlike_without,
    with_all,
    without,
)
from .attention import OVERRIDE, ReferencePass, ReferenceTap
from .layout import Places
from .memory import prepare_sampling
from .positions import kept, noted, told_again

NO_MEMORY = say("no_memory_for_references")


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
    tokens = num_references(network, conds)
    if reason := unsupported_call(active.run, x, options) or unlike_without(network, x, conds, options):
        active.run.account.note(say("references_every_step_where", reason=reason))
    call = None if reason else active.run.references.plan(_keys(active, latents, options), tokens, active.run.moment)
    if call is None:
        active.run.account.count_references(x.shape[0] * tokens, computed=True)
        return execute(options, conds)
    return _planned(active, network, call, x, options, conds, execute)


def _keys(active: ActiveRun, latents: Sequence[Tensor], options: dict) -> Chunks:
    """What keys and values are kept under: the conditioning chunk; for references that see only themselves, those."""
    chunks = chunk_keys(options)
    if not active.run.references.isolated:
        return chunks
    rows = zip(*(latent.chunk(len(chunks)) for latent in latents), strict=True)
    return tuple(
        (_digest(row), state and state[3:], changes) for row, (_, state, changes) in zip(rows, chunks, strict=True)
    )


def _digest(latents: Sequence[Tensor]) -> str:
    """Of their shapes and values, exactly (one device synchronisation)."""
    digest = hashlib.blake2b(digest_size=16)
    for latent in latents:
        values = latent.detach().cpu().contiguous()
        digest.update(f"{tuple(values.shape)}{values.dtype}".encode())
        digest.update(values.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _planned(
    active: ActiveRun, network: nn.Module, call: Call, x: Tensor, options: dict, conds: dict, execute: Callable
) -> Tensor:
    """A call as planned; whatever does not look as expected is computed natively."""
    run, rows = active.run, x.shape[0]
    passing = ReferencePass(call, run.references.cache, run.moment.time, attentions(network, x, conds, call.stores))
    tap = {**options, OVERRIDE: ReferenceTap(options.get(OVERRIDE), passing)}
    try:
        with _placed(network, passing, positions(network, x, conds)):
            x0 = execute(tap, with_all(conds, call.isolated) if call.stores else without(network, conds))
        passing.require()
    except Unaccelerated as unexpected:
        _give_up(run, rows * call.num_tokens, unexpected.reason)
        return execute(options, conds)
    if passing.ran_out and run.references.ran_out():
        run.account.count_references(rows * call.num_tokens, computed=True)
    elif passing.ran_out:
        _give_up(run, rows * call.num_tokens, NO_MEMORY)
    else:
        run.references.finish(call, rows, passing.drifts)
    return x0


@contextmanager
def _placed(network: nn.Module, passing: ReferencePass, places: Places) -> Iterator[None]:
    """The positions that a call counts on from its references are kept for those that leave them out."""
    counts, cache, chunks = embedder(network), passing.cache, passing.call.chunks
    if counts is None:
        yield
    elif passing.call.stores:
        with noted(counts) as told:
            yield
        cache.keep_positions(chunks, kept(told, places))
    else:
        with told_again(counts, cache.positions(chunks)):
            yield


def _give_up(run: Run, tokens: int, reason: Sentence) -> None:
    """References are computed from this call on."""
    run.references.give_up()
    run.account.count_references(tokens, computed=True)
    run.account.note(say("references_every_step", reason=reason))


WRAPPERS = {WrappersMP.PREPARE_SAMPLING: prepare_sampling, WrappersMP.APPLY_MODEL: apply_model}
