"""What `make demo` runs: a picture, a clip and an edit through a real ComfyUI, in full and with Jano, and what differs.

    python demo/run.py
    python demo/run.py --only wan --prompt "white ball bouncing, brick wall, grass" --seed 7 --steps 30 --cfg 5

Leaves in build/demo: flux_full.png, flux_jano.png, flux_levels.png, flux_steps.png; of the clip wan_full.webp and
wan_jano.webp, contact sheets of both (.png), wan_levels.png, wan_steps.png; wan_draft.webp, a draft in few steps,
decoded by the VAE (left) and by the small decoder made from it; of the edit edit_before.png, edit_full.png,
edit_jano.png and edit_steps.png; and report.json. The pictures called levels are Jano
Convergence Map's: where forecasts moved the picture.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Behind everything else: the repository's folder `nodes` must not hide the host's module of that name.
sys.path.append(str(ROOT))

import torch  # noqa: E402
from closeness import closeness, load_frames, table  # noqa: E402
from edits import HELD_OUT, pair_of  # noqa: E402
from graphs import (  # noqa: E402
    BEFORE,
    SCENES,
    Scene,
    charted,
    fast_draft,
    metered,
    with_tiny_models,
    without_jano,
    without_pictures,
)

from host.client import Prompt  # noqa: E402
from host.location import chosen_host  # noqa: E402
from host.pack import import_pack  # noqa: E402
from host.server import Server  # noqa: E402
from host.workflow import to_prompt  # noqa: E402

OUT = ROOT / "build" / "demo"
MODELS = ROOT / "demo" / "models"
TITLES = {"flux": "Flux", "wan": "Wan", "edit": "Edit"}
# Attention in plain tensors, the stock choice without a GPU, takes two and a half times as long for a clip.
OPTIONS = ("--use-pytorch-cross-attention",)
SAVERS = ("SaveImage", "SaveAnimatedWEBP")
KEPT = (
    *("steps", "tokens", "level_share", "computed_token_fraction", "cache_bytes_peak", "fallbacks", "verdict"),
    *("headline", "seconds_saved", "steps_computed", "steps_forecast", "risk"),
)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(SCENES), help="render one of them; the options below are its own")
    parser.add_argument("--prompt")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--cfg", type=float)
    parser.add_argument("--readme", action="store_true", help="also renew the README's pictures")
    args = parser.parse_args()
    if args.only is None and any(value is not None for value in (args.prompt, args.seed, args.steps, args.cfg)):
        parser.error("--prompt, --seed, --steps and --cfg need --only")
    return args


def chosen_scenes(args: argparse.Namespace) -> list[Scene]:
    """The scenes to render, with the command line's changes."""
    scenes = [scene for name, scene in SCENES.items() if args.only in (None, name)]
    changes = {name: value for name in ("seed", "steps", "cfg") if (value := getattr(args, name)) is not None}
    return [
        dataclasses.replace(scene, text=args.prompt or scene.text, sampler={**scene.sampler, **changes})
        for scene in scenes
    ]


def run(server: Server, prompt: Prompt, label: str) -> dict[str, dict]:
    """Queue a prompt with progress on the terminal; its outputs by node class."""

    def tick(seconds: float) -> None:
        print(f"\r{label:<28} {seconds:5.0f} s  {server.last_line()[-60:]:<60}", end="", file=sys.stderr, flush=True)

    outputs = server.run(prompt, tick=tick if sys.stderr.isatty() else None)
    print(f"\r{label:<28} done{'':<70}", file=sys.stderr)
    return {prompt[node_id]["class_type"]: output for node_id, output in outputs.items()}


def draw_before(scene: Scene, server: Server) -> None:
    """The picture that an edit changes, drawn as those that the model was trained on, into the host's input folder."""
    _, (before, *_), _ = pair_of(HELD_OUT, scene.edits)
    for path in (server.base / "input" / BEFORE, OUT / f"{scene.name}_before.png"):
        path.parent.mkdir(exist_ok=True)
        write_picture(torch.from_numpy(before)[None], path)


def prompt_of(server: Server, scene: Scene) -> dict:
    """The shipped workflow with the tiny models."""
    workflow = json.loads(scene.workflow.read_text(encoding="utf-8"))
    return with_tiny_models(to_prompt(workflow, server.object_info()), scene)


