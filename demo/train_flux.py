"""Trains the tiny Flux on scene latents by flow matching: small pictures first, full size last.

    for side in 128 256 512; do python demo/latents.py --side $side --count 4000; done    # --part 1, 2, ... for more
    python demo/train_flux.py --plan 128:64:8:3e-3:2e-3,256:32:40:2e-3:9e-4,512:8:25:9e-4:1e-4 --compile --export
A second process can share the work, the two averaging their weights now and then:
    python demo/train_flux.py --name left --peer right ... &  python demo/train_flux.py --name right --peer left ...
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from flux_twin import FluxTwin, Shape, rope_table, token_places
from latents import TRAIN_DIR, load_parts
from nodes.text import NUM_TOKENS, encode, load_table
from train_state import TrainState, export, load_state, meet, new_state, save_state
from train_step import append_line, noised, set_rate, update

MODEL_PATH = Path(__file__).resolve().parent / "models" / "jano_tiny_flux.safetensors"
PLAN = "128:64:8:3e-3:2e-3,256:32:40:2e-3:9e-4,512:8:25:9e-4:1e-4"
NOISE_SHIFT = {128: 0.0, 256: 0.4, 512: 0.9}
"""Mean of the logit of t: larger pictures need more noise to hide the same layout."""
EMPTY_PROMPTS = 0.12
SAVE_SECONDS = 180
MEET_SECONDS = 45


@dataclass(frozen=True)
class Stage:
    """Training at one picture side: batch size, minutes, learning rate at the beginning and at the end."""

    side: int
    batch: int
    minutes: float
    first_rate: float
    last_rate: float


@dataclass
class Clock:
    """When this process last saved, and last met its peer."""

    saved: float = field(default_factory=time.time)
    met: float = field(default_factory=time.time)


def parse_plan(text: str) -> list[Stage]:
    """'side:batch:minutes:rate:rate,...' -> stages."""
    stages = []
    for part in text.split(","):
        side, batch, minutes, first, last = part.split(":")
        stages.append(Stage(int(side), int(batch), float(minutes), float(first), float(last)))
    return stages


def train_stage(args: argparse.Namespace, state: TrainState, stage: Stage, run: torch.nn.Module, clock: Clock) -> None:
    """Steps until the stage's minutes are spent, logging every 50 steps."""
    latents, codes = (torch.from_numpy(a) for a in load_parts(TRAIN_DIR, stage.side))
    table, rows = load_table().to(args.device), stage.side // 16
    places = rope_table(token_places(rows, rows, 32 / rows, NUM_TOKENS).to(args.device))
    start, losses = time.time(), []
    while (share := (time.time() - start) / (60 * stage.minutes)) < 1:
        set_rate(state, stage.batch, share, stage.first_rate, stage.last_rate)
        picked = torch.randint(len(latents), (stage.batch,))
        said = codes[picked] * (torch.rand(stage.batch, 1) > EMPTY_PROMPTS)
        context, pooled = encode(said.to(args.device), table)
        x, t, target = noised(latents[picked].to(args.device).float(), NOISE_SHIFT[stage.side])
        with torch.autocast(torch.device(args.device).type, torch.bfloat16):
            loss = (run(x, t, context, pooled, places).float() - target).square().mean()
        update(state, loss, stage.batch)
        losses.append(loss.item())
        if len(losses) == 50:
            note = {"side": stage.side, "pictures": state.pictures, "loss": round(sum(losses) / 50, 4)}
            append_line(TRAIN_DIR / f"{args.name}.log", json.dumps(note | {"seconds": round(time.time() - start, 1)}))
            losses = []
        keep_up(args, state, stage, clock)


def keep_up(args: argparse.Namespace, state: TrainState, stage: Stage, clock: Clock) -> None:
    """Saves, exports and meets the peer when it is time."""
    now = time.time()
    if args.peer and now - clock.met > MEET_SECONDS:
        clock.met = now
        own, peer = (TRAIN_DIR / f"{name}.weights.pt" for name in (args.name, args.peer))
        meet(state, stage.side, own, peer)
    if now - clock.saved > SAVE_SECONDS:
        clock.saved = now
        finish(args, state)


def finish(args: argparse.Namespace, state: TrainState) -> None:
    """Writes the checkpoint, and the model if asked."""
    save_state(state, TRAIN_DIR / f"{args.name}.pt")
    if args.export:
        export(state.average, MODEL_PATH)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", default=PLAN, help="side:batch:minutes:rate:last rate, comma-separated stages")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--depth-single", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="torch.compile: twice as fast, after a minute")
    parser.add_argument("--resume", action="store_true", help="start from build/train/demo/<name>.pt")
    parser.add_argument("--name", default="flux", help="of the checkpoint and the log under build/train/demo")
    parser.add_argument("--peer", default="", help="name of a second process to average weights with")
    parser.add_argument("--export", action="store_true", help="write demo/models/ at every save")
    return parser.parse_args()


def main() -> None:
    """Command line: trains through the plan."""
    args = parse_args()
    torch.manual_seed(time.time_ns() % 2**31)
    state = new_state(FluxTwin(Shape(args.hidden, args.depth, args.depth_single)).to(args.device))
    if args.resume:
        load_state(state, TRAIN_DIR / f"{args.name}.pt", args.device)
    run = torch.compile(state.model) if args.compile else state.model
    clock = Clock()
    for stage in parse_plan(args.plan):
        train_stage(args, state, stage, run, clock)
    finish(args, state)


if __name__ == "__main__":
    main()
