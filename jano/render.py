"""Pictures for people: the level map over an image, and the steps of a run as a chart. Arrays are RGB in 0..1."""

from __future__ import annotations

import textwrap

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from .levels import LevelMap
from .report import RunReport
from .schedule import Level, StepClass

RGB = tuple[float, float, float]

# Told apart with any kind of colour blindness, in lightness too.
LEVEL_COLOURS: dict[Level, RGB] = {
    Level.STATIC: (0.10, 0.25, 0.60),
    Level.MODERATE: (0.95, 0.72, 0.20),
    Level.ACTIVE: (0.85, 0.20, 0.25),
}
STEP_COLOURS: dict[StepClass, RGB] = {
    StepClass.FULL: (0.45, 0.45, 0.48),
    StepClass.STORE: (0.25, 0.25, 0.28),
    StepClass.MODERATE: LEVEL_COLOURS[Level.MODERATE],
    StepClass.ACTIVE: LEVEL_COLOURS[Level.ACTIVE],
    StepClass.SKIPPED: LEVEL_COLOURS[Level.STATIC],
}
PAPER: RGB = (0.11, 0.11, 0.13)
INK: RGB = (0.93, 0.93, 0.93)


def computed_masks(level_map: LevelMap | None, samples: Tensor) -> tuple[Tensor, Tensor]:
    """Masks (frames, height, width) in latent cells: computed at every step, and left out at some; they add up to 1."""
    if level_map is None:
        active = torch.ones((1, 1, *samples.shape[2:])[-3:])
    else:
        active = level_map.grid.cells(level_map.mask(frozenset({Level.ACTIVE})).float())
    return active, 1.0 - active


def level_overlay(level_map: LevelMap, image: Tensor | None = None, strength: float = 0.45) -> Tensor:
    """Levels in colour over an image (frames, height, width, 3), or alone at 8 pixels a cell; with a legend."""
    palette = torch.tensor([(0.0, 0.0, 0.0), *(LEVEL_COLOURS[level] for level in Level)])
    cells = level_map.grid.cells(level_map.levels.float()).long()
    colours = palette[cells]  # (frames, height, width, 3)
    if image is None:
        image, strength = torch.zeros(1, cells.shape[1] * 8, cells.shape[2] * 8, 3), 1.0
    height, width = image.shape[1:3]
    colours = interpolate(colours.movedim(-1, 1), size=(height, width), mode="nearest").movedim(1, -1)
    frames = max(image.shape[0], colours.shape[0])
    picture = _spread_frames(image[..., :3].cpu().float().mean(-1, keepdim=True), frames)  # grey: colour means level
    tinted = (1 - strength) * picture + strength * _spread_frames(colours, frames)
    return torch.cat((tinted, _level_legend(level_map, width).expand(frames, -1, -1, -1)), dim=1)


def notice(sentence: str, image: Tensor | None = None) -> Tensor:
    """The image (or an empty one), with a sentence under it: what is shown where there is no level map."""
    picture = torch.full((1, 512, 512, 3), PAPER[0]) if image is None else image[..., :3].cpu().float()
    width = picture.shape[2]
    font = ImageFont.load_default(size=max(11, width // 40))
    lines = textwrap.wrap(sentence, max(20, int(1.9 * width / font.size)))
    strip = Image.new("RGB", (width, round(font.size * 1.4 * (len(lines) + 1))), _byte(PAPER))
    ImageDraw.Draw(strip).multiline_text((font.size, font.size * 0.6), "\n".join(lines), fill=_byte(INK), font=font)
    return torch.cat((picture, _to_tensor(strip).expand(picture.shape[0], -1, -1, -1)), dim=1)


def _spread_frames(pictures: Tensor, frames: int) -> Tensor:
    """Repeat frames evenly: a latent frame covers several pictures of a clip."""
    index = torch.arange(frames) * pictures.shape[0] // frames
    return pictures[index]


def _level_legend(level_map: LevelMap, width: int) -> Tensor:
    share = level_map.share()
    entries = [(f"{level.name.lower()} {share[level]:.0%}", LEVEL_COLOURS[level]) for level in Level]
    return _legend(entries, width)


def _legend(entries: list[tuple[str, RGB]], width: int) -> Tensor:
    """(1, height, width, 3) strip of coloured boxes with their names."""
    height = max(18, width // 24)
    strip = Image.new("RGB", (width, height), _byte(PAPER))
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(size=height * 0.55)
    part = width / len(entries)
    for number, (text, colour) in enumerate(entries):
        left, box = part * number + height * 0.25, height * 0.5
        draw.rectangle((left, height * 0.25, left + box, height * 0.25 + box), fill=_byte(colour))
        draw.text((left + box * 1.5, height / 2), text, fill=_byte(INK), font=font, anchor="lm")
    return _to_tensor(strip)


def step_chart(report: RunReport, width: int = 768, height: int = 256) -> Tensor:
    """(1, height, width, 3) bars, one a step: how much of the tokens it computed, coloured by its class."""
    chart = Image.new("RGB", (width, height), _byte(PAPER))
    draw, font = ImageDraw.Draw(chart), ImageFont.load_default(size=14)
    left, top, bottom = 44, 34, height - 26
    draw.text((left, 8), report.summary().removeprefix("Jano: "), fill=_byte(INK), font=font)
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top)
        draw.line((left, y, width - 8, y), fill=_byte((0.3, 0.3, 0.3)))
        draw.text((left - 6, y), f"{share:.0%}", fill=_byte(INK), font=font, anchor="rm")
    part = (width - left - 8) / max(1, report.num_steps)
    for record in report.steps:
        x = left + part * record.step
        y = bottom - max(0.01, record.computed_share) * (bottom - top)
        draw.rectangle((x + 1, y, x + max(2, part - 1), bottom), fill=_byte(STEP_COLOURS[record.step_class]))
    draw.text((left, height - 12), f"step 1 to {report.num_steps}", fill=_byte(INK), font=font, anchor="lm")
    present = {record.step_class for record in report.steps}
    entries = [(str(kind), STEP_COLOURS[kind]) for kind in StepClass if kind in present]
    return torch.cat((_to_tensor(chart), _legend(entries, width)), dim=1) if entries else _to_tensor(chart)


def _byte(colour: RGB) -> tuple[int, int, int]:
    return tuple(round(255 * part) for part in colour)


def _to_tensor(picture: Image.Image) -> Tensor:
    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return values.reshape(1, picture.height, picture.width, 3).float() / 255
