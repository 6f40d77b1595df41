"""A table of two columns: markdown for everyone, and sentences for the page."""

from __future__ import annotations

from dataclasses import dataclass

from ..sentences import spoken


@dataclass(frozen=True)
class Table:
    """Rows of a name and what is told under it; those with nothing to tell are left out."""

    title: str
    rows: tuple[tuple[str, str | None], ...]

    def __add__(self, rows: tuple[tuple[str, str | None], ...]) -> Table:
        return Table(self.title, self.rows + rows)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self.rows if value]

    def markdown(self) -> str:
        return "\n".join([f"| {self.title} | |", "|---|---|", *(f"| {name} | {value} |" for name, value in self.told)])

    def spoken(self) -> list[list[object]]:
        """As JSON, for the reader's language."""
        return [[spoken(name), spoken(value)] for name, value in self.told]
