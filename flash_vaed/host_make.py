"""Making a small decoder inside the host: its VAE as the teacher, its device, its progress bar, its stop button."""

from __future__ import annotations

from functools import partial

import torch
from comfy import model_management
from comfy.sd import VAE
from comfy.utils import ProgressBar
from torch import Tensor

from .losses import Perceptual
from .make import Order, make_student
from .teachers import teacher_from


def make_from_vae(
    vae: VAE, latents: Tensor | None, pictures: Tensor | None, order: Order, lpips: tuple[Perceptual, dict] | None
) -> dict:
    """Makes the file, returns its report (make.make_student).

    latents: (B, C, T, h, w); pictures: one clip (F, H, W, 3) in 0 to 1, which `vae` encodes; at least one of the two.
    lpips: the function and its weights. ValueError with a sentence for the user where something does not fit.
    """
    model = vae.first_stage_model
    with torch.inference_mode(False):
        teacher = teacher_from(model.state_dict(), getattr(model, "config", None))
    clips = clips_of(vae, latents, pictures)
    model_management.unload_all_models()
    device = model_management.get_torch_device()
    perceptual = lpips and partial(lpips[0], weights={name: value.to(device) for name, value in lpips[1].items()})
    bar = ProgressBar(max(1, sum(order.plan.steps)))

    def tell(step: int, steps: int, what: str, loss: float | None) -> None:
        model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(step, max(1, steps))

    # The host runs nodes where nothing can be learnt: what comes from there is copied first.
    with torch.inference_mode(False), torch.enable_grad():
        return make_student(teacher, [clip.clone() for clip in clips], order, device, perceptual, tell)


def clips_of(vae: VAE, latents: Tensor | None, pictures: Tensor | None) -> list[Tensor]:
    """All clips as latents (C, T, h, w) on the CPU."""
    if latents is None and pictures is None:
        raise ValueError("Connect latents or pictures: the small decoder learns from what the VAE makes of them.")
    found = []
    for samples in (latents, None if pictures is None else vae.encode(pictures[..., :3])):
        if samples is not None and samples.ndim != 5:
            raise ValueError(
                f"A clip's latents are (batch, channels, time, height, width), but these are {tuple(samples.shape)}: "
                "connect latents of the model that the VAE belongs to."
            )
        found += [] if samples is None else list(samples.float().cpu())
    return found
