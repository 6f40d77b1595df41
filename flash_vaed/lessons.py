"""What a student is trained on: small windows of the clips' latents, and what the teacher makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .initial import Kept
from .losses import pictures
from .streaming import StreamedDecoder
from .teachers import family_of


@dataclass(frozen=True)
class Size:
    """Of a window, in latents: its side and its length. Side 8 is 64 pixels with Wan, 256 with LTX-Video."""

    side: int = 16
    frames: int = 4


@dataclass(frozen=True)
class Lessons:
    """Latents (N, C, T, h, w) with the teacher's features by place, kept channels only, and its frames (bfloat16)."""

    latents: Tensor
    features: dict[str, Tensor]
    frames: Tensor | None

    def batch(self, chosen: Tensor, device: torch.device) -> Lessons:
        """Some of them, float32, on a device."""
        features = {place: value[chosen].to(device).float() for place, value in self.features.items()}
        frames = None if self.frames is None else self.frames[chosen].to(device).float()
        return Lessons(self.latents[chosen].to(device), features, frames)


def fitting(clips: list[Tensor], size: Size) -> tuple[int, int, int]:
    """Time, height and width of windows that every clip (C, T, h, w) has, of `size` at most."""
    sides = (size.frames, size.side, size.side)
    return tuple(min(side, *(clip.shape[1 + axis] for clip in clips)) for axis, side in enumerate(sides))


def cut_windows(clips: list[Tensor], count: int, size: Size, generator: torch.Generator) -> Tensor:
    """Random windows (count, C, T, side, side) of clips (C, T, h, w); smaller where the smallest clip is.

    A window may begin inside a clip: teacher and student both take it for a clip of its own.
    """
    frames, height, width = fitting(clips, size)
    windows = []
    for _ in range(count):
        clip = clips[int(torch.randint(len(clips), (1,), generator=generator))]
        spare = (clip.shape[1] - frames, clip.shape[2] - height, clip.shape[3] - width)
        t, y, x = (int(torch.randint(left + 1, (1,), generator=generator)) for left in spare)
        windows.append(clip[:, t : t + frames, y : y + height, x : x + width])
    return torch.stack(windows).float()


def walk(model: StreamedDecoder, z: Tensor, last: str = "head") -> Iterator[tuple[str, Tensor]]:
    """The output of every stage up to `last`, for clips of latents (B, C, T, h, w), teacher's or student's."""
    x = model.entered(z)
    for name, stage in model.decoder.stages():
        x = stage(x)
        yield name, x
        if name == last:
            return


@torch.no_grad()
def ask(teacher: StreamedDecoder, latents: Tensor, kept: Kept, places: tuple[str, ...], batch: int) -> Lessons:
    """The teacher's features at some places and, where these reach beyond the deep stages, its frames."""
    deep = family_of(teacher).deep.places
    last = "head" if set(places) - set(deep) else deep[-1]
    device = next(teacher.parameters()).device
    answers = [answer(teacher, part.to(device), kept, places, last) for part in latents.split(batch)]
    features = {place: torch.cat([one[place] for one in answers]) for place in places}
    return Lessons(latents, features, torch.cat([one["head"] for one in answers]) if last == "head" else None)


def answer(
    teacher: StreamedDecoder, latents: Tensor, kept: Kept, places: tuple[str, ...], last: str
) -> dict[str, Tensor]:
    """bfloat16 features, float16 frames, on the CPU."""
    found = {}
    for place, x in walk(teacher, latents, last):
        if place in places:
            chosen = x[:, kept[place]] if place in kept else x
            found[place] = chosen.to("cpu", torch.bfloat16)
        elif place == "head":
            found[place] = x.clamp(-1, 1).to("cpu", torch.float16)
    return found


def losses_of(student: StreamedDecoder, lessons: Lessons) -> tuple[dict[str, Tensor], Tensor | None]:
    """The student's features at the lessons' places, and its frames as pictures."""
    last = "head" if lessons.frames is not None else family_of(student).deep.places[-1]
    outputs = dict(walk(student, lessons.latents, last))
    frames = pictures(outputs["head"]) if lessons.frames is not None else None
    return {place: outputs[place] for place in lessons.features}, frames
