"""Convolutions by least squares: kernels are found again from what they do, and separable ones are the closest."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from comfyui_jano.flash_vaed.layers import SeparableCausalConv, causal_conv
from comfyui_jano.flash_vaed.least_squares import (
    NormalEquations,
    at,
    patches,
    random_places,
    rank_one_energy,
    rank_one_kernels,
)
from comfyui_jano.flash_vaed.ltx import PlainConv, SeparableConv
from comfyui_jano.flash_vaed.parts import SQUARE, Taps
from torch import nn


@torch.no_grad()
def test_a_causal_convolution_is_found_again() -> None:
    conv = causal_conv(3, 2, 3, nn)
    x = torch.randn(2, 3, 4, 5, 6)
    equations = NormalEquations.of_size(81, 2)
    for half in (torch.arange(120), torch.arange(120, 240)):
        equations.add(patches(x, Taps(2, 0, (3, 3)), half), at(conv(x, {}), half))
    weight, bias = equations.solve(torch.zeros(2, 81), ridge=1e-5)
    assert equations.count == 240
    torch.testing.assert_close(weight.reshape(conv.weight.shape), conv.weight, rtol=0, atol=5e-3)
    torch.testing.assert_close(bias, conv.bias, rtol=0, atol=5e-3)


@torch.no_grad()
def test_patches_are_what_a_convolution_of_pictures_sees() -> None:
    conv = nn.Conv2d(3, 2, 3, padding=1)
    x = torch.randn(1, 3, 2, 4, 5)
    places = torch.tensor([0, 7, 39])
    made = patches(x, SQUARE, places) @ conv.weight.flatten(1).T + conv.bias
    expected = conv(x[0].transpose(0, 1)).transpose(0, 1)[None]
    torch.testing.assert_close(made, at(expected, places))


@torch.no_grad()
def test_patches_are_what_layers_see_that_repeat_a_clips_ends() -> None:
    x, every = torch.randn(2, 3, 4, 5, 6), torch.arange(240)
    plain, separable = PlainConv(3, 2, 3, nn), SeparableConv(3, nn)
    made = patches(x, plain.taps, every) @ plain.weight.flatten(1).T + plain.bias
    torch.testing.assert_close(made, at(plain(x), every), rtol=1e-4, atol=1e-4)
    seen = patches(x, separable.taps, every).unflatten(1, (3, 27))
    made = (seen * separable.depthwise.weight.flatten(1)).sum(2) + separable.depthwise.bias
    torch.testing.assert_close(made, at(separable.spread(x), every), rtol=1e-4, atol=1e-4)


def test_what_samples_leave_open_stays_as_it_was() -> None:
    equations = NormalEquations.of_size(2, 1)
    x = torch.randn(50, 1)
    equations.add(torch.cat([x, torch.zeros(50, 1)], dim=1), 2 * x)
    weight, _ = equations.solve(torch.tensor([[0.0, 5.0]]), ridge=1e-5)
    torch.testing.assert_close(weight, torch.tensor([[2.0, 5.0]]), rtol=0, atol=1e-2)


def test_places_are_all_or_random_ones() -> None:
    x = torch.zeros(2, 3, 2, 2, 2)
    assert random_places(x, 16, torch.Generator()).tolist() == list(range(16))
    few = random_places(x, 5, torch.Generator())
    assert len(few) == 5
    assert few.max() < 16


@torch.no_grad()
def test_a_separable_kernel_is_found_exactly() -> None:
    conv = SeparableCausalConv(3, 4, 3, nn)
    conv.depthwise_conv.bias.zero_()
    taps, mix = conv.depthwise_conv.weight, conv.pointwise_conv.weight
    full = mix.flatten(1)[:, :, None, None, None] * taps[:, 0]
    depthwise, pointwise = rank_one_kernels(full)
    torch.testing.assert_close(pointwise[:, :, None, None, None] * depthwise[:, 0], full)
    assert rank_one_energy(full) > 1 - 1e-9


def test_no_other_separable_kernel_is_closer() -> None:
    full = torch.randn(5, 2, 3, 3, 3)
    depthwise, pointwise = rank_one_kernels(full)
    best = (full - pointwise[:, :, None, None, None] * depthwise[:, 0]).square().sum()
    assert abs(float(best / full.square().sum()) - (1 - rank_one_energy(full))) < 1e-5
    for _ in range(10):
        other = pointwise + 0.01 * torch.randn_like(pointwise)
        assert (full - other[:, :, None, None, None] * depthwise[:, 0]).square().sum() > best


@torch.no_grad()
def test_closeness_by_what_taps_see_is_closeness_of_the_output() -> None:
    """Inputs that are constant in time and space are served exactly, whatever the kernel."""
    full = torch.randn(5, 2, 3, 3, 3)
    flat = torch.ones(2, 27, 27, dtype=torch.float64)
    depthwise, pointwise = rank_one_kernels(full, flat)
    x = torch.randn(1, 2, 1, 1, 1).expand(1, 2, 3, 3, 3)
    made = F.conv3d(F.conv3d(x, depthwise, groups=2), pointwise[:, :, None, None, None])
    torch.testing.assert_close(made, F.conv3d(x, full), rtol=1e-3, atol=1e-3)
