"""What Jano makes of a still, a busy still and a moving clip of the tiny Wan: compute, closeness, where it computes.

    python demo/clip_content.py               # demo/wan_content.json and a table

`computed` is the share of the token-steps computed; `moving` and `resting` are that share, between the first and the
last partial step, of tokens that change from frame to frame in the full run's clip and of those that do not; `active`
is the share of active tokens among either.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import torch
from clip_sheet import VAE, WAN, add_quick_host, decode, sample
from sample_sheet import DEMO, load_models
from torch import Tensor

PROMPTS = {
    "still": (
        "white plain ball still, day sky, snow, still camera",
        "red plain tent still, night sky, snow, still camera",
    ),
    "busy still": (
        "red checked house still, yellow dotted tent still, brick wall, checkered floor, still camera",
        "blue striped tower still, orange wavy tree still, dotted wall, sea, still camera",
    ),
    "moving": (
        "red striped ball moving right, blue checked tent growing, striped wall, grass, still camera",
        "yellow brick house moving left, purple dotted ball bouncing, brick wall, wood floor, pan left",
    ),
}
CHANGE = 0.35
"""Root mean square over channels, in model latents of unit size, from which a token counts as moving."""


def moving_tokens(latent: Tensor) -> Tensor:
    """Stored latent (1, 16, T, h, w) -> (T, h/2, w/2) bool: what differs from the frame before or after."""
    from comfy.latent_formats import Wan21

    change = Wan21().process_in(latent)[0].diff(dim=1).square().mean(0)  # (T - 1, h, w)
    change = torch.nn.functional.avg_pool2d(change[:, None], 2)[:, 0].sqrt() > CHANGE
    moving = torch.zeros(latent.shape[2], *change.shape[1:], dtype=torch.bool)
    moving[1:] |= change
    moving[:-1] |= change
    return moving


def share_in(chosen: Tensor, where: Tensor) -> float | None:
    """Share of `where` that is chosen; None where there is none."""
    return round(float(chosen[where].float().mean()), 3) if where.any() else None


def account(model: Any, vae: Any, prompt: str, seed: int, args: argparse.Namespace) -> dict:
    """One prompt in full and with Jano."""
    from host.pack import import_pack

    quality = import_pack("jano.quality")
    level = import_pack("jano.schedule").Level
    patched = import_pack("jano.adapters.patch").schedule(model, args.quality)
    full, made = (sample(each, prompt, args.steps, args.cfg, seed) for each in (model, patched))
    report = import_pack("jano.adapters.settings").report_of(patched, made)
    moving = moving_tokens(full)
    partial = [record.computed.float() for record in report.steps if record.computed is not None]
    computed = torch.stack(partial).mean(0) if partial else torch.ones(moving.shape)
    active = report.level_map.mask(frozenset({level.ACTIVE})).reshape(moving.shape)
    psnr = quality.psnr(decode(vae, full).double(), decode(vae, made).double())
    return {
        "prompt": prompt,
        "computed": round(report.computed_token_fraction, 3),
        "psnr_db": round(float(psnr.mean()), 2),
        "psnr_worst_frame_db": round(float(psnr.min()), 2),
        "tokens_moving": round(float(moving.float().mean()), 3),
        "moving": share_in(computed, moving),
        "resting": share_in(computed, ~moving),
        "active_of_moving": share_in(active, moving),
        "active_of_resting": share_in(active, ~moving),
    }


@torch.inference_mode()
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--cfg", type=float, default=5.0)
    parser.add_argument("--quality", default="balanced")
    parser.add_argument("--count", type=int, default=2, help="clips of each kind, at most 2")
    args = parser.parse_args()
    add_quick_host()
    sys.path.append(str(DEMO.parent))
    model, vae = load_models(WAN, VAE)
    rows = {
        kind: [account(model, vae, prompt, seed, args) for seed, prompt in enumerate(prompts[: args.count])]
        for kind, prompts in PROMPTS.items()
    }
    note = {"command": "python demo/clip_content.py", **vars(args), "clips": rows}
    (DEMO / "wan_content.json").write_text(json.dumps(note, indent=1) + "\n")
    for kind, clips in rows.items():
        for clip in clips:
            print(f"{kind:<11}", {name: value for name, value in clip.items() if name != "prompt"})


if __name__ == "__main__":
    main()
