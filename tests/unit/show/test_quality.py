"""How close two pictures are."""

import pytest
import torch
from comfyui_jano.jano.show import quality
from comfyui_jano.jano.show.quality import compare, psnr, ssim


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


def test_a_comparison_names_the_worst_frame() -> None:
    reference = torch.rand(3, 16, 16, 3) * 0.5
    image = reference + torch.tensor([0.1, 0.2, 0.1]).view(3, 1, 1, 1)
    made = compare(reference, image)
    assert made.worst_frame == 1
    assert made.largest.tolist() == pytest.approx([0.1, 0.2, 0.1])
    mean, worst = (20 + 20 + 13.979) / 3, 13.979
    assert f"{mean:.2f} dB on average over 3 pictures, {worst:.2f} dB at worst (picture 2)" in made.markdown()
    assert "| Largest difference | 20 % of the range |" in made.markdown()


def test_one_picture_has_one_number_and_alpha_does_not_count() -> None:
    reference = torch.rand(1, 16, 16, 4) * 0.5
    image = reference[..., :3] + 0.1
    assert "| PSNR | 20.00 dB |" in compare(reference, image).markdown()


def test_equal_pictures_and_small_ones_are_said_in_words() -> None:
    picture = torch.rand(1, 8, 8, 3)
    text = compare(picture, picture).markdown()
    assert "| PSNR | infinite: the pictures are equal |" in text
    assert "| SSIM | not computed: smaller than 11 pixels |" in text


def test_what_nobody_asked_for_has_no_row_and_what_failed_says_why() -> None:
    pair = torch.zeros(1, 16, 16, 3), torch.ones(1, 16, 16, 3)
    assert "LPIPS" not in compare(*pair).markdown()
    assert "| LPIPS (AlexNet) | not computed: no good |" in compare(*pair, None, "not computed: no good").markdown()


@pytest.mark.parametrize(
    ("decibels", "words"),
    [
        (41.0, "hard to see"),
        (35.4, "hard to see"),
        (30.0, "small details moved"),
        (25.0, "details moved"),
        (16.0, "composition changed"),
        (float("inf"), "the same picture"),
    ],
)
def test_a_verdict_is_said_in_words(decibels: float, words: str) -> None:
    reference = torch.rand(1, 16, 16, 3)
    image = reference + 10 ** (-decibels / 20)
    made = compare(reference, image)
    assert f"| Verdict | {words} |" in made.markdown()
    assert made.as_dict()["verdict"] == words


def test_a_frame_that_is_worse_than_the_clip_is_named() -> None:
    reference = torch.rand(3, 16, 16, 3)
    image = reference + torch.tensor([0.001, 0.2, 0.001]).view(3, 1, 1, 1)
    assert compare(reference, image).told() == "hard to see; composition changed at worst (picture 2)"


def test_a_comparison_as_numbers_has_none_for_what_is_infinite() -> None:
    picture = torch.rand(1, 8, 8, 3)
    assert compare(picture, picture).as_dict() == {
        "verdict": "the same picture",
        "psnr_db": None,
        "psnr_db_worst": None,
        "worst_frame": 1,
        "ssim": None,
        "lpips": None,
    }


@pytest.mark.parametrize("shape", [(1, 16, 16, 3), (2, 16, 24, 3)])
def test_pictures_of_other_sizes_are_one_sentence(shape: tuple) -> None:
    sentence = "^Jano Compare needs two pictures of one size, but the reference has 16 x 16 pixels in 2 frames and the "
    with pytest.raises(ValueError, match=sentence):
        compare(torch.zeros(2, 16, 16, 3), torch.zeros(shape))


def test_strips_give_the_ssim_of_the_whole(monkeypatch) -> None:
    one, other = torch.rand(2, 61, 23, 3), torch.rand(2, 61, 23, 3)
    whole = ssim(one, other)
    monkeypatch.setattr(quality, "STRIP", 7)
    torch.testing.assert_close(ssim(one, other), whole)


def test_frames_that_are_equal_do_not_make_the_mean_infinite() -> None:
    reference = torch.rand(3, 16, 16, 3) * 0.5
    image = reference + torch.tensor([0.0, 0.1, 0.1]).view(3, 1, 1, 1)
    assert (
        "| 20.00 dB on average over 2 pictures (1 more are equal), 20.00 dB at worst"
        in compare(reference, image).markdown()
    )


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_one_sentence(broken: float) -> None:
    picture = torch.rand(1, 16, 16, 3)
    other = picture.clone()
    other[0, 3, 3, 0] = broken
    with pytest.raises(ValueError, match="^Jano Compare: the image holds values that are not finite numbers, .*\\.$"):
        compare(picture, other)
    with pytest.raises(ValueError, match="^Jano Compare: the reference holds "):
        compare(other, picture)
