"""What the transformer is asked is counted, and otherwise left alone: all that an analysis does."""

from __future__ import annotations

from collections.abc import Callable

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor, nn

from .active import ActiveRun, active_in, active_of
from .keys import Question, question_of


def refused(model: ModelPatcher, model_options: dict) -> str:
    """Why this model cannot be analysed, beyond what any run needs: for nothing."""
    return ""


def blocks_of(network: nn.Module) -> None:
    """What must be known of the transformer's blocks: nothing."""


def calc_cond_batch(
    executor: Callable, model: object, conds: list, x_in: Tensor, timestep: Tensor, model_options: dict
) -> list[Tensor]:
    """CALC_COND_BATCH wrapper: predictions of every conditioning that the guidance asks for."""
    active = active_of(model_options)
    if active is None:
        return executor(model, conds, x_in, timestep, model_options)
    asked = question_of(model, conds, x_in, active.x, timestep, model_options)
    predictions, _ = counted(active, asked, lambda: executor(model, conds, x_in, timestep, model_options))
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
    """APPLY_MODEL wrapper: one call of the transformer."""
    active = active_in(transformer_options)
    if active is not None:
        active.run.account.count_native(active.run.latents_in(x))
    return executor(x, t, c_concat, c_crossattn, control, transformer_options or {}, **conds)


def counted(active: ActiveRun, asked: Question, predict: Callable[[], list[Tensor]]) -> tuple[list[Tensor], bool]:
    """Predictions from the host, which are counted even if another pack calls the transformer past `apply_model`; and
    whether one did."""
    account = active.run.account
    before = account.record.all_tokens
    predictions = predict()
    by_itself = account.record.all_tokens == before and bool(asked.states)
    if by_itself:
        account.count_native(len(asked.states))
    return predictions, by_itself


WRAPPERS = {WrappersMP.CALC_COND_BATCH: calc_cond_batch, WrappersMP.APPLY_MODEL: apply_model}
