"""Weights from a file and to one. Nothing that a file holds is ever run."""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

SOURCE = "https://github.com/Aoko955/Flash-VAED links the released decoders for Wan 2.1 and LTX-Video 0.9"


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors by name of a safetensors or PyTorch file, whatever its ending; ValueError with a sentence if not."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}).") from error
    if not head:
        raise ValueError(
            f"{path.name} is empty: it was not downloaded, or there was no room for it; download it again."
        )
    if head[8:9] == b"{":
        return read_safetensors(path)
    if head[:1] == b"\x80" or head[:2] == b"PK":
        return read_pickle(path)
    raise ValueError(
        f"{path.name} is no file of weights: it begins with {head!r}. Often a web page was saved in place of the file; "
        f"{SOURCE}."
    )


def read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise damaged(path) from error


def read_metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says beside its tensors; nothing of another file."""
    try:
        with safe_open(str(path), "pt") as file:
            return file.metadata() or {}
    except SafetensorError:
        return {}


def vae_in(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of a whole checkpoint the VAE alone, as the host takes it out; else the weights as they are."""
    prefix = "vae."
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)} or weights


def read_pickle(path: Path) -> dict[str, Tensor]:
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path) or None)
    except (RuntimeError, EOFError) as error:
        raise damaged(path) from error
    except Exception as error:  # torch refuses to make objects by errors of the module pickle
        raise more_than_tensors(path, "objects that would run code when opened") from error
    if not isinstance(loaded, dict):
        raise more_than_tensors(path, f"a {type(loaded).__name__}")
    for name, value in loaded.items():
        if not isinstance(value, Tensor) or not isinstance(name, str):
            raise more_than_tensors(path, f"a {type(value).__name__} under {name!r}")
    return loaded


def damaged(path: Path) -> ValueError:
    return ValueError(f"{path.name} is damaged or was not downloaded to its end; download it again.")


def more_than_tensors(path: Path, found: str) -> ValueError:
    return ValueError(
        f"{path.name} must hold tensors by name and nothing else, but holds {found}, so it is not used; "
        "take the released file, or a safetensors file."
    )


def write_safetensors(path: Path, weights: dict[str, Tensor], metadata: dict[str, str]) -> bool:
    """Whether it was written: a file that is there already stays as it is. OSError where the folder takes none; half a
    file is never left."""
    try:
        file = path.open("xb")
    except FileExistsError:
        return False
    try:
        with file:
            file.write(save({name: tensor.contiguous() for name, tensor in weights.items()}, metadata))
    except BaseException:
        path.unlink()
        raise
    return True
