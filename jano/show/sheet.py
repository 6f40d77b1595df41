"""Pictures side by side with what is to be said of each below it: one picture to look at, and to show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from .render import INK, PAPER, RGB, as_bytes, to_tensor
from .sweep import Sweep

QUIET: RGB = (0.66, 0.66, 0.70)
WIDEST, NARROWEST = 2048, 260  # pixels: of a sheet, of one of its cells (below, captions cannot be read)


@dataclass(frozen=True)
class Cell:
    """A picture (height, width, 3) in 0..1, None where there is none, its title, and the lines below that."""

    picture: Tensor | None
    title: str
    lines: list[str]


def sweep_sheet(made: Sweep, pictures: list[Tensor | None]) -> Tensor:
    """(1, height, width, 3): the pictures (frames, height, width, 3) of a sweep, of clips their middle frame."""
    middles = [None if frames is None else frames[len(frames) // 2] for frames in pictures]
    cells = [Cell(picture, *made.caption(row)) for row, picture in zip(made.rows, middles, strict=True)]
    return labelled_sheet(cells, made.headline())


def all_pictures(pictures: list[Tensor | None]) -> Tensor:
    """Those that there are, one behind the other: (frames, height, width, 3)."""
    return torch.cat([frames for frames in pictures if frames is not None])


def labelled_sheet(cells: list[Cell], footer: str) -> Tensor:
    """(1, height, width, 3): the cells in rows, each with its title and text, and a line for all of them at the end."""
    columns = len(cells) if len(cells) <= 3 else math.ceil(len(cells) / 2)
    height, width = _size(cells, columns)
    title, body = (ImageFont.load_default(size=width / part) for part in (11, 15))
    texts = [[part for line in cell.lines for part in _wrapped(line, width, body)] for cell in cells]
    below = round(title.size * 1.5 + body.size * 1.3 * max(len(lines) for lines in texts) + body.size * 0.7)
    lines = _wrapped(footer, width * columns, body)
    rows = math.ceil(len(cells) / columns)
    sheet = Image.new("RGB", (width * columns, (height + below) * rows + round(body.size * (1.3 * len(lines) + 1))))
    sheet.paste(as_bytes(PAPER), (0, 0, *sheet.size))
    draw, margin = ImageDraw.Draw(sheet), width // 40
    for number, (cell, told) in enumerate(zip(cells, texts, strict=True)):
        x, y = width * (number % columns), (height + below) * (number // columns)
        if cell.picture is not None:
            sheet.paste(_fitted(cell.picture, height, width - 2), (x + 1, y))
        y += height + title.size * 0.2
        draw.text((x + margin, y), cell.title, fill=as_bytes(INK), font=title)
        _write(draw, (x + margin, y + title.size * 1.3), told, body)
    _write(draw, (margin, (height + below) * rows + body.size * 0.3), lines, body)
    return to_tensor(sheet)


def _size(cells: list[Cell], columns: int) -> tuple[int, int]:
    """Height and width of a picture in the sheet, shaped as the first one; enlarged only where captions need room."""
    shape = next((cell.picture.shape for cell in cells if cell.picture is not None), (512, 512, 3))
    width = max(NARROWEST, min(WIDEST // columns, shape[1]))
    return max(1, round(width * shape[0] / shape[1])), width


def _wrapped(text: str, width: int, font: ImageFont.FreeTypeFont) -> list[str]:
    """In lines that fit into a cell; a word that is wider than that stays whole."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > 0.95 * width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _write(draw: ImageDraw.ImageDraw, at: tuple[float, float], lines: list[str], font: ImageFont.FreeTypeFont) -> None:
    for number, line in enumerate(lines):
        draw.text((at[0], at[1] + 1.3 * font.size * number), line, fill=as_bytes(QUIET), font=font)


def _fitted(picture: Tensor, height: int, width: int) -> Image.Image:
    drawn = interpolate(picture.movedim(-1, 0)[None].float(), size=(height, width), mode="area")[0].movedim(0, -1)
    values = (drawn.clamp(0, 1) * 255).round().byte().cpu().contiguous()
    return Image.frombytes("RGB", (width, height), values.numpy().tobytes())
