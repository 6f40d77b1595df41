"""A run as files beside the pictures: its account as JSON, and a line in a table of all runs.

Whatever prefix a workflow brings, files lie below the folder for them; no file of another name or maker is touched.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from ..sentences import say

FOLDER, TABLE = "jano", "jano_runs.csv"
COLUMNS = (
    "time", "model", "size", "sampler", "steps", "quality", "verdict", "computed", "factor", "seconds", "saved_seconds",
    "risk", "file", "basis",
)  # fmt: skip
OURS = {"time", "model", "steps", "quality"}  # by which a table is known as one of ours
OF_ACCOUNT = ("model", "sampler", "steps", "quality", "verdict", "seconds", "risk", "basis")  # under the same names
MOST_LETTERS, MOST_BYTES, MOST_FILES = 80, 240, 99_999
# Not to be had as file names on Windows.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet runs


def save_run(output: Path, prefix: str, account: Mapping[str, object], row: Mapping[str, object]) -> str:
    """Write `account` to output/jano/<prefix>_00001.json and add `row`, values by COLUMNS, to output/jano_runs.csv.

    Returns what was written in words, be it without the line; OSError or ValueError where there is no JSON.
    """
    path = _new_file(output, prefix, json.dumps(account, indent=1, ensure_ascii=False))
    name = path.relative_to(output.resolve()).as_posix()
    try:
        add_line(output / TABLE, {**row, "file": name})
    except (OSError, ValueError) as error:
        return say("saved_without_line", file=name, table=TABLE, reason=complaint_of(error))
    return say("saved_as", file=name, table=TABLE)


def complaint_of(error: Exception) -> str:
    """Why a file could not be written, in words."""
    return f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.strerror else str(error)


def row_of(account: Mapping[str, object], when: datetime, **known: object) -> dict[str, object]:
    """The line of a run in the table, from its account; what the account does not tell is left empty."""
    told = {
        "time": when.isoformat(" ", "seconds"),
        "computed": account.get("computed_token_fraction"),
        "factor": account.get("speedup"),
        "saved_seconds": account.get("seconds_saved"),
        **{name: account.get(name) for name in OF_ACCOUNT},
        **known,
    }
    return {name: value for name, value in told.items() if name in COLUMNS and value is not None}


def file_stem(prefix: str) -> str:
    """A file name, without its ending, of what may be anything: no folder, no dot in front, nothing reserved."""
    named = re.sub(r"[^\w .()-]+", "_", prefix.replace("\\", "/").rstrip("/").rpartition("/")[2])
    stem = _short(named.strip(" ._")).rstrip(" .") or "run"
    return f"_{stem}" if RESERVED.fullmatch(stem) else stem


def _short(text: str) -> str:
    """As much of it as a file name holds, which counts bytes."""
    return text[:MOST_LETTERS].encode()[:MOST_BYTES].decode(errors="ignore")


def _new_file(output: Path, prefix: str, text: str) -> Path:
    """A file that was not there before, with `text` in it."""
    root = output.resolve()
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    if not folder.resolve().is_relative_to(root):
        raise ValueError(f"{FOLDER} leads out of the output folder")
    stem = file_stem(prefix)
    numbers = (int(found[1]) for path in folder.glob("*.json") if (found := re.fullmatch(_numbered(stem), path.name)))
    first = max(numbers, default=0) + 1
    for number in range(first, max(first, MOST_FILES) + 1):
        path = folder / f"{stem}_{number:05}.json"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:  # another ComfyUI writes into this folder
            continue
        return path
    raise ValueError(f"{FOLDER} is full")


def _numbered(stem: str) -> str:
    return rf"{re.escape(stem)}_(\d{{1,9}})\.json"


def add_line(table: Path, row: Mapping[str, object]) -> None:
    """Add a line to the table; where it lacks columns, it is written anew with them behind its own."""
    kept = _read(table)
    if kept is None:
        _write(table, list(COLUMNS), [_line(COLUMNS, row)], "x")
        return
    header, lines = kept
    missing = [name for name in COLUMNS if name not in header]
    if not missing:
        _append(table, _line(header, row))
        return
    wider = [*header, *missing]
    table = table.resolve()  # where a user's link leads: the link itself stays
    new = table.with_name(f"{table.name}.{uuid4().hex[:8]}.new")  # one that was left behind blocks no other
    try:
        _write(new, wider, [*(line + [""] * (len(wider) - len(line)) for line in lines), _line(wider, row)], "x")
        os.replace(new, table)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _read(table: Path) -> tuple[list[str], list[list[str]]] | None:
    """The header and the lines, none of both for an empty file, None for no table yet; ValueError for a file that is
    none of ours."""
    if not table.exists():
        if table.is_symlink():
            raise ValueError(f"{table.name} is a link that leads nowhere")
        return None
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error):
        rows = [[TABLE]]  # no header of ours
    if not any(value.strip() for row in rows for value in row):
        return [], []  # as a full disk leaves it, or somebody who emptied it
    header, *lines = rows
    if not set(header) >= OURS:
        raise ValueError(f"{table.name} is not a table of Jano's runs; rename it, and a new one is begun")
    return header, lines


def _append(table: Path, line: list[str]) -> None:
    ended = table.read_bytes().endswith(b"\n")  # an editor may have left the last line without its end
    with table.open("a", newline="", encoding="utf-8") as file:
        file.write("" if ended else "\n")
        csv.writer(file, lineterminator="\n").writerow(line)


def _write(table: Path, header: list[str], lines: list[list[str]], mode: str) -> None:
    with table.open(mode, newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *lines])


def _line(header: list[str] | tuple[str, ...], row: Mapping[str, object]) -> list[str]:
    return [cell(row.get(name)) for name in header]


def cell(value: object) -> str:
    """A value as one line of a spreadsheet: text that it would run as a formula begins with an apostrophe."""
    if not isinstance(value, str):
        return "" if value is None else str(value)
    text = re.sub(r"[\x00-\x1f]+", " ", value)
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text