def render_draft(server: Server, scene: Scene) -> str:
    """A fast draft into build/demo; what the small decoder costs and saves, as a table."""
    draft = fast_draft(prompt_of(server, scene), scene.fast_decoder)
    outputs = run(server, draft, f"{TITLES[scene.name]}, fast draft")
    save_result(server, outputs, f"{scene.name}_draft")
    return outputs["FlashVAEDCompare"]["text"][0]


def render(server: Server, scene: Scene) -> dict:
    """The same seed in full and with Jano; pictures into build/demo, figures returned (design.md section 3)."""
    if scene.edits is not None:
        draw_before(scene, server)
    jano = prompt_of(server, scene)
    full, title = without_jano(jano), TITLES[scene.name]
    full_run = run(server, metered(full, scene.long_steps), f"{title} in full")
    jano_run = run(server, charted(metered(jano, scene.long_steps)), f"{title} with Jano")
    counted = [full_run, jano_run]
    if not scene.long_steps:
        counted = [run(server, without_pictures(metered(each, True)), f"{title}, FLOPs") for each in (full, jano)]
    full_flops, jano_flops = (reading(outputs)["flops"] for outputs in counted)
    saved = [
        save_result(server, outputs, f"{scene.name}_{arm}") for outputs, arm in ((full_run, "full"), (jano_run, "jano"))
    ]
    if "JanoConvergenceMap" in jano_run:
        save(server, jano_run["JanoConvergenceMap"], f"{scene.name}_levels")
    save(server, jano_run["PreviewImage"], f"{scene.name}_steps")
    account = jano_run["JanoReport"]["jano"][0]
    return {
        **{name: account[name] for name in KEPT},
        **({"references": account["references"]} if scene.edits is not None else {}),
        "flops_fraction": round(jano_flops / full_flops, 4),
        "seconds_full": round(reading(full_run)["seconds"], 3),
        "seconds_jano": round(reading(jano_run)["seconds"], 3),
        **closeness(*saved),
    }


def reading(outputs: dict[str, dict]) -> dict:
    """What the demo's meter read."""
    return outputs["JanoDemoReading"]["reading"][0]


def save(server: Server, output: dict, stem: str) -> Path:
    """Writes a node's first picture, with the ending that the server gave it."""
    reference = output["images"][0]
    path = OUT / f"{stem}{Path(reference['filename']).suffix}"
    path.write_bytes(server.image(reference))
    return path


def save_result(server: Server, outputs: dict[str, dict], stem: str) -> Path:
    """Writes the picture or the clip, of a clip a contact sheet too."""
    path = save(server, next(outputs[kind] for kind in SAVERS if kind in outputs), stem)
    if path.suffix != ".png":
        sheet = import_pack("jano.show.render").contact_sheet(load_frames(path).float(), most=9)
        write_picture(sheet, OUT / f"{stem}.png")
    return path


def write_picture(picture: object, path: Path) -> None:
    """(1, height, width, 3) in 0..1 -> a file."""
    from PIL import Image

    Image.fromarray((picture[0].clamp(0, 1) * 255).round().byte().numpy()).save(path)


def renew_readme_pictures() -> None:
    """The README's pictures, as small JPEGs. The templates' cards: `python templates/write.py --cards`."""
    from PIL import Image

    folder = ROOT / "demo" / "pictures"
    folder.mkdir(exist_ok=True)
    for path in sorted(OUT.glob("*.png")):
        Image.open(path).convert("RGB").save(folder / f"{path.stem}.jpg", quality=85)


def main() -> None:
    """Command line."""
    args = parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    packs = {"jano": ROOT, "jano_demo": ROOT / "demo" / "nodes"}
    print("starting ComfyUI ...", file=sys.stderr)
    with Server(chosen_host(), OUT / "comfyui", packs, MODELS, OPTIONS) as server:
        report = {scene.name: render(server, scene) for scene in chosen_scenes(args)}
        drafts = {scene.name: render_draft(server, scene) for scene in chosen_scenes(args) if scene.fast_decoder}
    told = json.dumps(report | {f"{name}_draft": text for name, text in drafts.items()}, indent=1)
    (OUT / "report.json").write_text(told + "\n", encoding="utf-8")
    if args.readme:
        renew_readme_pictures()
    print(table(report))
    for name, text in drafts.items():
        print(f"\nThe fast draft of {TITLES[name]}: the small decoder against the VAE\n{text}\n")
    print(f"pictures, level maps and report.json are in {OUT}")


if __name__ == "__main__":
    main()
