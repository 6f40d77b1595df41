"""The real pictures: those that the host's installed template packages show, read in place."""

from __future__ import annotations

import hashlib
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torch import Tensor

from ...host.location import HostError

PACKAGES = "comfyui_workflow_templates_media_*"
ENDINGS = (".webp", ".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Pictures:
    """`values` (N, frames, 3, side, side) in -1..1, and the names of their files; `digest` tells sets apart."""

    names: tuple[str, ...]
    values: Tensor
    digest: str


def installed() -> list[Path]:
    """Every picture and clip of the template packages beside this Python's other packages, in the order of their names.

    HostError where they are not installed.
    """
    folder = Path(sysconfig.get_path("purelib"))
    found = [file for package in folder.glob(PACKAGES) for file in package.rglob("*") if file.suffix in ENDINGS]
    if not found:
        raise HostError(
            f"the bed of patches is made of the pictures of ComfyUI's template packages ({PACKAGES}), and there "
            f"are none in {folder}: run `make host`, or install comfyui-workflow-templates."
        )
    return sorted(found, key=lambda file: (file.name, file))


def read(files: Sequence[Path], side: int, frames: int = 1) -> Pictures:
    """Square middles of the files at `side` pixels, each once. Of clips the first `frames` frames, evenly apart over
    the clip; with more than one frame, files with fewer are left out."""
    names, values, seen = [], [], set()
    for file in files:
        picture = _read(file, side, frames)
        content = None if picture is None else picture.numpy().tobytes()
        if picture is not None and content not in seen:
            seen.add(content)
            names.append(file.stem)
            values.append(picture)
    stacked = torch.stack(values).movedim(-1, -3)
    return Pictures(tuple(names), stacked.float() / 127.5 - 1.0, digest_of(files, side, frames))


def _read(file: Path, side: int, frames: int) -> Tensor | None:
    """(frames, side, side, 3) uint8; None where there are not so many."""
    with Image.open(file) as image:
        count = getattr(image, "n_frames", 1)
        if count < frames:
            return None
        found = []
        for number in range(frames):
            image.seek(number * (count // frames))
            found.append(_square(image, side))
    return torch.stack(found)


def _square(image: Image.Image, side: int) -> Tensor:
    small = ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BOX)
    return torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).reshape(side, side, 3)


def digest_of(files: Sequence[Path], side: int, frames: int) -> str:
    """Eight letters that change with a file's name or contents, and with how they are read."""
    content = hashlib.blake2b(f"{side} {frames}".encode(), digest_size=4)
    for file in files:
        content.update(file.name.encode())
        content.update(file.read_bytes())
    return content.hexdigest()
