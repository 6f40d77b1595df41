"""One input through the model three times: without Jano, keeping keys and values, and with frozen tokens left out.

In the third pass the frozen cells of the input are not numbers: a computed token that reads one is found out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.by_level.engine import NOTHING_FROZEN
from comfyui_jano.jano.levels.map import Level
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.tiny import with_scheduler
from torch import Tensor

Evaluate = Callable[[object, list, Tensor, Tensor, dict], list[Tensor]]
OFTEN_AND_NEVER = {"static_interval": 64, "moderate_interval": 64, "active_interval": 1, "cooldown": 0.0}
SIGMAS = torch.tensor([0.6, 0.4, 0.2, 0.0])


@dataclass
class Passes:
    """Denoised predictions of every pass, one a conditioning; the cells and the share of tokens of the partial one."""

    cells: Tensor
    share: float
    native: list[Tensor] = field(default_factory=list)
    stored: list[Tensor] = field(default_factory=list)
    partial: list[Tensor] = field(default_factory=list)
    report: RunReport | None = None

    def worst(self) -> float:
        """Largest difference between the partial and the native pass on computed cells."""
        pairs = zip(self.partial, self.native, strict=True)
        return max((partial - native)[..., self.cells].abs().max().item() for partial, native in pairs)


class Poison:
    """Another pack's DIFFUSION_MODEL wrapper: makes cells of the transformer's input not a number, when told to."""

    def __init__(self, cells: Tensor) -> None:
        self.cells, self.on = cells, False

    def __call__(self, executor: Callable, x: Tensor, *args, **kwargs) -> Tensor:
        return executor(torch.where(self.cells, x, torch.nan) if self.on else x, *args, **kwargs)


def same_input(
    model: ModelPatcher,
    positive: list | None = None,
    negative: list | None = None,
    size: tuple[int, ...] = tiny.ODD,
    batch: int = 1,
    evaluate: Evaluate = comfy.samplers.calc_cond_batch,
) -> Passes:
    """Sample on a clone of `model` with Jano, by a sampler that gives every step the same input."""
    chosen = tiny.level_map(model, size)
    cells = chosen.grid.cells(chosen.mask(frozenset({Level.ACTIVE})))
    cells = cells if len(size) == 3 else cells[0]
    poison, passes = Poison(cells), Passes(cells, chosen.share()[Level.ACTIVE])
    model = with_scheduler(model, "custom", OFTEN_AND_NEVER, level_map=chosen)
    model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "poison", poison)

    def sampler(guided: object, x: Tensor, sigmas: Tensor, extra_args: dict, **_: object) -> Tensor:
        options, guider = extra_args["model_options"], guided.inner_model
        run, conds = options["transformer_options"]["jano"].run, [guider.conds["positive"], guider.conds["negative"]]
        sigma = sigmas[:1].expand(x.shape[0])
        passes.native = evaluate(guider.inner_model, conds, x, sigma, _without_jano(options))
        run.begin(sigmas[0].item())
        passes.stored = evaluate(guider.inner_model, conds, x, sigma, options)
        run.begin(sigmas[1].item())
        poison.on = True
        passes.partial = evaluate(guider.inner_model, conds, x, sigma, options)
        return x

    latent = tiny.empty_latent(model, size, batch)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(5))
    conds = (positive or tiny.conditioning(1), negative or tiny.conditioning(2))
    with torch.inference_mode():
        samples = comfy.samplers.sample(
            model, noise, *conds, 1.0, model.load_device, comfy.samplers.KSAMPLER(sampler), SIGMAS,
            model_options=model.model_options, latent_image=latent, disable_pbar=True, seed=0,
        )  # fmt: skip
        passes.report = report_of(model, samples)
    return passes


def _without_jano(options: dict) -> dict:
    kept = {key: value for key, value in options["transformer_options"].items() if key != "jano"}
    return {**options, "transformer_options": kept}


def assert_exact(passes: Passes, tolerance: float = 1e-5) -> None:
    """The partial pass left tokens out, and computed the others as the native pass did."""
    assert passes.report.fallbacks == ([NOTHING_FROZEN] if passes.share == 1.0 else [])
    store, partial = passes.report.steps
    assert (store.computed_share, partial.computed_share) == (1.0, passes.share)
    assert all(torch.equal(stored, native) for stored, native in zip(passes.stored, passes.native, strict=True))
    assert all(prediction.isfinite().all() for prediction in passes.partial)
    assert passes.worst() < tolerance
