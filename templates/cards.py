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
    """Two halves of the demo's pictures of one seed, the factor between them."""
    family, left, right, words = PAIRS[template.first]
    card, pen = blank()
    for side, name in enumerate((left, right)):
        half = picture(name).crop((side * SIDE // 2, 0, (side + 1) * SIDE // 2, SIDE))
        card.paste(half, (side * SIDE // 2, 0))
    pen.line((SIDE // 2, 0, SIDE // 2, SIDE), fill=LIGHT, width=3)
    label(pen, (14, 14), words[0])
    label(pen, (SIDE - 14, 14), words[1], "ra")
    if template.first != "regions":
        factor = f"{1 / report[family]['flops_fraction']:.1f}x less compute"
        label(pen, (SIDE // 2, SIDE - 58), factor, "ms", 34)
    label(pen, (SIDE // 2, SIDE - 14), "drawn by the demo's tiny model", "ms", 17)
    return card


# By a template's `first`: the demo's scene, the two pictures, and what they are.
PAIRS = {
    "flux": ("flux", "flux_full.png", "flux_jano.png", ("in full", "with Jano")),
    "wan": ("wan", "wan_full.png", "wan_jano.png", ("in full", "with Jano")),
    "regions": ("flux", "flux_jano.png", "flux_levels.png", ("picture", "level map")),
}


def picture(name: str) -> Image.Image:
    """A picture of the demo; of a contact sheet of frames its middle one."""
    shown = Image.open(DEMO / name).convert("RGB")
    if name.startswith("wan"):
        side = shown.width // 3
        shown = shown.crop((side, side, 2 * side, 2 * side))
    shown = shown.crop((0, 0, shown.width, shown.width))  # a level map has its legend below
    return shown.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def label(pen: ImageDraw.ImageDraw, at: tuple[int, int], words: str, anchor: str = "la", size: int = 26) -> None:
    """Words on a dark plate."""
    left, top, right, bottom = pen.textbbox(at, words, font=font(size), anchor=anchor)
    pen.rounded_rectangle((left - 8, top - 6, right + 8, bottom + 6), 8, fill=DARK)
    pen.text(at, words, font=font(size), fill=LIGHT, anchor=anchor)


def plain_card(template: Template) -> Image.Image:
    card, pen = blank()
    title = lines(template.title, 44, SIDE - 64)
    top = 210 - 52 * len(title) // 2
    for number, line in enumerate(title):
        pen.text((32, top + 52 * number), line, font=font(44), fill=LIGHT)
    pen.text((32, top + 52 * len(title) + 18), template.words, font=font(25), fill=MUTED)
    strip(pen, (32, SIDE - 118, SIDE - 32, SIDE - 92))
    pen.text((32, SIDE - 68), f"+ {WORD}: {template.saved}", font=font(25), fill=COMPUTED)
    return card


def lines(words: str, size: int, width: int) -> list[str]:
    """Words broken into lines that fit."""
    made = [""]
    for word in words.split():
        longer = f"{made[-1]} {word}".strip()
        if font(size).getlength(longer) > width and made[-1]:
            made.append(word)
        else:
            made[-1] = longer
    return made


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
