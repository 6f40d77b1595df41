"""What several templates have in common: the rows of a sheet, its text, its sampler, its look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .files import File
from .sheet import Node, Sheet

WIDE, NARROW, TALL = 340, 300, 480
"""Widths of what shows a run and of what shows a picture; the height of the lower row."""
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


def text(sheet: Sheet, clip: Any, words: str, title: str | None = None) -> Node:
    return sheet.add("CLIPTextEncode", size=(WIDE, 150), title=title, clip=clip, text=words)


def jano(sheet: Sheet, model: Any, title: str | None = None, **settings: Any) -> Node:
    return sheet.add("JanoScheduler", size=(WIDE, TALL), title=title, model=model, **settings)


def sampler(sheet: Sheet, model: Node, title: str | None = None, wide: int = NARROW, **given: Any) -> Node:
    return sheet.add(
        "KSampler", size=(wide, TALL - 110 * bool(title)), title=title, model=model, seed=SEED, denoise=1.0, **given
    )


def picture(sheet: Sheet, vae: Any, samples: Any, name: str) -> Node:
    decoded = sheet.add("VAEDecode", size=(NARROW, 64), vae=vae, samples=samples)
    sheet.add("SaveImage", size=(NARROW, TALL - 64 - 54), images=decoded, filename_prefix=f"jano/{name}")
    return decoded


def clip(sheet: Sheet, vae: Any, samples: Any, name: str, fps: float, **sound: Any) -> Node:
    decoded = sheet.add("VAEDecode", size=(NARROW, 64), vae=vae, samples=samples)
    video = sheet.add("CreateVideo", size=(NARROW, 110), images=decoded, fps=fps, **sound)
    sheet.add("SaveVideo", size=(NARROW, 220), video=video, filename_prefix=f"jano/{name}", format="mp4", codec="h264")
    return decoded


def report(sheet: Sheet, model: Node, latent: Any, title: str | None = None) -> None:
    sheet.add("JanoReport", size=(WIDE, TALL), title=title, model=model, latent=latent)


def level_map(sheet: Sheet, model: Node, latent: Any, image: Node, title: str | None = None) -> Node:
    return sheet.add("JanoConvergenceMap", size=(WIDE, TALL), title=title, model=model, latent=latent, image=image)
