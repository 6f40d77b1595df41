"""The layers of small decoders where a short way stands for a long one, and where they meet the frames before."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from comfyui_jano.flash_vaed.layers import causal_conv, conv_in_four_phases, conv_of_doubled, upsample_conv
from torch import Tensor, nn


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 3)])
@pytest.mark.parametrize("biased", [True, False])
def test_four_phases_are_one_convolution_of_the_doubled_picture(size: tuple[int, int], biased: bool) -> None:
    x, weight, bias = noise(2, 3, *size), noise(5, 3, 3, 3), noise(5) if biased else None
    assert torch.allclose(conv_in_four_phases(x, weight, bias), conv_of_doubled(x, weight, bias), atol=1e-12)


def test_the_layer_doubles_in_phases_and_takes_an_ordinary_kernel() -> None:
    layer, plain = upsample_conv(3, 5, nn), nn.Conv2d(3, 5, 3, padding=1)
    layer.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 4, 6)
    expected = plain(F.interpolate(x, scale_factor=2.0, mode="nearest"))
    assert torch.allclose(layer(x), expected, atol=1e-6)


@pytest.mark.parametrize("sizes", [[5], [1, 4], [1, 1, 1, 1, 1], [2, 3], [4, 1]])
def test_a_causal_convolution_pads_the_past_with_zeros(sizes: list[int]) -> None:
    layer = causal_conv(3, 4, 3, nn).double()
    x, cache = noise(1, 3, 5, 4, 4), {}
    expected = F.conv3d(F.pad(x, (1, 1, 1, 1, 2, 0)), layer.weight, layer.bias)
    in_chunks = torch.cat([layer(part, cache) for part in x.split(sizes, dim=2)], dim=2)
    assert torch.allclose(in_chunks, expected, atol=1e-12)
    assert torch.allclose(layer(x, None), expected, atol=1e-12)
    assert [kept.shape[2] for kept in cache.values()] == [2]
