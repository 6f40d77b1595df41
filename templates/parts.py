"""What several templates have in common: the rows of a sheet, its text, its sampler, its look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .files import File
from .sheet import Node, Sheet

WIDE, NARROW, TALL = 340, 300, 620
"""Widths of what shows a run and of what shows a picture; the height of the lower row, in which the page's nodes have
room for their longest result in both renderers (tests/web/test_templates.py runs them)."""
REPORT = 400
"""The Report's width: its rows then break once."""
WITH_EVERY_INPUT = 794
"""Height of the Jano node where quality is custom: the canvas shows all of its inputs above the run."""
SAMPLING = 510
"""Height of a sampler with its live preview in Nodes 2.0; on the canvas it is less."""
PREVIEWED = 370
"""Height of SamplerCustomAdvanced, likewise."""
SAVED_CLIP = 410
"""Height of SaveVideo with its player."""
SEED = 42


@dataclass(frozen=True)
class Template:
    """A title, which is also the file's name; what its card says; and how it is drawn."""

    title: str
    words: str
    draw: Callable[[Sheet], None]
    first: str = ""
    """Which pictures of the demo are on the card; one without them is drawn."""
    saved: str = "fewer steps computed"
    sign: str = "picture"
    """What its card shows where there is no picture (cards.py), and in which colour."""
    colour: str = "#8fb8de"

    head: int = 1
    """So many words of the title are the model's name, or what else is large on the card."""

    @property
    def name(self) -> tuple[str, str]:
        """The model's name, and what the template does with it."""
        words = self.title.split()
        return " ".join(words[: self.head]).rstrip(","), " ".join(words[self.head :])

    def workflow(self, object_info: Mapping[str, Any]) -> dict[str, Any]:
        sheet = Sheet(self.title, object_info)
        self.draw(sheet)
        return sheet.saved()


def models(sheet: Sheet) -> None:
    """Begin the upper row."""
    sheet.row()
    sheet.group("1 Models")


def prompt(sheet: Sheet) -> None:
    sheet.group("2 Prompt")


def sample(sheet: Sheet) -> None:
    """Begin the lower row."""
    sheet.row()
    sheet.group("3 Sample (Jano)")


def look(sheet: Sheet) -> None:
    sheet.group("4 Look")


def text_encoder(sheet: Sheet, file: File, kind: str) -> Node:
    return sheet.add("CLIPLoader", clip_name=file, type=kind)


def text(sheet: Sheet, clip: Any, words: str, title: str | None = None, wide: int = WIDE) -> Node:
    return sheet.add("CLIPTextEncode", size=(wide, 126), title=title, clip=clip, text=words)


def jano(sheet: Sheet, model: Any, title: str | None = None, **settings: Any) -> Node:
    tall = WITH_EVERY_INPUT if settings.get("quality") == "custom" else TALL
    return sheet.add("JanoScheduler", size=(WIDE, tall), title=title, model=model, **settings)


def sampler(sheet: Sheet, model: Node, title: str | None = None, wide: int = NARROW, **given: Any) -> Node:
    return sheet.add("KSampler", size=(wide, SAMPLING), title=title, model=model, seed=SEED, denoise=1.0, **given)


def picture(sheet: Sheet, vae: Any, samples: Any, name: str) -> Node:
    decoded = sheet.add("VAEDecode", size=(NARROW, 64), vae=vae, samples=samples)
    sheet.add("SaveImage", size=(NARROW, TALL - 64 - 54), images=decoded, filename_prefix=f"jano/{name}")
    return decoded


def clip(sheet: Sheet, vae: Any, samples: Any, name: str, fps: float, beside: bool = False, **sound: Any) -> Node:
    """A clip, decoded and saved, in one column or in two `beside` each other."""
    decoded = sheet.add("VAEDecode", size=(NARROW, 64), vae=vae, samples=samples)
    video = sheet.add("CreateVideo", size=(NARROW, 110), images=decoded, fps=fps, **sound)
    if beside:
        sheet.column()
    sheet.add(
        "SaveVideo", size=(NARROW, SAVED_CLIP), video=video, filename_prefix=f"jano/{name}", format="mp4", codec="h264"
    )
    return decoded


def report(sheet: Sheet, model: Node, latent: Any, title: str | None = None) -> None:
    sheet.add("JanoReport", size=(REPORT, TALL), title=title, model=model, latent=latent)


def level_map(sheet: Sheet, model: Node, latent: Any, image: Node, title: str | None = None) -> Node:
    return sheet.add("JanoConvergenceMap", size=(WIDE, TALL), title=title, model=model, latent=latent, image=image)
