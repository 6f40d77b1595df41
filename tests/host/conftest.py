"""The tiny models that many tests share; nothing that samples changes one."""

from __future__ import annotations

from collections.abc import Iterator

import comfy.sd
import pytest
from comfy.model_patcher import ModelPatcher
from comfyui_jano.host.location import ROOT
from comfyui_jano.tests.host import tiny


@pytest.fixture(scope="session")
def flux() -> ModelPatcher:
    return tiny.flux()


@pytest.fixture(scope="session")
def wan() -> ModelPatcher:
    return tiny.wan()


@pytest.fixture(scope="session")
def trained() -> ModelPatcher:
    """The demo's Flux."""
    return comfy.sd.load_diffusion_model(str(ROOT / "demo" / "models" / "jano_tiny_flux.safetensors"))


@pytest.fixture(autouse=True)
def _no_hook_stays_behind(flux: ModelPatcher, wan: ModelPatcher) -> Iterator[None]:
    yield
    for model in (flux, wan):
        assert hooked_blocks(model) == []


def hooked_blocks(model: ModelPatcher) -> list[str]:
    """Modules of the network that still carry a hook."""
    modules = model.model.diffusion_model.named_modules()
    return [name for name, module in modules if module._forward_hooks or module._forward_pre_hooks]
