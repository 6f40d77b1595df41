"""Results on disk: whole files, and lines that a broken-off run continues from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from ..host.location import ROOT

# What decides about forecasts, and makes and repairs them.
ENGINE = tuple(ROOT / "jano" / room for room in ("whole", "forecast"))
Row = dict[str, object]


def save(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> dict | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def digest(*paths: Path) -> str:
    """Eight letters that change with the files' contents."""
    content = hashlib.blake2b(digest_size=4)
    for path in paths:
        content.update(path.read_bytes())
    return content.hexdigest()


def digest_of_text(text: str) -> str:
    """Eight letters that change with the text."""
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def engine(*more: Path) -> str:
    """Eight letters that change with the source of whole steps, and of these files."""
    return digest(*(file for room in ENGINE for file in sorted(room.glob("*.py"))), *more)


class Lines:
    """A file of JSON lines in which each row is found by its `key` fields; rows of older versions lack some, and do not
    count."""

    def __init__(self, path: Path, key: tuple[str, ...]) -> None:
        self._path, self._key = path, key
        self._rows = {self._key_of(row): row for row in _read(path) if set(key) <= row.keys()}

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def find(self, wanted: Row) -> Row | None:
        return self._rows.get(self._key_of(wanted))

    def add(self, row: Row) -> None:
        self._rows[self._key_of(row)] = row
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _key_of(self, row: Row) -> tuple:
        return tuple(row[name] for name in self._key)


def _read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
