"""One picture to show: the full run beside every quality, each with its factor, its seconds and how close it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

NARROWEST, WIDEST, GAP, LINE = 240, 400, 10, 22
FRAMES_OF_A_CLIP = 3
PAPER, INK, FAINT = (255, 255, 255), (30, 30, 34), (110, 110, 116)

Column = tuple[Tensor, Sequence[str]]
"""A picture or clip (frames, height, width, 3) in 0..1 and the lines below it."""


def save(path: Path, title: str, columns: Sequence[Column]) -> None:
    """A PNG with one column each; of clips, frames from the first to the last below each other."""
    frames, height, width = columns[0][0].shape[:3]
    shown = min(frames, FRAMES_OF_A_CLIP)
    across = min(max(width, NARROWEST), WIDEST)
    size = (across, round(height * across / width))
    lines = max(len(told) for _, told in columns)
    top, bottom = LINE + 2 * GAP, lines * LINE + GAP
    sheet = Image.new("RGB", (GAP + len(columns) * (size[0] + GAP), top + shown * (size[1] + GAP) + bottom), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), _fitting(draw, title, sheet.width - 2 * GAP, 15), INK, _font(15))
    for number, (clip, told) in enumerate(columns):
        left = GAP + number * (size[0] + GAP)
        for row in range(shown):
            frame = clip[round(row * (frames - 1) / max(1, shown - 1))]
            sheet.paste(_picture(frame).resize(size, Image.Resampling.LANCZOS), (left, top + row * (size[1] + GAP)))
        for row, line in enumerate(told):
            place = (left, top + shown * (size[1] + GAP) + row * LINE)
            draw.text(place, _fitting(draw, line, size[0], 15), FAINT if row else INK, _font(15))
    sheet.save(path)


def _picture(frame: Tensor) -> Image.Image:
    height, width = frame.shape[:2]
    levels = frame[..., :3].clamp(0.0, 1.0).mul(255).round().byte().contiguous()
    return Image.frombytes("RGB", (width, height), levels.numpy().tobytes())


def _font(size: int) -> ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _fitting(draw: ImageDraw.ImageDraw, text: str, width: int, size: int) -> str:
    """As much of a line as there is room for."""
    if draw.textlength(text, _font(size)) <= width:
        return text
    while text and draw.textlength(f"{text} ...", _font(size)) > width:
        text = text[:-1]
    return f"{text} ..."
