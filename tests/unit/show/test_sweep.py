"""What a sweep says: a table to paste, JSON in a line, captions."""

import json

import pytest
import torch
from comfyui_jano.jano.show.quality import compare
from comfyui_jano.jano.show.sweep import FULL, Sweep, SweepRow

PICTURE = torch.rand(1, 16, 16, 3) * 0.5
FACTS = {"model": "Flux", "size": "64 x 64", "steps": 20, "sampler": "euler", "scheduler": "simple", "seed": 0}
FAST = SweepRow("fast", 2.0, 0.4, compare(PICTURE, PICTURE + 0.1))


def swept(*rows: SweepRow, note: str = "") -> Sweep:
    return Sweep(FACTS, [SweepRow(FULL, 5.0), *rows], note)


def test_a_row_has_what_it_took_and_how_close_it_came() -> None:
    text = swept(FAST).markdown()
    assert text.startswith("Flux, 64 x 64, 20 steps, euler/simple, seed 0\n\n| Jano sweep | Seconds | Factor |")
    assert "| full | 5.0 s |  | 100 % |  |  |  |" in text
    ssim = f"{compare(PICTURE, PICTURE + 0.1).mean_ssim:.4f}"
    assert f"| fast | 2.0 s | 2.50x | 40 % | 20.0 dB | {ssim} | composition changed |" in text


def test_the_json_is_one_line_with_the_same_figures() -> None:
    line = swept(FAST).as_json()
    assert "\n" not in line
    read = json.loads(line)
    assert read["seed"] == 0
    full, fast = read["rows"]
    assert (full["factor"], fast["factor"]) == (None, 2.5)
    assert fast["psnr_db"] == pytest.approx(20.0, abs=0.01)
    assert fast["computed_token_fraction"] == 0.4


def test_equal_pictures_have_no_infinite_number_in_them() -> None:
    made = swept(SweepRow("fidelity", 5.0, 1.0, compare(PICTURE, PICTURE), "4 steps are too few | really"))
    assert "Infinity" not in made.as_json()
    said = "the same picture; not accelerated because 4 steps are too few / really |"  # a bar would begin a new cell
    assert f"| equal | 1.0000 | {said}" in made.markdown()


def test_a_row_without_a_picture_says_why_and_the_caption_too() -> None:
    row = SweepRow("draft", reason="out of memory")
    made = swept(row)
    assert "| draft |  |  |  |  |  | no picture: out of memory |" in made.markdown()
    assert made.caption(row) == ("draft", ["no picture: out of memory"])


def test_a_caption_names_the_factor_the_figures_and_the_verdict() -> None:
    assert swept(FAST).caption(FAST) == ("fast, 2.5x faster", ["2.0 s, 40 % computed, 20.0 dB", "composition changed"])
    full = SweepRow(FULL, 5.0)
    assert swept().caption(full) == ("full", ["5.0 s, 100 % computed"])


def test_what_was_not_accelerated_is_not_called_faster() -> None:
    """Its seconds are told; that they differ from those of full, the same work, is chance."""
    row = SweepRow("fidelity", 2.5, 1.0, compare(PICTURE, PICTURE), "4 steps are too few")
    made = swept(row, FAST)
    assert "| fidelity | 2.5 s |  | 100 % |" in made.markdown()
    assert made.caption(row)[0] == "fidelity"
    assert [found["factor"] for found in json.loads(made.as_json())["rows"]] == [None, None, 2.5]


def test_what_the_reader_should_know_stands_below() -> None:
    assert swept(note="something").markdown().endswith("|\n\nNote: something.")
