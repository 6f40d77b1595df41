"""What `make demo` runs: one picture through a real ComfyUI, in full and with Jano, and what the difference is.

    python demo/run.py [--prompt "green dotted tent, purple wavy boat, sand, night sky"] [--seed 102] [--steps 28]

Leaves build/demo/flux_full.png, flux_jano.png, flux_levels.png, flux_steps.png and report.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from copy import deepcopy
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Behind everything else: the repository's folder `nodes` must not hide the host's module of that name.
sys.path.append(str(ROOT))

from host.client import Prompt  # noqa: E402
from host.location import chosen_host  # noqa: E402
from host.pack import import_pack  # noqa: E402
from host.server import Server  # noqa: E402
from host.workflow import to_prompt  # noqa: E402

OUT = ROOT / "build" / "demo"
MODELS = ROOT / "demo" / "models"
WORKFLOW = ROOT / "workflows" / "jano_flux_text_to_image.json"
TINY = {
    "UNETLoader": {"unet_name": "jano_tiny_flux.safetensors"},
    "VAELoader": {"vae_name": "jano_tiny_flux_vae.safetensors"},
    "EmptySD3LatentImage": {"width": 512, "height": 512},
}
CFG = 4.0


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompt", default="green dotted tent, purple wavy boat, sand, night sky")
    parser.add_argument("--seed", type=int, default=102)
    parser.add_argument("--steps", type=int, default=28)
    parser.add_argument("--cfg", type=float, default=CFG)
    parser.add_argument("--readme", action="store_true", help="also renew the README's pictures")
    return parser.parse_args()


def only(prompt: Prompt, class_type: str) -> str:
    """The id of the one node of a class."""
    return next(node_id for node_id, node in prompt.items() if node["class_type"] == class_type)


def with_tiny_models(prompt: Prompt, args: argparse.Namespace) -> dict:
    """The shipped workflow with our own checkpoints and conditioning put in place of the big ones."""
    prompt = deepcopy(dict(prompt))
    for node in prompt.values():
        node["inputs"].update(TINY.get(node["class_type"], {}))
    for kind, text in (("CLIPTextEncode", args.prompt), ("ConditioningZeroOut", "")):
        prompt[only(prompt, kind)] = {"class_type": "JanoDemoPrompt", "inputs": {"text": text}}
    del prompt[only(prompt, "DualCLIPLoader")]
    sampler = prompt[only(prompt, "KSampler")]["inputs"]
    sampler.update(seed=args.seed, steps=args.steps, cfg=args.cfg)
    return prompt


def metered(prompt: Prompt, count_flops: bool) -> dict:
    """The prompt with the demo's meter between the model and the sampler."""
    prompt = deepcopy(dict(prompt))
    sampler = prompt[only(prompt, "KSampler")]["inputs"]
    prompt["meter"] = {
        "class_type": "JanoDemoMeter",
        "inputs": {"model": sampler["model"], "count_flops": count_flops},
    }
    sampler["model"] = ["meter", 0]
    latent = [only(prompt, "KSampler"), 0]
    prompt["reading"] = {"class_type": "JanoDemoReading", "inputs": {"model": ["meter", 0], "latent": latent}}
    return prompt


def without_jano(prompt: Prompt) -> dict:
    """The prompt as with the Scheduler bypassed and the nodes that look at its run left out."""
    scheduler = only(prompt, "JanoScheduler")
    source = prompt[scheduler]["inputs"]["model"]
    kept = {
        node_id: deepcopy(node)
        for node_id, node in prompt.items()
        if node["class_type"] not in ("JanoScheduler", "JanoConvergenceMap", "JanoReport")
    }
    for node in kept.values():
        node["inputs"] = {name: source if value == [scheduler, 0] else value for name, value in node["inputs"].items()}
    return kept


def run(server: Server, prompt: Prompt, label: str) -> dict[str, dict]:
    """Queue a prompt with progress on the terminal; its outputs by node class."""

    def tick(seconds: float) -> None:
        print(f"\r{label:<28} {seconds:5.0f} s  {server.last_line()[-60:]:<60}", end="", file=sys.stderr, flush=True)

    outputs = server.run(prompt, tick=tick if sys.stderr.isatty() else None)
    print(f"\r{label:<28} done{'':<70}", file=sys.stderr)
    return {prompt[node_id]["class_type"]: output for node_id, output in outputs.items()}


