"""Your own model: the full run against the four qualities, one run of each after a warm-up.

Prints a table and a line to paste into an issue, and leaves `mine.png` and `mine.json`. Without a model of one's own it
measures the demo's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import comfy.model_management
import comfy.sample
import folder_paths
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..host.location import ROOT, HostError
from ..jano.adapters.patch import schedule
from ..jano.adapters.settings import report_of
from ..jano.adapters.weights import lpips_weights
from ..jano.presets import schedule_of
from ..jano.show.quality import Comparison, compare
from .arms import QUALITIES
from .host import describe
from .own_model import memory, sheet
from .own_model.subject import Subject, subject_of, told_first
from .records import Row, save
from .tables import table

WARM_STEPS = 2
BEGIN, END = "----- copy from here -----", "----- to here -----"
NOT_TOGETHER = "these files cannot be sampled together (do --clip, --clip-type and --vae belong to this model?)"
NO_MEMORY = "the memory did not suffice: try a smaller --width and --height, or fewer --frames."
NOT_FINITE = "it holds values that are not finite numbers"
NO_PICTURE = (
    f"the picture in full cannot be compared with: {NOT_FINITE} (try another --weight-dtype, or another --vae)."
)
EQUAL_DB = 100.0
"""What is written for pictures that are equal."""
HEAD = ("", "computed", "seconds", "faster", "PSNR dB", "worst frame", "SSIM", "LPIPS", "peak GB", "")


def measure(args: argparse.Namespace) -> None:
    """HostError with a sentence for whatever the user can mend."""
    with torch.inference_mode():
        try:
            load_extra_paths()
            subject = subject_of(args)
            warm_up(subject)
            rows, columns = runs(subject, args.device)
        except comfy.model_management.OOM_EXCEPTION as error:
            raise HostError(NO_MEMORY) from error
    told = {**about(subject, args.device), "runs": rows}
    save(args.out / "mine.json", told)
    sheet.save(args.out / "mine.png", title(told), columns)
    print(table(HEAD, [line(row) for row in rows]))
    print(f"{args.out / 'mine.png'}\n\n{BEGIN}\n{json.dumps(told)}\n{END}")


def warm_up(subject: Subject) -> None:
    """Weights are loaded, and files that do not go together are found."""
    try:
        decoded(subject, sampled(subject, subject.model, WARM_STEPS))
    except comfy.model_management.OOM_EXCEPTION:
        raise
    except (RuntimeError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise HostError(f"{NOT_TOGETHER}: {told_first(error)}") from error


def load_extra_paths() -> None:
    """Folders of models that the user told ComfyUI about, as its own start does."""
    extra = Path(folder_paths.__file__).parent / "extra_model_paths.yaml"
    if extra.is_file():
        from utils.extra_config import load_extra_path_config

        load_extra_path_config(str(extra))


def runs(subject: Subject, device: str) -> tuple[list[Row], list[sheet.Column]]:
    """The full run and every quality: what was measured, and the columns of the sheet."""
    full_latent, full = timed(subject, subject.model, device)
    picture = decoded(subject, full_latent)
    if not is_finite(picture):
        raise HostError(NO_PICTURE)
    rows, columns = [{"quality": "full", "computed": 1.0, **full}], [(picture, ["full", f"{full['seconds']:.2f} s"])]
    weights = lpips_weights(Path(folder_paths.models_dir))
    for quality in QUALITIES:
        print(f"  {quality}", file=sys.stderr, flush=True)
        model = schedule(subject.model, schedule_of(quality, {}), preset=True)
        latent, spent = timed(subject, model, device)
        report = report_of(model, latent)
        image = decoded(subject, latent)
        row = {
            "quality": quality,
            "computed": round(report.computed_token_fraction, 4),
            **spent,
            "faster": round(full["seconds"] / spent["seconds"], 3),
            **(closeness(compare(picture, image, *weights)) if is_finite(image) else {"no_picture": NOT_FINITE}),
            "native_because": report.fallbacks,
            "notes": report.notes,
        }
        rows.append(row)
        told = f"{row['psnr_db']:.1f} dB" if "psnr_db" in row else f"no picture: {NOT_FINITE}"
        columns.append((image.nan_to_num(), [f"{quality}: {row['faster']:.2f}x", f"{row['seconds']:.2f} s, {told}"]))
    return rows, columns


def timed(subject: Subject, model: ModelPatcher, device: str) -> tuple[Tensor, Row]:
    told = memory.begin(device)
    started = time.perf_counter()
    latent = sampled(subject, model, subject.how.steps)
    peak = memory.peak(device) if told else None  # waits for the device
    return latent, {"seconds": round(time.perf_counter() - started, 3), "peak_bytes": peak}


def sampled(subject: Subject, model: ModelPatcher, steps: int) -> Tensor:
    """KSampler's work."""
    how, noise = subject.how, comfy.sample.prepare_noise(subject.latent, subject.seed)
    settings = (steps, how.cfg, how.sampler, how.scheduler, subject.positive, subject.negative, subject.latent)
    return comfy.sample.sample(model, noise, *settings, disable_pbar=not sys.stderr.isatty(), seed=subject.seed)


def decoded(subject: Subject, latent: Tensor) -> Tensor:
    """(frames, height, width, 3) in 0..1, as far as a file would keep it."""
    picture = subject.vae.decode(latent).float().cpu()[..., :3].clamp(0.0, 1.0).flatten(0, -4)
    return picture.mul(255.0).round().div(255.0)


def is_finite(picture: Tensor) -> bool:
    return bool(picture.isfinite().all())


def closeness(found: Comparison) -> Row:
    means = {"ssim": found.ssim, "lpips": found.lpips}
    psnr = found.psnr.clamp(max=EQUAL_DB)
    return {
        "psnr_db": round(psnr.mean().item(), 3),
        "worst_frame_db": round(psnr.min().item(), 3),
        **{name: None if values is None else round(values.mean().item(), 4) for name, values in means.items()},
    }


def about(subject: Subject, device: str) -> Row:
    """Everything that another person needs to make the same measurement."""
    version = next(
        text.split('"')[1]
        for text in (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
        if text.startswith("version")
    )
    return {
        "jano": version,
        **describe(device),
        "model": subject.name,
        "family": subject.family,
        "network": type(subject.model.model.diffusion_model).__name__,
        "dtype": str(subject.model.model_dtype()).removeprefix("torch."),
        "latent": list(subject.latent.shape),
        "seed": subject.seed,
        **asdict(subject.how),
    }


def title(told: Row) -> str:
    frames = f" x {told['frames']} frames" if told["frames"] > 1 else ""
    return (
        f"{told['model']}, {told['width']} x {told['height']}{frames}, {told['steps']} steps of {told['sampler']}, "
        f"CFG {told['cfg']:g}, {told['device_name']}, Jano {told['jano']}"
    )


def line(row: Row) -> list[str]:
    """A line of the table."""
    peak = row["peak_bytes"]
    shown = [row["quality"], f"{100 * row['computed']:.0f} %", f"{row['seconds']:.2f}"]
    forms = {"faster": "{:.2f}x", "psnr_db": "{:.2f}", "worst_frame_db": "{:.2f}", "ssim": "{:.4f}", "lpips": "{:.4f}"}
    shown += ["" if row.get(name) is None else form.format(row[name]) for name, form in forms.items()]
    told = [row.get("no_picture", ""), *row.get("native_because", ()), *row.get("notes", ())]
    return [*shown, "" if peak is None else f"{peak / 1e9:.2f}", "; ".join(filter(None, told))]
