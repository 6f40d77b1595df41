"""The templates' cards in the browser, the registry's icon and banner: all drawn here.

Pictures are only on cards of templates that the demo ran with its tiny models: in full on the left, with Jano on the
right, and how much less was computed. The other models cannot run where this is drawn: their cards show no picture.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .parts import Template

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS, ASSETS, DEMO = ROOT / "example_workflows", ROOT / "assets", ROOT / "build" / "demo"
SIDE = 512
DARK, LINE, LIGHT, MUTED, COMPUTED = "#17191f", "#2a2e38", "#f2f3f5", "#9aa0ad", "#8fd694"
WORD = "Jano"
STRIP = (1, 1, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 1)
"""The mark of the pack: a run's steps, filled where computed. It stands for no run in particular."""
Card = tuple[Image.Image, ImageDraw.ImageDraw]


def draw_cards(templates: Sequence[Template]) -> None:
    """Every card into example_workflows/, icon and banner into assets/."""
    report = json.loads((DEMO / "report.json").read_text(encoding="utf-8"))
    for template in templates:
        drawn = pair_card(template, report) if template.first else plain_card(template)
        drawn.save(WORKFLOWS / f"{template.title}.jpg", quality=88)
    ASSETS.mkdir(exist_ok=True)
    icon().save(ASSETS / "icon.png", optimize=True)
    banner().save(ASSETS / "banner.png", optimize=True)


