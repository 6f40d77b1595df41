"""Pictures for people: levels and errors over an image, and how two images differ. Arrays are RGB in 0..1."""

from __future__ import annotations

import math
import textwrap

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from ..levels.map import Level, LevelMap
from .error_map import ErrorMap, shares_of
from .numbers import percent
from .report import StepClass

RGB = tuple[float, float, float]

# Told apart with any kind of colour blindness, in lightness too.
LEVEL_COLOURS: dict[Level, RGB] = {
    Level.STATIC: (0.10, 0.25, 0.60),
    Level.MODERATE: (0.95, 0.72, 0.20),
    Level.ACTIVE: (0.85, 0.20, 0.25),
}
STEP_COLOURS: dict[StepClass, RGB] = {
    StepClass.FULL: (0.85, 0.85, 0.87),
    StepClass.STORE: (0.62, 0.71, 0.85),
    StepClass.MODERATE: LEVEL_COLOURS[Level.MODERATE],
    StepClass.ACTIVE: LEVEL_COLOURS[Level.ACTIVE],
    StepClass.PICTURE: (0.40, 0.62, 0.55),
    StepClass.SKIPPED: (0.55, 0.55, 0.60),  # of its outline: it is empty
}
# Errors of forecasts: ever lighter, and told apart in lightness alone. From the first share on they are seen at all,
# ever more of them than of the picture; at the second they are brightest.
ERROR_RAMP: tuple[tuple[int, int, int], ...] = (
    (66, 32, 124),
    (140, 41, 129),
    (216, 66, 103),
    (250, 140, 60),
    (255, 240, 170),
)
ERROR_SHOWN, ERROR_STRENGTH = (0.01, 0.3), 0.85
ERROR_MARKS = (0.01, 0.03, 0.1, 0.3)
HEAT: tuple[tuple[float, str, RGB], ...] = (
    (0.0, "", (0.0, 0.0, 0.0)),
    (1 / 3, "", (1.0, 0.0, 0.0)),
    (2 / 3, "", (1.0, 1.0, 0.0)),
    (1.0, " or more", (1.0, 1.0, 1.0)),
)
# What the legends are of.
OF_LEVELS = "levels, and their parts of the picture"
OF_ERRORS = "how far forecasts moved the picture before repair, of its strength"
OF_DIFFERENCES = "difference, of the range from black to white"
PAPER: RGB = (0.11, 0.11, 0.13)
INK: RGB = (0.93, 0.93, 0.93)


