"""The closed form is what it says: a posterior mean, patch by patch, of pictures that are read in place."""

from pathlib import Path

import pytest
import torch
from comfyui_jano.bench.patches import denoiser, pictures
from comfyui_jano.bench.patches.denoiser import Denoiser, PatchSize, blend, log_odds, pixels
from comfyui_jano.host.location import HostError
from PIL import Image
from torch import Tensor

SIDE = 12


def some(count: int, side: int = SIDE) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(count))


def no_prior(batch: int, count: int) -> Tensor:
    return torch.zeros(batch, count)


@pytest.mark.parametrize("sigma", [0.999, 0.9, 0.6, 0.3, 0.05])
def test_of_a_single_picture_the_posterior_mean_is_that_picture(sigma: float) -> None:
    picture = some(1)
    assert torch.allclose(Denoiser(picture)(some(2), sigma, no_prior(2, 1)), picture.expand(2, -1, -1, -1), atol=1e-5)


def test_without_noise_a_picture_of_the_set_is_itself() -> None:
    known, sigma = some(7), 1e-3
    x = (1 - sigma) * known[3:5] + sigma * some(2)
    assert torch.allclose(Denoiser(known)(x, sigma, no_prior(2, 7)), known[3:5], atol=1e-4)


@pytest.mark.parametrize("size", [SIDE, 5])
def test_a_patch_is_weighed_as_by_the_formula(size: int) -> None:
    known, sigma, x = some(9), 0.7, some(1)
    expected = torch.zeros(3, SIDE * SIDE)
    weight = torch.zeros(SIDE * SIDE)
    for place in pixels(SIDE, size):
        patches, seen = known.flatten(2)[:, :, place].double(), x.flatten(2)[:, :, place].double()
        far = (seen - (1 - sigma) * patches).square().sum((1, 2))
        mean = torch.einsum("n,ncp->cp", (-far / (2 * sigma**2)).softmax(0), patches)
        expected[:, place] += (mean * denoiser.window(size)).float()
        weight[place] += denoiser.window(size)
    found = PatchSize(known, size)(x, sigma, no_prior(1, 9))[0]
    assert torch.allclose(found.flatten(1), expected / weight, atol=1e-4)


def test_a_prompt_leaves_only_its_pictures() -> None:
    known, x = some(6), some(1)
    prior = torch.full((1, 6), -1e4)
    prior[0, :2] = 0.0
    expected = Denoiser(known[:2])(x, 0.8, no_prior(1, 2))
    assert torch.allclose(Denoiser(known)(x, 0.8, prior), expected, atol=1e-5)


def test_it_is_the_same_every_time_and_row_by_row() -> None:
    model, x = Denoiser(some(8)), some(3)
    first = model(x, 0.5, no_prior(3, 8))
    assert torch.equal(first, model(x, 0.5, no_prior(3, 8)))
    assert torch.allclose(first[1:2], model(x[1:2], 0.5, no_prior(1, 8)), atol=1e-5)


def test_sizes_are_blended_over_the_log_odds() -> None:
    alone = [log_odds(0.9), log_odds(0.5)]
    assert blend(log_odds(0.95), alone) == [(0, 1.0)]
    assert blend(log_odds(0.2), alone) == [(1, 1.0)]
    parts = dict(blend(sum(alone) / 2, alone))
    assert parts == pytest.approx({0: 0.5, 1: 0.5})


@pytest.mark.parametrize("size", [1, 4, 5, 7, SIDE])
def test_patches_cover_every_pixel(size: int) -> None:
    assert set(pixels(SIDE, size).flatten().tolist()) == set(range(SIDE * SIDE))


def painted(folder: Path, name: str, colour: tuple[int, int, int]) -> Path:
    path = folder / name
    Image.new("RGB", (20, 14), colour).save(path)
    return path


def test_a_set_is_told_from_another_by_its_files(tmp_path: Path) -> None:
    red, blue = painted(tmp_path, "red.png", (255, 0, 0)), painted(tmp_path, "blue.png", (0, 0, 255))
    again = painted(tmp_path, "again.png", (255, 0, 0))
    both = pictures.read([red, blue], 8)
    assert both.values.shape == (2, 1, 3, 8, 8)
    assert both.values[0, 0, :, 0, 0].tolist() == [1.0, -1.0, -1.0]
    assert pictures.read([red, blue, again], 8).names == ("red", "blue")
    assert len({both.digest, pictures.read([red], 8).digest, pictures.read([red, blue], 6).digest}) == 3
    assert pictures.read([red, blue], 8).digest == both.digest


def test_clips_are_read_evenly_and_pictures_among_them_left_out(tmp_path: Path) -> None:
    still, clip = painted(tmp_path, "still.png", (9, 9, 9)), tmp_path / "clip.webp"
    frames = [Image.new("RGB", (16, 16), (shade, shade, shade)) for shade in (0, 50, 100, 150, 200, 250)]
    frames[0].save(clip, save_all=True, append_images=frames[1:], lossless=True)
    found = pictures.read([still, clip], 8, frames=3)
    assert found.names == ("clip",)
    assert ((found.values[0, :, 0, 0, 0] + 1) * 127.5).round().tolist() == [0, 100, 200]


def test_without_the_packages_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(HostError, match=r"template packages .* run `make host`"):
        pictures.installed()


@pytest.mark.parametrize("sigma", [0.99, 0.7, 0.2])
def test_with_a_grain_it_is_the_mean_of_a_kernel_density(sigma: float) -> None:
    """Of one value and many normal draws around three of them, weighed by how likely each makes the noisy value."""
    known, grain, x = torch.tensor([-1.0, 0.2, 0.9]), 0.3, 0.25
    draws = known[:, None] + grain * torch.randn(3, 200_000, generator=torch.Generator().manual_seed(1))
    draws = draws.double().flatten()
    weights = (-((x - (1 - sigma) * draws) ** 2) / (2 * sigma**2)).softmax(0)
    patches = PatchSize(known[:, None, None, None], 1, grain)
    found = patches(torch.full((1, 1, 1, 1), x), sigma, no_prior(1, 3)).item()
    assert found == pytest.approx((weights * draws).sum().item(), abs=0.01)


def test_a_grain_is_left_where_there_is_no_noise() -> None:
    known = some(7)
    x = known[3:4] + 0.05 * some(1)
    assert torch.allclose(Denoiser(known, grain=0.05)(x * 0.999, 0.001, no_prior(1, 7)), x, atol=0.01)
