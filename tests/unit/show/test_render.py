"""Pictures of the level map and of the steps."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.map import Level, LevelMap
from comfyui_jano.jano.show.error_map import ErrorMap
from comfyui_jano.jano.show.render import (
    ERROR_RAMP,
    ERROR_SHOWN,
    ERROR_STRENGTH,
    LEVEL_COLOURS,
    computed_masks,
    contact_sheet,
    difference_map,
    error_overlay,
    error_sheet,
    level_overlay,
    level_sheet,
    notice,
)
from PIL import ImageDraw
from torch import Tensor


def level_map(*levels: Level, latent: tuple = (1, 4, 4)) -> LevelMap:
    """Tokens of two by two cells, row-major."""
    grid = TokenGrid(latent, (1, 2, 2), (1, 1, 1))
    return LevelMap(grid, torch.tensor([int(level) for level in levels], dtype=torch.uint8), torch.zeros(len(levels)))


CORNERS = level_map(Level.STATIC, Level.MODERATE, Level.ACTIVE, Level.ACTIVE)


def colour(picture: Tensor, y: int, x: int) -> list[float]:
    return picture[0, y, x].tolist()


def test_alone_the_map_has_eight_pixels_a_cell_and_full_colours() -> None:
    picture = level_overlay(CORNERS)
    assert picture.shape[2:] == (32, 3)
    corners = [colour(picture, y, x) for y in (4, 28) for x in (4, 28)]
    assert corners == [
        pytest.approx(LEVEL_COLOURS[level]) for level in (Level.STATIC, Level.MODERATE, Level.ACTIVE, Level.ACTIVE)
    ]


def test_over_a_picture_the_levels_tint_it() -> None:
    picture = level_overlay(CORNERS, torch.full((1, 64, 64, 3), 0.5), strength=0.2)
    expected = [0.8 * 0.5 + 0.2 * part for part in LEVEL_COLOURS[Level.STATIC]]
    assert colour(picture, 10, 10) == pytest.approx(expected, abs=1e-5)


def test_the_legend_stands_below_and_covers_nothing() -> None:
    tinted = level_overlay(CORNERS, torch.full((1, 96, 96, 3), 0.5))
    assert tinted.shape[1] > 96
    assert tinted[:, 96:].std() > 0
    assert torch.equal(tinted[:, 48, 70], tinted[:, 95, 95])  # one colour in the corner's token, to its last row


@pytest.mark.parametrize(("frames", "maps"), [(5, 2), (2, 5), (3, 3)])
def test_clips_and_maps_of_other_lengths_are_spread_evenly(frames: int, maps: int) -> None:
    many = level_map(*[Level.ACTIVE] * maps, latent=(maps, 2, 2))
    picture = level_overlay(many, torch.rand(frames, 32, 32, 3))
    assert picture.shape[0] == max(frames, maps)


def test_ragged_tokens_end_with_the_picture() -> None:
    ragged = level_map(*[Level.ACTIVE, Level.STATIC] * 2, latent=(1, 3, 3))
    picture = level_overlay(ragged)
    assert picture.shape[2] == 24
    assert colour(picture, 4, 23) == pytest.approx(LEVEL_COLOURS[Level.STATIC])


def test_pictures_with_an_alpha_channel_are_fine() -> None:
    assert level_overlay(CORNERS, torch.rand(1, 32, 32, 4)).shape[-1] == 3
    assert notice("No run.", torch.rand(1, 32, 32, 4)).shape[-1] == 3


def test_masks_in_latent_cells_add_up_to_one() -> None:
    active, frozen = computed_masks(CORNERS, torch.zeros(1, 16, 4, 4))
    assert active.tolist() == [[[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]]
    assert torch.equal(active + frozen, torch.ones(1, 4, 4))


@pytest.mark.parametrize(("shape", "mask"), [((1, 16, 6, 5), (1, 6, 5)), ((2, 16, 3, 6, 5), (3, 6, 5))])
def test_without_a_map_everything_is_active(shape: tuple, mask: tuple) -> None:
    active, frozen = computed_masks(None, torch.zeros(shape))
    assert torch.equal(active, torch.ones(mask))
    assert torch.equal(frozen, torch.zeros(mask))


def test_a_notice_is_written_below_the_picture() -> None:
    image = torch.rand(2, 48, 200, 3)
    noticed = notice("none of the last runs on this MODEL produced this latent", image)
    assert torch.equal(noticed[:, :48], image)
    assert noticed.shape[0] == 2
    assert noticed[:, 48:].max() > 0.5


def test_a_longer_sentence_takes_more_lines() -> None:
    assert notice("word " * 60).shape[1] > notice("word").shape[1]


def test_masks_take_the_size_and_length_of_the_picture() -> None:
    levels = [Level.ACTIVE, Level.STATIC, Level.STATIC]
    active, frozen = computed_masks(
        level_map(*levels, latent=(3, 2, 2)), torch.zeros(1, 16, 3, 2, 2), torch.zeros(9, 16, 16, 3)
    )
    assert active.shape == frozen.shape == (9, 16, 16)
    assert active.mean((1, 2)).tolist() == [1.0] + [0.0] * 8  # a video VAE's first latent frame is one picture


def test_later_latent_frames_cover_four_pictures_each() -> None:
    levels = [Level.STATIC, Level.ACTIVE, Level.STATIC]
    active, _ = computed_masks(
        level_map(*levels, latent=(3, 2, 2)), torch.zeros(1, 16, 3, 2, 2), torch.zeros(9, 16, 16, 3)
    )
    assert active.mean((1, 2)).tolist() == [0.0] + [1.0] * 4 + [0.0] * 4


@pytest.mark.parametrize(("frames", "columns", "rows"), [(1, 1, 1), (5, 3, 2), (81, 4, 3)])
def test_a_contact_sheet_has_a_place_for_each_frame(frames: int, columns: int, rows: int) -> None:
    sheet = contact_sheet(torch.rand(frames, 60, 120, 3), width=480)
    side = 480 // columns
    assert sheet.shape[1:] == (rows * round(side / 2), columns * side, 3)


def test_a_contact_sheet_begins_with_the_first_frame_and_ends_with_the_last() -> None:
    ramp = torch.linspace(0, 1, 40).view(-1, 1, 1, 1).expand(-1, 60, 60, 3)
    sheet = contact_sheet(ramp, width=400)[0]
    assert sheet[80, 80].tolist() == pytest.approx([0.0] * 3, abs=0.01)
    assert sheet[280, 380].tolist() == pytest.approx([1.0] * 3, abs=0.01)


def test_a_clips_sheet_has_one_legend() -> None:
    clip = level_map(*[Level.STATIC] * 4, latent=(4, 2, 2))
    sheet = level_sheet(clip, torch.rand(4, 32, 32, 3))
    assert sheet.shape[0] == 1
    assert sheet.shape[1] > sheet.shape[2]  # two by two frames, and the legend


def test_a_difference_is_black_where_there_is_none_and_white_from_a_quarter() -> None:
    reference = torch.zeros(2, 32, 64, 3)
    image = torch.tensor([0.0, 0.25 / 3, 0.5 / 3, 0.25]).repeat_interleave(16).view(1, 1, 64, 1).expand(2, 32, 64, 3)
    made = difference_map(reference, image)
    expected = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert [colour(made, 5, x) for x in (5, 20, 40, 60)] == [pytest.approx(rgb, abs=1e-5) for rgb in expected]
    assert made.shape[0] == 2
    assert made.shape[1] > 32


GREY = torch.full((1, 64, 64, 3), 0.5)


def errors(*shares: float, latent: tuple = (1, 2, 2)) -> ErrorMap:
    """Regions of a latent cell, row-major."""
    return ErrorMap.of(TokenGrid(latent, (1, 1, 1), (1, 1, 1)), torch.tensor(shares))


def test_where_no_forecast_was_off_the_picture_is_as_it_is() -> None:
    made = error_overlay(errors(0.0, 0.3 * ERROR_SHOWN[0], ERROR_SHOWN[0], 0.0), GREY)
    assert torch.allclose(made[:, :64], GREY, atol=0.02)
    assert made.shape[1] > 64  # the legend


def test_the_largest_errors_are_brightest() -> None:
    made = error_overlay(errors(1.0, 0.0, 0.0, 0.0), GREY)
    brightest = [ERROR_STRENGTH * part / 255 + (1 - ERROR_STRENGTH) * 0.5 for part in ERROR_RAMP[-1]]
    assert colour(made, 4, 4) == pytest.approx(brightest, abs=0.02)
    assert colour(made, 60, 60) == pytest.approx([0.5] * 3, abs=0.02)


def test_a_region_that_ends_beyond_the_picture_keeps_its_place() -> None:
    """Three cells in regions of two: the second region is a third of the picture, and begins at its two thirds."""
    grid = TokenGrid((1, 2, 3), (1, 1, 1), (1, 2, 2))
    made = error_overlay(ErrorMap.of(grid, torch.tensor([0.0, 0.3])), torch.zeros(1, 60, 90, 3))
    assert colour(made, 30, 30) == pytest.approx([0.0] * 3, abs=0.02)  # the middle of the first
    assert max(colour(made, 30, 88)) > 0.5


@pytest.mark.parametrize("image", [None, torch.rand(5, 32, 32, 3)], ids=["alone", "over a clip"])
def test_a_clip_has_its_errors_frame_by_frame_and_a_sheet(image: Tensor | None) -> None:
    clip = errors(1.0, *[0.0] * 7, latent=(2, 2, 2))
    made, sheet = error_overlay(clip, image), error_sheet(clip, image)
    assert made.shape[0] == (2 if image is None else 5)
    assert made[0, :8, :8].mean() > made[-1, :8, :8].mean()
    assert sheet.shape[0] == 1


def test_the_ramp_is_ordered_by_lightness_alone() -> None:
    lightness = [luminance(colour) for colour in ERROR_RAMP]
    assert lightness == sorted(lightness)
    assert min(high / low for low, high in pairwise(lightness)) > 1.5


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance (WCAG 2)."""
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(
    ("draw", "of", "entries"),
    [
        (lambda: error_overlay(errors(0.1, 0.0, 0.0, 0.0), GREY), "strength", ["1 %", "3 %", "10 %", "30 % or more"]),
        (lambda: error_sheet(errors(0.1, 0.0, 0.0, 0.0), GREY), "strength", ["1 %", "3 %", "10 %", "30 % or more"]),
        (lambda: difference_map(GREY, GREY), "range", ["0 %", "8 %", "17 %", "25 % or more"]),
        (lambda: level_overlay(CORNERS, GREY), "parts of the picture", ["static 25 %", "moderate 25 %", "active 50 %"]),
        (lambda: level_sheet(CORNERS, GREY), "parts of the picture", ["static 25 %", "moderate 25 %", "active 50 %"]),
    ],
)
def test_a_legend_says_of_what_its_numbers_are(
    monkeypatch: pytest.MonkeyPatch, draw: Callable[[], Tensor], of: str, entries: list[str]
) -> None:
    """ "1%" stood there alone."""
    drawn = []
    text = ImageDraw.ImageDraw.text
    watch = lambda self, at, words, *args, **more: (drawn.append(words), text(self, at, words, *args, **more))  # noqa: E731
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", watch)
    draw()
    assert [words for words in drawn if "%" in words] == entries
    assert of in " ".join(words for words in drawn if "%" not in words)


@pytest.mark.parametrize("width", [96, 256])
def test_no_entry_of_a_legend_is_cut(width: int) -> None:
    """As wide as the picture, with paper at its end; entries for which there is no room stand on the next line."""
    picture = torch.rand(1, 16, width, 3)
    legend = difference_map(picture, picture)[0, 16:]
    assert legend.shape[1] == width
    assert legend[:, -1].unique().numel() <= 2  # its three channels: nothing but paper
    assert legend.shape[0] > 18 or width == 256