def computed_masks(level_map: LevelMap | None, samples: Tensor, image: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Masks (frames, height, width): active, and all other levels; they add up to 1.

    In the size and length of `image` if one is given, else in latent cells.
    """
    if level_map is None:
        active = torch.ones((1, 1, 1, *samples.shape[2:])[-3:])
    else:
        active = level_map.grid.cells(level_map.mask(frozenset({Level.ACTIVE})).float())
    if image is not None:
        active = _spread_frames(interpolate(active[None], size=image.shape[1:3], mode="nearest")[0], image.shape[0])
    return active, 1.0 - active


def level_overlay(level_map: LevelMap, image: Tensor | None = None, strength: float = 0.45) -> Tensor:
    """Levels in colour over an image (frames, height, width, 3), or alone at 8 pixels a cell; a legend below."""
    tinted = _tinted(level_map, image, strength)
    return torch.cat((tinted, _level_legend(level_map, tinted.shape[2]).expand(tinted.shape[0], -1, -1, -1)), dim=1)


def level_sheet(level_map: LevelMap, image: Tensor | None = None, strength: float = 0.45) -> Tensor:
    """(1, height, width, 3): frames of a clip side by side under their levels, with one legend for all."""
    sheet = contact_sheet(_tinted(level_map, image, strength))
    return torch.cat((sheet, _level_legend(level_map, sheet.shape[2])), dim=1)


def error_overlay(error_map: ErrorMap, image: Tensor | None = None) -> Tensor:
    """Errors of forecasts as heat over an image (frames, height, width, 3), or alone at 8 pixels a latent cell; a
    legend below."""
    heated = _heated(error_map, image)
    return torch.cat((heated, _error_legend(heated.shape[2]).expand(heated.shape[0], -1, -1, -1)), dim=1)


def error_sheet(error_map: ErrorMap, image: Tensor | None = None) -> Tensor:
    """(1, height, width, 3): frames of a clip side by side under the heat, with one legend for all."""
    sheet = contact_sheet(_heated(error_map, image))
    return torch.cat((sheet, _error_legend(sheet.shape[2])), dim=1)


def evenly_chosen(frames: int, most: int = 12) -> list[int]:
    """Indices of up to `most` of so many frames, with the first and the last."""
    return torch.linspace(0, frames - 1, min(most, frames)).round().long().tolist()


def contact_sheet(frames: Tensor, most: int = 12, width: int = 1024) -> Tensor:
    """(1, height, width, 3): up to `most` frames, evenly chosen with the first and the last, each with its number."""
    chosen = torch.tensor(evenly_chosen(frames.shape[0], most))
    count = len(chosen)
    columns = math.ceil(math.sqrt(count))
    size = (max(1, round(width / columns * frames.shape[1] / frames.shape[2])), width // columns)
    cells = interpolate(frames[chosen].movedim(-1, 1), size=size, mode="area").movedim(1, -1)
    numbered = [_numbered(cell, int(index) + 1) for cell, index in zip(cells, chosen, strict=True)]
    numbered += [torch.full((*size, 3), PAPER[0])] * (-count % columns)
    rows = [torch.cat(numbered[start : start + columns], dim=1) for start in range(0, len(numbered), columns)]
    return torch.cat(rows).unsqueeze(0)


def side_by_side(left: Tensor, right: Tensor) -> Tensor:
    """(frames, height, both widths, 3): two clips of the same height and length."""
    return torch.cat((left[..., :3].cpu(), right[..., :3].cpu()), dim=2)


def difference_map(reference: Tensor, image: Tensor, full_scale: float = 0.25) -> Tensor:
    """(frames, height, width, 3): mean absolute difference of the channels, from black to white at `full_scale` (of
    1) and more; a legend below."""
    difference = (reference[..., :3].cpu() - image[..., :3].cpu()).abs().mean(-1, keepdim=True)
    heat = (difference / full_scale * 3 - torch.tensor([0.0, 1.0, 2.0])).clamp(0, 1)  # black, red, yellow, white
    entries = [(f"{percent(part * full_scale)}{more}", colour) for part, more, colour in HEAT]
    return torch.cat((heat, legend(entries, heat.shape[2], OF_DIFFERENCES).expand(heat.shape[0], -1, -1, -1)), dim=1)


def _numbered(frame: Tensor, number: int) -> Tensor:
    """A frame (height, width, 3) with its number in the corner."""
    picture = Image.frombytes("RGB", (frame.shape[1], frame.shape[0]), frame.mul(255).byte().numpy().tobytes())
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=max(10, frame.shape[1] // 16))
    draw.text((4, 3), str(number), fill=as_bytes(INK), stroke_fill=as_bytes(PAPER), stroke_width=2, font=font)
    return to_tensor(picture)[0]


def _tinted(level_map: LevelMap, image: Tensor | None, strength: float) -> Tensor:
    """(frames, height, width, 3): levels in colour over the image in grey, or alone."""
    palette = torch.tensor([(0.0, 0.0, 0.0), *(LEVEL_COLOURS[level] for level in Level)])
    cells = level_map.grid.cells(level_map.levels.float()).long()
    colours = palette[cells]  # (frames, height, width, 3)
    if image is None:
        image, strength = torch.zeros(1, cells.shape[1] * 8, cells.shape[2] * 8, 3), 1.0
    height, width = image.shape[1:3]
    colours = interpolate(colours.movedim(-1, 1), size=(height, width), mode="nearest").movedim(1, -1)
    frames = max(image.shape[0], colours.shape[0])
    picture = _spread_frames(image[..., :3].cpu().float().mean(-1, keepdim=True), frames)  # grey: colour means level
    return (1 - strength) * picture + strength * _spread_frames(colours, frames)


def _heated(error_map: ErrorMap, image: Tensor | None) -> Tensor:
    """(frames, height, width, 3): heat over the image, going over from the middle of one region to the next."""
    latent = error_map.grid.latent
    if image is None:
        image = torch.full((1, latent[1] * 8, latent[2] * 8, 3), PAPER[0])
    codes = _between_regions(error_map, image.shape[1:3])
    frames = max(image.shape[0], codes.shape[0])
    share = shares_of(codes.round().to(torch.uint8))
    colours, strength = (_spread_frames(part, frames) for part in _heat_of(share))
    return (1 - strength) * _spread_frames(image[..., :3].cpu().float(), frames) + strength * colours


def _between_regions(error_map: ErrorMap, size: tuple[int, int]) -> Tensor:
    """(latent frames, height, width) codes, whose regions may end beyond the picture."""
    grid = error_map.grid
    codes = error_map.codes.reshape(grid.regions).repeat_interleave(grid.region_cells[0], 0)[: grid.latent[0]].float()
    whole = [count * cells for count, cells in zip(grid.regions[1:], grid.region_cells[1:], strict=True)]
    larger = [-(-pixels * all_ // part) for pixels, all_, part in zip(size, whole, grid.latent[1:], strict=True)]
    spread = interpolate(codes.unsqueeze(1), size=larger, mode="bilinear", align_corners=False).squeeze(1)
    return spread[:, : size[0], : size[1]]


def _heat_of(share: Tensor) -> tuple[Tensor, Tensor]:
    """Colours (..., 3) of errors, and how much of them is seen (..., 1)."""
    low, high = ERROR_SHOWN
    place = ((share / low).log() / math.log(high / low)).clamp(0, 1).unsqueeze(-1)
    ramp = torch.tensor(ERROR_RAMP) / 255
    at = place[..., 0] * (len(ramp) - 1)
    left = at.long().clamp(max=len(ramp) - 2)
    colours = ramp[left] + (at - left).unsqueeze(-1) * (ramp[left + 1] - ramp[left])
    return colours, ERROR_STRENGTH * place


def _error_legend(width: int) -> Tensor:
    entries = []
    for share in ERROR_MARKS:
        colour = _heat_of(torch.tensor([share]))[0][0].tolist()
        entries.append((f"{percent(share)}{' or more' if share == ERROR_MARKS[-1] else ''}", tuple(colour)))
    return legend(entries, width, OF_ERRORS)


def notice(sentence: str, image: Tensor | None = None) -> Tensor:
    """The image (or an empty one), with a sentence under it: what is shown where there is no level map."""
    picture = torch.full((1, 512, 512, 3), PAPER[0]) if image is None else image[..., :3].cpu().float()
    width = picture.shape[2]
    font = ImageFont.load_default(size=max(11, width // 40))
    lines = textwrap.wrap(sentence, max(20, int(1.9 * width / font.size)))
    strip = Image.new("RGB", (width, round(font.size * 1.4 * (len(lines) + 1))), as_bytes(PAPER))
    ImageDraw.Draw(strip).multiline_text((font.size, font.size * 0.6), "\n".join(lines), fill=as_bytes(INK), font=font)
    return torch.cat((picture, to_tensor(strip).expand(picture.shape[0], -1, -1, -1)), dim=1)


def _spread_frames(pictures: Tensor, frames: int) -> Tensor:
    """Repeat frames: a latent frame covers several pictures of a clip, the first one a single picture (as video VAEs
    have it), or all of them alike where the numbers do not fit that."""
    count = pictures.shape[0]
    stride = (frames - 1) // max(1, count - 1)
    causal = count > 1 and stride > 0 and stride * (count - 1) == frames - 1
    index = -(-torch.arange(frames) // stride) if causal else torch.arange(frames) * count // frames
    return pictures[index]


def _level_legend(level_map: LevelMap, width: int) -> Tensor:
    share = level_map.share()
    entries = [(f"{level.name.lower()} {percent(share[level])}", LEVEL_COLOURS[level]) for level in Level]
    return legend(entries, width, OF_LEVELS)


def legend(entries: list[tuple[str, RGB]], width: int, heading: str = "") -> Tensor:
    """(1, height, width, 3) strip of coloured boxes with their names, in as many lines as they need; above them what
    they are of."""
    line = max(20, width // 12)  # letters that are read where a node shows it half as large
    font = ImageFont.load_default(size=line * 0.6)
    places = _placed([font.getlength(text) + line * 1.25 for text, _ in entries], width)
    above = _wrapped(heading, font, width - line * 0.5)
    strip = Image.new("RGB", (width, line * (len(above) + places[-1][1] + 1)), as_bytes(PAPER))
    draw = ImageDraw.Draw(strip)
    for row, words in enumerate(above):
        draw.text((line * 0.25, line * (row + 0.5)), words, fill=as_bytes(INK), font=font, anchor="lm")
    for (text, colour), (x, row) in zip(entries, places, strict=True):
        left, top, box = x + line * 0.25, line * (len(above) + row + 0.25), line * 0.5
        draw.rectangle((left, top, left + box, top + box), fill=as_bytes(colour))
        draw.text((left + box * 1.5, top + box / 2), text, fill=as_bytes(INK), font=font, anchor="lm")
    return to_tensor(strip)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """The lines of a text, none of them wider than this as long as its words are not."""
    lines = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _placed(lengths: list[float], width: int) -> list[tuple[float, int]]:
    """Where entries of these lengths begin: pixels from the left, and line. In equal parts of one line where they fit;
    else one behind the other, and on the next line where there is no room."""
    part = width / len(lengths)
    if max(lengths) <= part:
        return [(part * number, 0) for number in range(len(lengths))]
    places, x, row = [], 0.0, 0
    for length in lengths:
        if x and x + length > width:
            x, row = 0.0, row + 1
        places.append((x, row))
        x += length
    return places


def as_bytes(colour: RGB) -> tuple[int, int, int]:
    """A colour as the picture library takes it."""
    return tuple(round(255 * part) for part in colour)


def to_tensor(picture: Image.Image) -> Tensor:
    """(1, height, width, 3) of a picture."""
    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return values.reshape(1, picture.height, picture.width, 3).float() / 255
