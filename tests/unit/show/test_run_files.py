"""Runs as files: beside the pictures and nowhere else, nothing overwritten, a table that stays readable."""

import csv
import json
from datetime import datetime
from pathlib import Path

import pytest
from comfyui_jano.jano.show.run_files import COLUMNS, TABLE, add_line, cell, file_stem, row_of, save_run

ACCOUNT = {
    "model": "Flux",
    "steps": 20,
    "verdict": "accelerated",
    "computed_token_fraction": 0.45,
    "seconds": 3.5,
    "speedup": 2.2,
    "basis": "estimated",
}
WHEN = datetime(2026, 11, 26, 20, 0, 0)
ROW = row_of(ACCOUNT, WHEN, size="512 x 512", quality="balanced")


def table(output: Path) -> list[dict]:
    with (output / TABLE).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_two_runs_are_two_files_and_two_lines_below_one_header(tmp_path: Path) -> None:
    said = [save_run(tmp_path, "run", ACCOUNT, ROW) for _ in range(2)]
    assert said[1] == "jano/run_00002.json and a line in jano_runs.csv, in the output folder"
    assert json.loads((tmp_path / "jano" / "run_00001.json").read_text()) == ACCOUNT
    lines = (tmp_path / TABLE).read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert len(lines) == 3
    first = table(tmp_path)[0]
    assert first["time"] == "2026-11-26 20:00:00"
    assert (first["model"], first["size"], first["quality"], first["factor"]) == (
        "Flux",
        "512 x 512",
        "balanced",
        "2.2",
    )
    assert (first["seconds"], first["saved_seconds"], first["basis"]) == ("3.5", "", "estimated")
    assert [row["file"] for row in table(tmp_path)] == ["jano/run_00001.json", "jano/run_00002.json"]


def test_what_later_accounts_tell_is_in_the_table() -> None:
    later = row_of({**ACCOUNT, "seconds_saved": 4.25, "risk": "low", "sampler": "euler"}, WHEN)
    assert (later["saved_seconds"], later["risk"], later["sampler"]) == (4.25, "low", "euler")


@pytest.mark.parametrize(
    "prefix",
    [
        "../../evil",
        "/etc/passwd",
        "..\\..\\evil",
        "C:\\Windows\\evil",
        "jano/../../..",
        "..",
        ".",
        "",
        "\0evil",
        ".bashrc",
        "con",
        "nul.txt",
        "x" * 999,
        "a/b/c",
        "%date%:*?<>|",
        "日本語",
    ],
)
def test_no_prefix_leads_out_of_the_folder(tmp_path: Path, prefix: str) -> None:
    output = tmp_path / "output"
    save_run(output, prefix, ACCOUNT, ROW)
    (made,) = (output / "jano").iterdir()
    assert made.suffix == ".json"
    assert not made.name.startswith(".")
    assert made.stem.split("_0")[0].lower() not in ("con", "nul.txt")
    assert {path.name for path in tmp_path.iterdir()} == {"output"}
    assert {path.name for path in output.iterdir()} == {"jano", TABLE}


def test_names_keep_what_they_can() -> None:
    assert file_stem("portraits/night run (2)") == "night run (2)"
    assert file_stem("日本語") == "日本語"
    assert file_stem("a*b") == "a_b"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "jano").mkdir()
    mine = tmp_path / "jano" / "run_00001.json"
    mine.write_text("mine")
    (tmp_path / "jano" / "run_00007.json").write_text("mine too")
    assert save_run(tmp_path, "run", ACCOUNT, ROW).startswith("jano/run_00008.json ")
    assert mine.read_text() == "mine"


def test_a_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    output, elsewhere = tmp_path / "output", tmp_path / "elsewhere"
    output.mkdir()
    elsewhere.mkdir()
    (output / "jano").symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(ValueError, match="^jano leads out of the output folder$"):
        save_run(output, "run", ACCOUNT, ROW)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "\x89PNG\n", "time;model;steps;quality\n"])
def test_a_table_of_others_is_left_as_it_is(tmp_path: Path, content: str) -> None:
    (tmp_path / TABLE).write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match="^jano_runs.csv is not a table of Jano's runs; rename it, "):
        add_line(tmp_path / TABLE, ROW)
    assert (tmp_path / TABLE).read_bytes() == content.encode("latin-1")


