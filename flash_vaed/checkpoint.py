"""A training run on disk, as safetensors: nothing in it can be executed."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

Moments = dict[str, dict[str, Tensor]]
"""Of the optimizer, by the name of the parameter."""

NAMES = {
    "teacher": "VAE",
    "clips": "set of clips",
    "ratio": "share of channels kept",
    "explained": "share of variance explained",
    "steps": "number of steps",
    "rate": "learning rate",
    "side": "side of windows",
    "frames": "length of windows",
}
"""What users call what a run is known by."""
DIGESTS = ("teacher", "clips")


def save_checkpoint(path: Path, about: dict, weights: dict, average: dict, moments: Moments) -> None:
    """Never leaves half a file. about: the number of the `step`, and all else that JSON takes. ValueError with a
    sentence where it cannot be written; an earlier one is still there then."""
    parts = {"weights": weights, "average": average}
    tensors = {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}
    tensors |= {f"{kind}/{name}": value for name, state in moments.items() for kind, value in state.items()}
    partial = path.with_name(path.name + ".partial")
    stored = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    try:
        save_file(stored, str(partial), {"training": json.dumps(about)})
        partial.replace(path)
    except (SafetensorError, OSError) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        kept = "goes on from what it holds" if path.exists() else "begins anew"
        raise ValueError(
            f"{path} could not be written ({error}), so the training stopped: make room; the same again {kept}."
        ) from error


def load_about(path: Path) -> dict:
    """What a checkpoint says of its run; ValueError if it is none."""
    try:
        with safe_open(str(path), "pt") as file:
            about = json.loads((file.metadata() or {})["training"])
    except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as error:
        raise no_checkpoint(path) from error
    if not isinstance(about, dict) or not isinstance(about.get("step"), int):
        raise no_checkpoint(path)
    return about


def no_checkpoint(path: Path) -> ValueError:
    return ValueError(f"{path} is no checkpoint of a training: move it away, or choose another name.")


def differences(before: dict, now: dict) -> list[str]:
    """By what two runs differ, in words with both values: "seed (1, now 2)"; empty where they are one."""
    told = []
    for name, value in now.items():
        earlier = before.get(name)
        if isinstance(value, dict) and isinstance(earlier, dict):
            told += differences(earlier, value)
        elif earlier != value:
            values = "" if name in DIGESTS else f" ({in_words(earlier)}, now {in_words(value)})"
            told.append(NAMES.get(name, name) + values)
    return list(dict.fromkeys(told))


def in_words(value: object) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list) else str(value)


def load_checkpoint(path: Path, like: dict[str, Tensor]) -> tuple[int, dict, dict, Moments]:
    """Step, weights, their average, the optimizer's moments; ValueError unless it fits `like` by name and shape."""
    step, parts = load_about(path)["step"], {}
    with safe_open(str(path), "pt") as file:
        for key in file.keys():  # noqa: SIM118 (safe_open is no dict)
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = file.get_tensor(key)
    weights, average = parts.pop("weights", {}), parts.pop("average", {})
    shapes = {name: value.shape for name, value in like.items()}
    if any({name: value.shape for name, value in part.items()} != shapes for part in (weights, average)):
        raise ValueError(f"{path} is left from another small decoder's training: move it away, or choose another name.")
    device = next(iter(like.values())).device
    moments: Moments = {}
    for kind, values in parts.items():
        for name, value in values.items():
            moments.setdefault(name, {})[kind] = value if kind == "step" else value.to(device)
    return step, *({name: value.to(device) for name, value in part.items()} for part in (weights, average)), moments
