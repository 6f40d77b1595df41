"""Edits held-out pairs with the tiny edit models in the host's class: a contact sheet, and how close the edits come.

python demo/edit_sheet.py                 # demo/edit_contact_sheet.jpg, demo/edit_closeness.json
python demo/edit_sheet.py --kinds tz --pairs 8 --steps 20 --cfg 3
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Behind everything else: neither the demo's `nodes` nor the repository's must hide the host's module of that name.
sys.path[:] = [*sys.path[1:], str(ROOT)]

import torch  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torch import Tensor  # noqa: E402

from host.pack import import_pack  # noqa: E402

import_pack("bench.host").enter("cpu")
models = import_pack("bench.edit_models")

BASIS = ROOT / "demo" / "models" / "jano_tiny_latents.safetensors"
VAE = ROOT / "demo" / "models" / "jano_tiny_flux_vae.safetensors"
CELL = 128
SHOWN = 8
"""Pairs on the contact sheet, with one reference and with three."""
CHANGED = 0.1
"""Two pictures differ in a pixel by more than this in one of its colours: then it belongs to the edit."""


def load_vae() -> Any:
    """The tiny Flux's, as VAELoader makes it."""
    import comfy.sd
    import comfy.utils

    return comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(VAE)))


def edit(model: Any, pair: Any, steps: int, cfg: float) -> Tensor:
    """KSampler's euler/simple from pure noise; the seed is the pair's number -> latent (1, 16, 16, 16)."""
    import comfy.sample

    empty = torch.zeros_like(pair.target)
    noise = comfy.sample.prepare_noise(empty, pair.number)
    settings = (steps, cfg, "euler", "simple", pair.positive, pair.negative, empty)
    return comfy.sample.sample(model, noise, *settings, disable_pbar=True, seed=pair.number)


def decibels(error: Tensor) -> float:
    """PSNR of errors in colours 0..1."""
    return -10 * math.log10(max(error.square().mean().item(), 1e-10))


def closeness(before: Tensor, after: Tensor, made: Tensor) -> dict[str, float]:
    """PSNR in dB against the target, of the edit and of the untouched reference: in all, where the edit changes
    something, and elsewhere. Pictures (H, W, 3)."""
    changed = ((before - after).abs() > CHANGED).any(-1)
    return {
        "edit": decibels(made - after),
        "copy": decibels(before - after),
        "edit_changed": decibels((made - after)[changed]),
        "copy_changed": decibels((before - after)[changed]),
        "edit_elsewhere": decibels((made - after)[~changed]),
        "share_changed": changed.float().mean().item(),
    }


def mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """Means over pairs."""
    return {name: round(sum(row[name] for row in rows) / len(rows), 2) for name in rows[0]} | {"pairs": len(rows)}


def summary(rows: list[tuple[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Over all pairs, and by what they change."""
    kinds = sorted({kind for kind, _ in rows})
    return {"all": mean_of([row for _, row in rows])} | {
        kind: mean_of([row for other, row in rows if other == kind]) for kind in kinds
    }


def save_sheet(rows: list[list[Tensor]], labels: list[str], heads: list[str], path: Path) -> None:
    """A row of pictures per pair with what its prompt says below, as a JPEG."""
    line = CELL + 16
    sheet = Image.new("RGB", (CELL * len(heads), line * len(rows) + 16), "white")
    draw = ImageDraw.Draw(sheet)
    for column, head in enumerate(heads):
        draw.text((column * CELL + 4, 2), head, fill="black")
    for number, (pictures, label) in enumerate(zip(rows, labels, strict=True)):
        for column, picture in enumerate(pictures):
            cell = Image.fromarray((picture.clamp(0, 1) * 255).round().byte().numpy())
            sheet.paste(cell, (column * CELL, number * line + 16))
        draw.text((4, number * line + 17 + CELL), label, fill="black")
    sheet.save(path, quality=90)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=list(models.KINDS), choices=models.KINDS)
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--cfg", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=ROOT / "demo" / "edit_contact_sheet.jpg")
    return parser.parse_args()


def colours(latent: Tensor) -> Tensor:
    """A latent (1, 16, h, w) as a VAE gives it -> the picture (8h, 8w, 3) that it stands for, patch by patch."""
    from comfy.latent_formats import Flux

    basis = load_file(str(BASIS))
    flat = torch.sinh(Flux().process_in(latent)[0].movedim(0, -1) / basis["gain"]) @ basis["back"] + basis["mean"]
    return flat.unflatten(-1, (8, 8, 3)).permute(0, 2, 1, 3, 4).flatten(0, 1).flatten(1, 2).clamp(0, 1)


def show(vae: Any, latents: list[Tensor]) -> list[Tensor]:
    """Latents (1, 16, 16, 16) -> pictures (128, 128, 3) in 0..1."""
    return [vae.decode(latent)[0].float().cpu() for latent in latents]


def edits(kind: str, count: int, args: argparse.Namespace) -> list[Tensor]:
    """Latents that a model makes of the held-out pairs with `count` references; isolated where it was trained so."""
    model = models.load(kind)
    model = models.isolating(model) if kind == "isolated" else model
    return [edit(model, pair, args.steps, args.cfg) for pair in models.pairs(args.pairs, kind, count)]


def write_closeness(figures: dict[str, dict], args: argparse.Namespace) -> None:
    """Beside the sheet, with what was measured and on which weights."""
    note = {
        "what": f"PSNR in dB against the target, {args.pairs} held-out pairs, {args.steps} euler steps, CFG {args.cfg}",
        "command": "python demo/edit_sheet.py",
        "weights_sha256": {k: hashlib.sha256(models.path_of(k).read_bytes()).hexdigest() for k in args.kinds},
        "figures": figures,
    }
    args.out.with_name("edit_closeness.json").write_text(json.dumps(note, indent=1) + "\n")


@torch.inference_mode()
def main() -> None:
    """Command line."""
    args = parse_args()
    vae, figures, sheet, labels = load_vae(), {}, [], []
    for count in (1, 3):
        pairs = models.pairs(args.pairs, args.kinds[0], count)
        made = {kind: edits(kind, count, args) for kind in args.kinds}
        for kind, latents in made.items():
            threes = ((p.references[0], p.target, latent) for p, latent in zip(pairs, latents, strict=True))
            close = [closeness(*map(colours, three)) for three in threes]
            figures[f"{kind}, {count}"] = summary([(p.changes, row) for p, row in zip(pairs, close, strict=True)])
            print(kind, count, json.dumps(figures[f"{kind}, {count}"]["all"]), flush=True)
        for place, pair in enumerate(pairs[:SHOWN]):
            latents = [*pair.references, pair.target, *(made[kind][place] for kind in args.kinds)]
            before, *rest = show(vae, latents)
            sheet.append([before, *[torch.ones_like(before)] * (3 - count), *rest])
            labels.append(f"changes the {pair.changes}: {pair.prompt}")
    save_sheet(sheet, labels, ["before", "reference 2", "reference 3", "target", *args.kinds], args.out)
    write_closeness(figures, args)


if __name__ == "__main__":
    main()