def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own, so that cards look the same wherever they are drawn."""
    return ImageFont.load_default(size)


def blank(width: int = SIDE, height: int = SIDE) -> Card:
    made = Image.new("RGB", (width, height), DARK)
    return made, ImageDraw.Draw(made)


def pair_card(template: Template, report: dict) -> Image.Image:
    """Two halves of the demo's pictures of one seed, its title above, the factor that was counted below."""
    card, pen = blank()
    for side, name in enumerate(("full", "jano")):
        half = picture(f"{template.first}_{name}.png").crop((side * SIDE // 2, 0, (side + 1) * SIDE // 2, SIDE))
        card.paste(half, (side * SIDE // 2, 0))
    pen.line((SIDE // 2, 0, SIDE // 2, SIDE), fill=LIGHT, width=3)
    pen.rectangle((0, 0, SIDE, 64), fill=DARK)
    pen.text((SIDE // 2, 32), template.title, font=font(34), fill=LIGHT, anchor="mm")
    label(pen, (14, 80), "in full")
    label(pen, (SIDE - 14, 80), "with Jano", "ra")
    factor = f"{1 / report[template.first]['flops_fraction']:.1f}x less compute"
    label(pen, (SIDE // 2, SIDE - 62), factor, "ms", 36)
    label(pen, (SIDE // 2, SIDE - 14), f"the demo's tiny model, {RUNS[template.first]}", "ms", 20)
    return card


# By a template's `first`, which is also the demo's scene: what its run was (demo/graphs.py).
RUNS = {"flux": "28 steps", "wan": "30 steps", "edit": "8 steps, fast"}


def picture(name: str) -> Image.Image:
    """A picture of the demo; of a contact sheet of frames its middle one."""
    shown = Image.open(DEMO / name).convert("RGB")
    if name.startswith("wan"):
        side = shown.width // 3
        shown = shown.crop((side, side, 2 * side, 2 * side))
    return shown.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def label(pen: ImageDraw.ImageDraw, at: tuple[int, int], words: str, anchor: str = "la", size: int = 26) -> None:
    """Words on a dark plate."""
    left, top, right, bottom = pen.textbbox(at, words, font=font(size), anchor=anchor)
    pen.rounded_rectangle((left - 8, top - 6, right + 8, bottom + 6), 8, fill=DARK)
    pen.text(at, words, font=font(size), fill=LIGHT, anchor=anchor)


def plain_card(template: Template) -> Image.Image:
    """No picture, and no number: the model's name large in a colour of its own, what comes of it as a sign."""
    card, pen = blank()
    colour = template.colour
    pen.rectangle((0, 0, SIDE, 12), fill=colour)
    SIGNS[template.sign](pen, colour)
    name, rest = template.name
    size = min(76, int(76 * (SIDE - 64) / font(76).getlength(name)))
    pen.text((32, 350), name, font=font(size), fill=colour, anchor="ls")
    pen.text((32, 400), rest, font=font(36), fill=LIGHT, anchor="ls")
    pen.text((32, 442), template.words, font=font(28), fill=MUTED, anchor="ls")
    pen.text((32, 484), f"+ {WORD}: {template.saved}", font=font(28), fill=COMPUTED, anchor="ls")
    return card


def frame(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], colour: str, filled: bool = False) -> None:
    """A picture's frame with a hill and a sun in it."""
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    pen.rounded_rectangle(box, 8, fill=LINE if filled else None, outline=colour, width=5)
    hill = [(0.12, 0.84), (0.42, 0.38), (0.6, 0.62), (0.7, 0.5), (0.88, 0.84)]
    pen.polygon([(left + wide * x, top + high * y) for x, y in hill], fill=colour)
    sun = (left + wide * 0.68, top + high * 0.16, left + wide * 0.68 + high * 0.16, top + high * 0.32)
    pen.ellipse(sun, fill=colour)


def one_picture(pen: ImageDraw.ImageDraw, colour: str) -> None:
    frame(pen, (32, 52, 272, 252), colour)


def controlled(pen: ImageDraw.ImageDraw, colour: str) -> None:
    """Edges beside what is made of them."""
    pen.rounded_rectangle((32, 72, 232, 252), 8, outline=MUTED, width=3)
    pen.line([(56, 224), (116, 140), (152, 184), (172, 162), (208, 224)], fill=MUTED, width=3)
    pen.text((256, 162), "+", font=font(48), fill=MUTED, anchor="mm")
    frame(pen, (280, 72, 480, 252), colour)


def edited(pen: ImageDraw.ImageDraw, colour: str) -> None:
    """References on the left, and what is made of them."""
    for top in (52, 160):
        frame(pen, (32, top, 152, top + 92), MUTED)
    pen.line((176, 152, 236, 152), fill=colour, width=6)
    pen.polygon([(232, 134), (262, 152), (232, 170)], fill=colour)
    frame(pen, (286, 66, 480, 238), colour)


def film(pen: ImageDraw.ImageDraw, colour: str) -> None:
    """Frames of a clip between the holes of a film."""
    pen.rectangle((32, 62, 480, 242), fill=LINE)
    for x in range(44, 474, 36):
        for y in (72, 218):
            pen.rounded_rectangle((x, y, x + 18, y + 14), 3, fill=DARK)
    for left in (44, 190, 336):
        frame(pen, (left, 98, left + 132, 206), colour)


def animated(pen: ImageDraw.ImageDraw, colour: str) -> None:
    """One frame, and those that follow from it."""
    for shift in (96, 64, 32):
        box = (176 + shift, 52 + shift // 4, 388 + shift, 212 + shift // 4)
        pen.rounded_rectangle(box, 8, fill=DARK, outline=MUTED, width=3)
    frame(pen, (32, 82, 232, 242), colour, filled=True)


def painted(pen: ImageDraw.ImageDraw, colour: str) -> None:
    """A frame with a mask on it."""
    frame(pen, (32, 52, 312, 252), MUTED)
    pen.ellipse((150, 110, 270, 230), fill=colour)
    pen.text((210, 170), "mask", font=font(30), fill=DARK, anchor="mm")


def with_sound(pen: ImageDraw.ImageDraw, colour: str) -> None:
    """Frames, and the wave below them."""
    for left in (32, 186, 340):
        frame(pen, (left, 52, left + 140, 158), colour)
    for bar, high in enumerate((12, 26, 44, 30, 18, 36, 56, 40, 22, 14, 30, 50, 34, 20, 42, 28, 16, 24)):
        pen.rounded_rectangle((36 + 25 * bar, 216 - high // 2, 48 + 25 * bar, 216 + high // 2), 5, fill=colour)


def all_qualities(pen: ImageDraw.ImageDraw, colour: str) -> None:
    """A sheet: one in full, and each quality below its bar."""
    frame(pen, (32, 52, 228, 252), LIGHT)
    for number in range(4):
        left, top = 244 + 122 * (number % 2), 52 + 104 * (number // 2)
        frame(pen, (left, top, left + 112, top + 94), colour)


def compared(pen: ImageDraw.ImageDraw, colour: str) -> None:
    """Two pictures under a slider."""
    frame(pen, (32, 52, 480, 252), colour)
    pen.rectangle((256, 57, 475, 247), fill=LINE)
    pen.line((256, 44, 256, 260), fill=LIGHT, width=5)
    pen.ellipse((236, 132, 276, 172), fill=LIGHT)
    pen.text((144, 84), "A", font=font(44), fill=LIGHT, anchor="mm")
    pen.text((368, 152), "B", font=font(80), fill=LIGHT, anchor="mm")


def levels(pen: ImageDraw.ImageDraw, colour: str) -> None:
    """Regions in the colours of their levels; `colour` is that of the active ones."""
    shades = {".": "#1a4099", "o": "#f2b833", "x": colour}  # as on the map (jano/show/render.py)
    for row, kinds in enumerate(("..oo....oo", ".oxxo..oxo", ".oxxxooxxo", "..oxo..oo.")):
        for column, kind in enumerate(kinds):
            left, top = 32 + 45 * column, 52 + 50 * row
            pen.rounded_rectangle((left, top, left + 41, top + 46), 4, fill=shades[kind])


SIGNS = {
    "levels": levels,
    "picture": one_picture,
    "control": controlled,
    "edit": edited,
    "film": film,
    "animate": animated,
    "mask": painted,
    "sound": with_sound,
    "qualities": all_qualities,
    "compare": compared,
}


def strip(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    """Steps as cells: filled where computed, an outline where forecast."""
    left, top, right, bottom = box
    pitch = (right - left) / len(STRIP)
    for step, computed in enumerate(STRIP):
        cell = (round(left + step * pitch), top, round(left + (step + 1) * pitch) - 4, bottom)
        pen.rounded_rectangle(cell, 3, fill=COMPUTED if computed else None, outline=COMPUTED, width=2)


def icon() -> Image.Image:
    """Square, for the registry and the Manager."""
    made, pen = blank(400, 400)
    pen.text((200, 172), "J", font=font(250), fill=LIGHT, anchor="mm")
    cells = (1, 0, 0, 1, 0, 1)
    for step, computed in enumerate(cells):
        cell = (52 + 50 * step, 312, 52 + 50 * step + 40, 352)
        pen.rounded_rectangle(cell, 6, fill=COMPUTED if computed else None, outline=COMPUTED, width=5)
    return made


def banner() -> Image.Image:
    """21 : 9, for the registry."""
    made, pen = blank(1260, 540)
    pen.text((90, 110), WORD, font=font(150), fill=LIGHT)
    pen.text((96, 300), "Forecasts sampling steps, computes the rest,", font=font(44), fill=MUTED)
    pen.text((96, 354), "and shows which were which.", font=font(44), fill=MUTED)
    strip(pen, (96, 436, 1164, 476))
    return made