@pytest.mark.parametrize("content", ["", "\n\n", " \n", "\ufeff"])
def test_an_empty_table_is_a_new_one(tmp_path: Path, content: str) -> None:
    """A full disk, or somebody who emptied it, had it refused for ever."""
    (tmp_path / TABLE).write_text(content, encoding="utf-8")
    for _ in range(2):
        add_line(tmp_path / TABLE, ROW)
    assert (tmp_path / TABLE).read_text(encoding="utf-8").startswith(",".join(COLUMNS))
    assert [row["seconds"] for row in table(tmp_path)] == ["3.5", "3.5"]
    assert [path.name for path in tmp_path.iterdir()] == [TABLE]


def test_columns_that_are_new_come_behind_the_old_ones_and_old_lines_stay(tmp_path: Path) -> None:
    old = 'time,model,steps,quality,note of mine\n2025,Wan,30,fast,"a, b"\n'
    (tmp_path / TABLE).write_text(old)
    add_line(tmp_path / TABLE, ROW)
    add_line(tmp_path / TABLE, ROW)
    header = (tmp_path / TABLE).read_text().splitlines()[0].split(",")
    assert header[:5] == ["time", "model", "steps", "quality", "note of mine"]
    assert sorted(header[5:]) == sorted(set(COLUMNS) - {"time", "model", "steps", "quality"})
    first, *added = table(tmp_path)
    assert (first["model"], first["note of mine"], first["seconds"]) == ("Wan", "a, b", "")
    assert [row["seconds"] for row in added] == ["3.5", "3.5"]
    assert [path.name for path in tmp_path.iterdir()] == [TABLE]


def test_a_last_line_without_its_end_is_not_continued(tmp_path: Path) -> None:
    add_line(tmp_path / TABLE, ROW)
    (tmp_path / TABLE).write_text((tmp_path / TABLE).read_text().rstrip("\n"))
    add_line(tmp_path / TABLE, ROW)
    assert len(table(tmp_path)) == 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_would_run_is_made_harmless(tmp_path: Path, text: str) -> None:
    add_line(tmp_path / TABLE, {**ROW, "model": text})
    (row,) = table(tmp_path)
    assert row["model"] == f"'{text}".replace("\t", " ").replace("\r", " ")
    assert cell(-1.5) == "-1.5"  # a number is no formula


def test_what_cannot_be_written_is_an_error_for_the_node_to_tell(tmp_path: Path) -> None:
    (tmp_path / "jano").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="jano"):
        save_run(tmp_path, "run", ACCOUNT, ROW)


def test_a_run_that_is_saved_without_its_line_is_not_called_unsaved(tmp_path: Path) -> None:
    (tmp_path / TABLE).write_text("a,b\n")
    told = save_run(tmp_path, "run", ACCOUNT, ROW)
    assert json.loads((tmp_path / "jano" / "run_00001.json").read_text()) == ACCOUNT
    assert told == (
        "jano/run_00001.json, in the output folder; no line in jano_runs.csv (jano_runs.csv is not a table of Jano's "
        "runs; rename it, and a new one is begun)"
    )
    (tmp_path / TABLE).unlink()
    (tmp_path / TABLE).mkdir()
    assert f"no line in {TABLE} (Is a directory: {tmp_path / TABLE})" in save_run(tmp_path, "run", ACCOUNT, ROW)


@pytest.mark.parametrize("letter", ["a", "\u6f22", "\U00020000"])
def test_a_long_name_fits_whatever_its_letters_take(tmp_path: Path, letter: str) -> None:
    save_run(tmp_path, 300 * letter, ACCOUNT, ROW)
    (saved,) = (tmp_path / "jano").iterdir()
    assert saved.name.startswith(50 * letter)


def test_a_wider_table_overwrites_no_other_file(tmp_path: Path) -> None:
    (tmp_path / TABLE).write_text("time,model,steps,quality\n2025,Wan,30,fast\n")
    (tmp_path / f"{TABLE}.new").write_text("mine")
    add_line(tmp_path / TABLE, ROW)
    assert len(table(tmp_path)) == 2
    assert (tmp_path / f"{TABLE}.new").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {TABLE, f"{TABLE}.new"}


def test_a_table_that_lies_elsewhere_stays_there_when_it_grows(tmp_path: Path) -> None:
    theirs = tmp_path / "elsewhere.csv"
    theirs.write_text("time,model,steps,quality\n2025,Wan,30,fast\n")
    (tmp_path / TABLE).symlink_to(theirs)
    add_line(tmp_path / TABLE, ROW)
    assert (tmp_path / TABLE).is_symlink()
    assert len(theirs.read_text().splitlines()) == 3
