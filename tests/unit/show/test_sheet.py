"""The sheet of a sweep as a picture."""

import pytest
import torch
from comfyui_jano.jano.show.render import PAPER
from comfyui_jano.jano.show.sheet import NARROWEST, WIDEST, Cell, all_pictures, labelled_sheet, sweep_sheet
from comfyui_jano.jano.show.sweep import Sweep, SweepRow

RED, GREEN = (torch.tensor(colour).expand(300, 400, 3) for colour in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))


def cells(count: int, *lines: str) -> list[Cell]:
    return [Cell(RED, "name", list(lines)) for _ in range(count)]


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 3), (4, 2), (5, 3)])
def test_pictures_stand_in_rows(count: int, columns: int) -> None:
    sheet = labelled_sheet(cells(count, "x"), "footer")
    assert sheet.shape[0] == 1
    assert sheet.shape[2:] == (columns * 400, 3)
    assert sheet[0, 150, 200].tolist() == [1.0, 0.0, 0.0]
    assert sheet[0, 150, -200].tolist() == [1.0, 0.0, 0.0]


def test_a_line_that_does_not_fit_is_wrapped_and_takes_room() -> None:
    short, long = (labelled_sheet(cells(2, text), "footer") for text in ("x", "word " * 40))
    assert long.shape[1] > short.shape[1]
    paper = torch.tensor([round(255 * part) / 255 for part in PAPER])
    assert torch.allclose(long[0, 300:, 399], paper)  # nothing runs into the next cell


def test_where_there_is_no_picture_its_place_is_empty() -> None:
    sheet = labelled_sheet([Cell(RED, "a", []), Cell(None, "b", ["no picture: out of memory"])], "")
    assert sheet[0, 150, 600].tolist() == pytest.approx([round(255 * part) / 255 for part in PAPER], abs=1e-3)


def test_huge_pictures_are_made_smaller_and_tiny_ones_larger() -> None:
    huge, tiny = torch.rand(3000, 4000, 3), torch.rand(64, 64, 3)
    assert labelled_sheet([Cell(huge, "a", []), Cell(huge, "b", [])], "").shape[2] == WIDEST
    assert labelled_sheet([Cell(tiny, "a", [])], "").shape[2] == NARROWEST


def test_of_clips_the_middle_frame_is_shown_and_all_frames_are_kept() -> None:
    clip = torch.stack([RED, GREEN, RED])
    made = Sweep({"model": "Wan"}, [SweepRow("full", 2.0), SweepRow("fast", reason="out of memory")])
    sheet = sweep_sheet(made, [clip, None])
    assert sheet[0, 150, 200].tolist() == [0.0, 1.0, 0.0]
    assert torch.equal(all_pictures([clip, None, clip]), torch.cat((clip, clip)))
