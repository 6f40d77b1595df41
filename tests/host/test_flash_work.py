"""How much work the models' own VAEs do for a frame at 480 x 832, which the small decoders are measured against."""

from __future__ import annotations

import pytest
import torch
from comfyui_jano.bench.vae_decoders import MODELS, flops_a_frame, wan_vae
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode


def test_a_frame_of_wan_takes_3387_gigaflop() -> None:
    """Far into a clip, where the small decoder takes 119.7, or 100.4 with the upsampling in four phases."""
    counts = []
    for latents in (3, 5):
        with FakeTensorMode(), torch.no_grad(), FlopCounterMode(display=False) as counter:
            wan_vae(96).decode(torch.empty(1, 16, latents, 60, 104))
        counts.append(counter.get_total_flops())
    assert (counts[1] - counts[0]) / 8e9 == pytest.approx(3387.5, abs=0.05)


def test_a_frame_of_ltx_takes_350_gigaflop() -> None:
    """Of 81; the small decoder takes 21.6."""
    ltx = MODELS[1]
    with torch.no_grad():
        assert flops_a_frame(ltx.decoders["VAE"], ltx.clip) / 1e9 == pytest.approx(349.8, abs=0.05)
