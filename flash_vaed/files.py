"""The files of a small decoder: names that every system takes, nothing overwritten, a report beside the weights."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryFile

import torch

from .account import markdown
from .streaming import StreamedDecoder
from .weights import write_safetensors

RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"
}
"""Devices on Windows, whatever ending follows: a file of such a name cannot be copied there."""
UNUSABLE = set('<>:"/\\|?*') | {chr(code) for code in range(32)}


def check_name(stem: str) -> None:
    """ValueError with a sentence where a file, named without its ending, has a name that Windows does not take."""
    if stem.split(".")[0].rstrip(" ").upper() in RESERVED:
        raise ValueError(f"{stem!r} is the name of a device on Windows, so no file can be called so: choose another.")
    if not stem or stem != stem.strip(" ").rstrip("."):
        raise ValueError(f"{stem!r} cannot be the name of a file: no space may begin it, no space or dot end it.")
    if unusable := UNUSABLE & set(stem):
        raise ValueError(f"{stem!r} cannot be the name of a file everywhere: leave out {min(unusable)!r}.")


def check_path(path: Path) -> None:
    """ValueError if there is something already, for nothing is ever overwritten, or if no file can be written there."""
    check_name(path.stem)
    try:
        for taken in (path, report_path(path, ".json"), report_path(path, ".md")):
            if taken.exists() or taken.is_symlink():
                raise ValueError(f"{taken} is there already and is not overwritten: choose another name.")
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror}): choose another name or folder.") from error


def report_path(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.stem}_report{suffix}")


def write(path: Path, student: StreamedDecoder, report: dict) -> None:
    """The decoder in float16 (the latents' statistics in float32), with its report in the file's metadata; half a file
    is never left. ValueError with a sentence where it could not be written, or has appeared in the meantime."""
    statistics = {name for name, _ in student.named_buffers()}
    weights = {
        name: value.detach().to("cpu", torch.float32 if name in statistics else torch.float16)
        for name, value in student.state_dict().items()
    }
    try:
        written = write_safetensors(path, weights, {"flash_vaed": json.dumps(report)})
    except OSError as error:
        raise ValueError(
            f"{path} could not be written ({error.strerror}): make room, and start the same again."
        ) from error
    if not written:
        raise ValueError(
            f"{path} has appeared in the meantime and is not overwritten: move it away, and start the same again."
        )


def write_reports(path: Path, report: dict) -> str:
    """As JSON and to read, beside the weights; the sentence for what could not be written, empty where all was."""
    contents = {".json": json.dumps(report, indent=1) + "\n", ".md": markdown(report)}
    for suffix, content in contents.items():
        target = report_path(path, suffix)
        try:
            with target.open("x", encoding="utf-8") as file:
                file.write(content)
        except FileExistsError:
            return f"{path.name} was made, but {target.name} has appeared in the meantime and is not overwritten."
        except OSError as error:
            return f"{path.name} was made, but its report {target.name} could not be written ({error.strerror})."
    return ""
