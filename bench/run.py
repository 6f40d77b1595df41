"""Measures Jano inside the real ComfyUI and writes build/bench/: JSON per part, charts, and REPORT.md over all of them.

    python bench/run.py                                  # every part, small enough for one core in half an hour
    python bench/run.py speed --device cuda              # Flux.1's sizes on a GPU
    python bench/run.py attention [--device cuda]
    python bench/run.py scores --prompts 64
    python bench/run.py quality --prompts 16 --steps 20 28 50 --sweep
    python bench/run.py quality --model wan --prompts 4
    python bench/run.py quality --rivals --prompts 8     # beside Spectrum, TaylorSeer, MeanCache, SeaCache
    python bench/run.py quality --model patches --prompts 16   # the hard bed: real pictures in closed form
    python bench/run.py motion content                   # clips only, not among the parts run by default
    python bench/run.py samplers                         # every sampler of the host, on both models
    python bench/run.py short_runs                       # from how many steps on a preset gains, on both models
    python bench/run.py masks                            # painting into a picture
    python bench/run.py risk --model wan                 # whether a run's own errors tell how close its picture is
    python bench/run.py references                       # edits, on the tiny edit models
    python bench/run.py reference_speed [--device cuda]  # what their steps cost
    python bench/run.py vae_decoders [--device cuda]     # fast decoders at real widths; not by default
    python bench/run.py vae_ablation                     # how a fast decoder is made; not by default either
    python bench/run.py ltx_ablation                     # the same in LTX-Video's layout
    python bench/run.py mine --checkpoint FILE           # your own model, full against the four qualities
    python bench/run.py mine --unet FILE --clip FILE FILE --vae FILE [--steps 28 --width 1024 ...]
    python bench/run.py calibration                      # how hard the tiny models and the bed are beside real ones
    python bench/run.py oracle --model patches           # what knowing each picture beforehand would be worth there
    python bench/run.py constants [--model patches]      # every constant of the control at half and at twice its value
    python bench/run.py report                           # REPORT.md from what was measured before
COMFYUI_PATH names another ComfyUI. On the CPU one thread computes (OMP_NUM_THREADS changes that).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Behind everything else: the repository's folder `nodes` must not hide the host's module of that name.
sys.path[:] = [*sys.path[1:], str(ROOT)]

from host.pack import import_pack  # noqa: E402

HostError = import_pack("host.location").HostError  # the one that the pack's modules raise

PARTS = ("speed", "attention", "scores", "quality")
CLIP_PARTS = ("motion", "content", "samplers", "short_runs", "masks", "references", "risk")
OTHER_PARTS = (
    "mine",
    "calibration",
    "oracle",
    "constants",
    "reference_speed",
    "vae_decoders",
    "vae_ablation",
    "ltx_ablation",
)
MODELS = ("flux", "wan", "patches", "clip_patches")
PARTS_HELP = f"{', '.join((*PARTS, *CLIP_PARTS, *OTHER_PARTS))} or report; {', '.join(PARTS)} if none is given"


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=PARTS_HELP)
    parser.add_argument("--device", choices=("cpu", "cuda"), help="cpu if none is given; mine: cuda where there is one")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument(
        "--rounds", type=int, default=5, help="speed, attention, vae_decoders: interleaved rounds that are timed"
    )
    parser.add_argument("--prompts", type=int, help="scores, quality: how many lines of demo/prompts.txt")
    parser.add_argument("--steps", type=int, nargs="+", help="quality: lengths of the full run (scores: the first)")
    parser.add_argument("--model", choices=MODELS, default="flux", help="quality: the demo's, or a bed of patches")
    parser.add_argument("--sampler", help="quality: a sampler of the host; the demo's if none is given")
    parser.add_argument("--side", type=int, help="quality: of the square picture in pixels; the demo's if not given")
    parser.add_argument("--cfg", type=float, help="scores, quality: guidance scale; the demo's if none is given")
    parser.add_argument("--shift", type=float, help="of the sigmas (quality: of the beds of patches only; mine)")
    parser.add_argument(
        "--grain", type=float, help="of the beds of patches, in -1..1: 0 is none (bench/patches/bed.py)"
    )
    parser.add_argument("--checkpoint", type=Path, help="scores, quality: other weights of the same model")
    parser.add_argument("--sweep", action="store_true", help="quality: many more settings per arm")
    parser.add_argument("--rivals", action="store_true", help="quality: beside published ways to save as much")
    parser.add_argument("--tries", type=int, help="oracle: plans that are tried for each; more go on from the last")
    parser.add_argument("--arms", nargs="+", help="quality: only these arms")
    import_pack("bench.own_model.arguments").add(parser)
    args = parser.parse_args()
    every = (*PARTS, *CLIP_PARTS, *OTHER_PARTS, "report")
    unknown = set(args.parts) - set(every)
    if unknown:
        parser.error(f"no part is called {', '.join(sorted(unknown))}; choose from {', '.join(every)}")
    if args.shift is not None and "patches" not in args.model and args.parts != ["mine"]:
        parser.error("--shift is for --model patches and clip_patches: the demo's models have their own")
    if args.grain is not None and "patches" not in args.model:
        parser.error("--grain is for --model patches and clip_patches: no other has one")
    if "oracle" in args.parts and args.model != "patches":
        parser.error("oracle is for --model patches: elsewhere a try takes too long")
    if "constants" in args.parts and args.model not in ("patches", "flux"):
        parser.error("constants are moved with --model patches and --model flux")
    return args


def main() -> None:
    args = parse_args()
    try:
        make_folder(args.out)
        enter_host(args)
        for part in args.parts or PARTS:
            if part != "report":
                print(f"--- {part}", file=sys.stderr, flush=True)
                import_pack(f"bench.{part}").measure(args)
    except HostError as error:
        sys.exit(f"jano: {error}")
    if args.parts != ["mine"]:
        print(import_pack("bench.report").write(args.out))


def make_folder(out: Path) -> None:
    """For the results, before anything is measured; HostError where it cannot be one."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"--out {out} cannot be a folder for results ({error.strerror}); name another.") from error


def enter_host(args: argparse.Namespace) -> None:
    """On the device that was named, or the part's own; a user's model has the memory management of any other run."""
    host, own = import_pack("bench.host"), "mine" in args.parts
    args.device = args.device or (host.best_device() if own else "cpu")
    clips = args.model == "wan" or not set(args.parts).isdisjoint((*CLIP_PARTS, *OTHER_PARTS))
    in_torch = clips and not (own and args.device == "cuda")  # clips take minutes without; a GPU's host chooses
    host.enter(args.device, torch_attention=in_torch, keep_weights=not own)


if __name__ == "__main__":
    main()
