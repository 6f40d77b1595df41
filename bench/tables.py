"""Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join([*lines, ""])


def judged(ratio: float, target: float) -> str:
    """A ratio and whether it meets its target."""
    return f"{ratio:.3f} ({'meets' if ratio <= target else 'misses'} {target:g})"


def host_line(about: dict) -> str:
    return (
        f"{about['device_name']} ({about['device']}, {about['threads']} thread(s)), torch {about['torch']}, "
        f"ComfyUI {about['comfyui']}"
    )
