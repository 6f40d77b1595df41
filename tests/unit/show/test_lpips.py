"""LPIPS: its structure with random weights, and the numbers that the authors' package gave for these."""

import pytest
import torch
from comfyui_jano.jano.show.lpips import LAYERS, complaint, lpips
from torch import Tensor

SHAPES = {name: shape for name, shape, *_ in LAYERS}


def ramp(*shape: int) -> Tensor:
    """Numbers from a formula, so that any other implementation can be given the same."""
    return torch.sin(torch.arange(torch.Size(shape).numel(), dtype=torch.float64) * 0.7).reshape(shape).float()


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    made = {}
    for layer, (name, shape) in enumerate(SHAPES.items()):
        made[f"{name}.weight"] = ramp(*shape) / (shape[1] * shape[2]) ** 0.5
        made[f"{name}.bias"] = 0.1 * ramp(shape[0])
        made[f"lin{layer}.model.1.weight"] = ramp(1, shape[0], 1, 1).abs()
    return made


def pictures(frames: int = 2) -> tuple[Tensor, Tensor]:
    reference = ramp(frames, 64, 64, 3) / 2 + 0.5
    return reference, (reference + 0.2 * ramp(64, 64, 3).roll(5, 0)).clamp(0, 1)


def test_equal_pictures_have_no_distance(weights: dict) -> None:
    assert lpips(pictures()[0], pictures()[0], weights).tolist() == [0.0, 0.0]


def test_frames_have_a_number_each(weights: dict) -> None:
    reference, image = pictures(3)
    image[1] = reference[1]
    found = lpips(reference, image, weights)
    assert found.shape == (3,)
    assert found[1] == 0
    assert found[0] > 0
    assert found[0] == lpips(reference[:1], image[:1], weights)[0]


def test_the_numbers_are_those_of_the_authors_package(weights: dict) -> None:
    """lpips 0.1.4, LPIPS(net="alex") with these weights, normalize=True."""
    assert lpips(*pictures(), weights).tolist() == pytest.approx(AUTHORS, rel=1e-4)


AUTHORS = [0.9690454, 1.3485699]


FIRST = f"{LAYERS[0][0]}.weight"


@pytest.mark.parametrize("gone", [f"{LAYERS[2][0]}.bias", "lin4.model.1.weight"])
def test_a_file_that_lacks_something_is_one_sentence(weights: dict, gone: str) -> None:
    assert complaint(weights) == ""
    rest = {name: value for name, value in weights.items() if name != gone}
    assert complaint(rest).startswith(f"models/lpips/lpips_alex.safetensors lacks {gone}; save ")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (torch.zeros(64, 3, 3, 3), "has the shape (64, 3, 3, 3), not (64, 3, 11, 11); save "),
        (torch.zeros(()), "has the shape (), not (64, 3, 11, 11); save "),
        (torch.full((64, 3, 11, 11), float("nan")), "holds values that are not finite; save "),
    ],
)
def test_a_file_of_something_else_is_one_sentence(weights: dict, value: Tensor, said: str) -> None:
    assert complaint({**weights, FIRST: value}).startswith(f"{FIRST} in models/lpips/lpips_alex.safetensors {said}")
