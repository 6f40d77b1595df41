"""The patches' posterior mean as a MODEL of the host: samplers, guiders and caches run on it as on any flow model."""

from __future__ import annotations

import comfy.model_base
import comfy.supported_models_base
import torch
from comfy.latent_formats import ChromaRadiance
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrapperExecutor, WrappersMP, get_all_wrappers
from torch import Tensor, nn

from .denoiser import Denoiser

# What a picture outside of the prompt's set has in place of the logarithm of its share: none.
NONE = -1e4


class PixelClips(ChromaRadiance):
    """Pixels are the latent, frame by frame."""

    latent_dimensions = 3


class PatchConfig(comfy.supported_models_base.BASE):
    """A flow model of three channels in pixels."""

    latent_format = ChromaRadiance
    memory_usage_factor = 0.01
    unet_extra_config = {}


class ClipConfig(PatchConfig):
    latent_format = PixelClips


class PatchModel(nn.Module):
    """The velocity (x - x0) / sigma of the closed-form x0. A call's context (B, 1, N) holds the logarithm of every
    picture's share under its prompt; None takes all alike."""

    def __init__(self, pictures: Tensor, grain: float, device: object = None, operations: object = None) -> None:
        super().__init__()
        self.evaluations = 0  # pictures seen, over all calls
        self.denoiser = Denoiser(pictures.flatten(1, 2), grain)  # the frames of a clip are more channels
        self.dtype = torch.float32

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor | None = None,
        control: object = None,
        transformer_options: dict | None = None,
        **more: object,
    ) -> Tensor:
        """x (B, 3, [frames,] side, side), timesteps (B,) in 0..1000, all alike."""
        wrappers = get_all_wrappers(WrappersMP.DIFFUSION_MODEL, transformer_options or {})
        executor = WrapperExecutor.new_class_executor(self._forward, self, wrappers)
        return executor.execute(x, timesteps, context, control, transformer_options or {}, **more)

    def _forward(self, x: Tensor, timesteps: Tensor, context: Tensor | None, *rest: object, **more: object) -> Tensor:
        sigma = float(timesteps[0]) / 1000.0
        if not torch.allclose(timesteps, timesteps[0]):
            raise ValueError("the bed of patches takes one sigma for all pictures of a batch.")
        self.evaluations += x.shape[0]
        noisy = x.unsqueeze(2) if x.ndim == 4 else x
        noisy = noisy.movedim(1, 2)  # (B, frames, 3, side, side), as the pictures are
        log_prior = x.new_zeros(x.shape[0], 1) if context is None else context[:, 0]
        x0 = self.denoiser(noisy.flatten(1, 2), sigma, log_prior).reshape(noisy.shape).movedim(2, 1)
        return (x - x0.reshape(x.shape)) / sigma


def patcher(pictures: Tensor, shift: float, grain: float = 0.0) -> ModelPatcher:
    """A MODEL whose set is `pictures` (N, frames, 3, side, side), as latents; more than one frame makes clips."""
    config = (PatchConfig if pictures.shape[1] == 1 else ClipConfig)({"pictures": pictures, "grain": grain})
    config.sampling_settings["shift"] = shift
    model = comfy.model_base.BaseModel(config, comfy.model_base.ModelType.FLOW, unet_model=PatchModel)
    del config.unet_config["pictures"]  # cut up in the model; nothing else needs them
    cpu = torch.device("cpu")
    return ModelPatcher(model.eval(), load_device=cpu, offload_device=cpu)


def conditioning(chosen: Tensor) -> list:
    """What a sampler is given for a prompt that stands for some pictures of the set: `chosen` (N,) bool."""
    return [[torch.where(chosen, 0.0, NONE)[None, None], {}]]
