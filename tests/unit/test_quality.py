"""How close two pictures are."""

import pytest
import torch
from comfyui_jano.jano.quality import psnr, ssim


def test_a_difference_of_a_tenth_is_twenty_decibels() -> None:
    reference = torch.rand(2, 16, 16, 3)
    assert psnr(reference, reference + 0.1).tolist() == pytest.approx([20.0, 20.0], abs=1e-4)


def test_equal_pictures() -> None:
    picture = torch.rand(1, 16, 16, 3)
    assert psnr(picture, picture).item() == float("inf")
    assert ssim(picture, picture).item() == pytest.approx(1.0)


def test_the_ssim_of_two_plain_greys_is_that_of_their_lightness() -> None:
    a, b = torch.full((1, 16, 16, 3), 0.5), torch.full((1, 16, 16, 3), 0.8)
    expected = (2 * 0.5 * 0.8 + 1e-4) / (0.5**2 + 0.8**2 + 1e-4)
    assert ssim(a, b).item() == pytest.approx(expected, abs=1e-6)


def test_frames_have_a_number_each() -> None:
    reference = torch.rand(3, 16, 16, 3)
    image = reference.clone()
    image[1] = torch.rand(16, 16, 3)
    assert ssim(reference, image).shape == psnr(reference, image).shape == (3,)
    assert ssim(reference, image).argmin() == 1
    assert ssim(reference, image)[0] == pytest.approx(1.0)


def test_noise_costs_more_ssim_than_a_change_of_lightness_of_the_same_psnr() -> None:
    reference = torch.rand(1, 32, 32, 3)
    noise = 0.1 * torch.randn(1, 32, 32, 3).sign()
    assert psnr(reference, reference + noise).item() == pytest.approx(20.0, abs=1e-3)
    assert ssim(reference, reference + noise) < ssim(reference, reference + 0.1)