def render_flux(server: Server, args: argparse.Namespace) -> dict:
    """The same seed in full and with Jano; pictures into build/demo, figures returned (design.md section 3)."""
    workflow = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    jano = with_tiny_models(to_prompt(workflow, server.object_info()), args)
    full = without_jano(jano)
    full_flops = run(server, metered(full, True), "Flux in full, counting FLOPs")
    jano_flops = run(server, metered(jano, True), "Flux with Jano, counting FLOPs")
    full_run = run(server, metered(full, False), "Flux in full")
    jano_run = run(server, metered(jano, False), "Flux with Jano")
    save(server, full_run["SaveImage"], "flux_full.png")
    save(server, jano_run["SaveImage"], "flux_jano.png")
    save(server, jano_run["JanoConvergenceMap"], "flux_levels.png")
    save(server, jano_run["JanoReport"], "flux_steps.png")
    account = jano_run["JanoReport"]["jano"][0]
    kept = ("steps", "tokens", "level_share", "computed_token_fraction", "cache_bytes_peak", "fallbacks", "verdict")
    return {
        **{name: account[name] for name in kept},
        "flops_fraction": round(reading(jano_flops)["flops"] / reading(full_flops)["flops"], 4),
        "seconds_full": round(reading(full_run)["seconds"], 3),
        "seconds_jano": round(reading(jano_run)["seconds"], 3),
        **closeness(OUT / "flux_full.png", OUT / "flux_jano.png"),
    }


def renew_readme_pictures() -> None:
    """The README's pictures, as small JPEGs."""
    from PIL import Image

    folder = ROOT / "demo" / "pictures"
    folder.mkdir(exist_ok=True)
    for path in sorted(OUT.glob("*.png")):
        Image.open(path).convert("RGB").save(folder / f"{path.stem}.jpg", quality=85)
    thumbnail = WORKFLOW.with_suffix(".jpg")
    Image.open(OUT / "flux_jano.png").convert("RGB").resize((384, 384)).save(thumbnail, quality=85)


def reading(outputs: dict[str, dict]) -> dict:
    return outputs["JanoDemoReading"]["reading"][0]


def save(server: Server, output: dict, name: str) -> None:
    (OUT / name).write_bytes(server.image(output["images"][0]))


def closeness(reference: Path, picture: Path) -> dict[str, float]:
    """PSNR in dB and SSIM of two saved pictures."""
    quality = import_pack("jano.quality")
    pictures = [load_picture(path) for path in (reference, picture)]
    return {
        "psnr_db": round(float(quality.psnr(*pictures).mean()), 2),
        "ssim": round(float(quality.ssim(*pictures).mean()), 4),
    }


def load_picture(path: Path) -> object:
    """(1, height, width, 3) tensor in 0..1."""
    import torch
    from PIL import Image

    picture = Image.open(BytesIO(path.read_bytes())).convert("RGB")
    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return values.reshape(1, picture.height, picture.width, 3).double() / 255


def table(report: dict[str, dict]) -> str:
    """The report for the terminal."""
    rows: list[tuple[str, Callable[[dict], str]]] = [
        ("verdict", lambda r: r["verdict"]),
        ("steps, image tokens", lambda r: f"{r['steps']}, {r['tokens']}"),
        ("levels", lambda r: ", ".join(f"{name} {share:.0%}" for name, share in r["level_share"].items())),
        ("token-steps computed", lambda r: f"{r['computed_token_fraction']:.1%}"),
        ("FLOPs against full", lambda r: f"{r['flops_fraction']:.1%}"),
        ("seconds full / Jano", lambda r: f"{r['seconds_full']:.1f} / {r['seconds_jano']:.1f}"),
        ("PSNR, SSIM", lambda r: f"{r['psnr_db']:.1f} dB, {r['ssim']:.3f}"),
        ("cache at its peak", lambda r: f"{r['cache_bytes_peak'] / 2**20:.1f} MiB"),
        ("native in part", lambda r: "; ".join(r["fallbacks"]) or "no"),
    ]
    lines = [f"{'':<22}" + "".join(f"{name:<34}" for name in report)]
    lines += [f"{label:<22}" + "".join(f"{show(r):<34}" for r in report.values()) for label, show in rows]
    return "\n".join(lines)


def main() -> None:
    args = parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    packs = {"jano": ROOT, "jano_demo": ROOT / "demo" / "nodes"}
    print("starting ComfyUI ...", file=sys.stderr)
    with Server(chosen_host(), OUT / "comfyui", packs=packs, models=MODELS) as server:
        report = {"flux": render_flux(server, args)}
    (OUT / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if args.readme:
        renew_readme_pictures()
    print(table(report))
    print(f"pictures, level map and report.json are in {OUT}")


if __name__ == "__main__":
    main()
