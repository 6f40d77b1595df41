"""Fine-tunes the tiny Flux to edit: a noised picture, and behind it one or three references it is made from.

    python demo/edits.py --part 0 --count 6000; python demo/edits.py --part 1 --count 8000
    python demo/train_edit.py --kind tz --export        # or step; isolated --begin tz
Two processes can share the work, averaging their weights now and then: --name left --peer right, and the other.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from edit_start import start
from edit_twin import KINDS, Kind, edit_places
from edits import SIDE, load_parts
from flux_twin import rope_table
from latents import TRAIN_DIR
from nodes.text import NUM_TOKENS, encode, load_table
from safetensors.torch import load_file
from torch import Tensor
from train_flux import EMPTY_PROMPTS, MEET_SECONDS, SAVE_SECONDS, Clock
from train_state import TrainState, export, load_state, meet, new_state, save_state
from train_step import append_line, noised, set_rate, update

MODELS = Path(__file__).resolve().parent / "models"
THREE_REFERENCES = 0.3
"""Share of the steps; in half of their pairs the prompt does not say what changes, the other references show it."""
UNSAID = 0.5
NOISE_SHIFT = 0.4


@dataclass(frozen=True)
class Pairs:
    """Latents (N, 4, 16, 16, 16) fp16: before, after, two carriers; said codes (N, 2, CODE_LEN) of after and before;
    the place in the code that changes (N,)."""

    latents: Tensor
    codes: Tensor
    places: Tensor


@dataclass(frozen=True)
class Batch:
    """Targets (B, 16, 16, 16), their references (as many of the same), what is said of the target (B, CODE_LEN)."""

    target: Tensor
    references: list[Tensor]
    said: Tensor


def single_reference(pairs: Pairs, size: int) -> Batch:
    """Pairs in either direction."""
    picked, turned = torch.randint(len(pairs.latents), (size,)), torch.randint(2, (size,))
    before, after = (pairs.latents[picked, place].float() for place in (turned, 1 - turned))
    return Batch(after, [before], pairs.codes[picked, turned])


def three_references(pairs: Pairs, size: int) -> Batch:
    """Pairs with their carriers."""
    picked = torch.randint(len(pairs.latents), (size,))
    before, after, *carriers = pairs.latents[picked].float().unbind(1)
    said = pairs.codes[picked, 0].clone()
    hidden = torch.rand(size) < UNSAID
    said[hidden, pairs.places[picked][hidden].long()] = 0
    return Batch(after, [before, *carriers], said)


def places_table(kind: Kind, num_references: int) -> tuple[Tensor, Tensor]:
    """The rotary table of a picture and its references, all of SIDE pixels."""
    size = (SIDE // 16, SIDE // 16)
    return rope_table(edit_places(kind, size, [size] * num_references, NUM_TOKENS))


def train(args: argparse.Namespace, state: TrainState, run: torch.nn.Module, pairs: Pairs) -> None:
    """Steps until the minutes are spent, logging every 100 steps."""
    table, kind, clock, begun = load_table(), KINDS[args.kind], Clock(), time.time()
    places = {count: places_table(kind, count) for count in (1, 3)}
    losses: dict[int, list[float]] = {1: [], 3: []}
    while (share := (time.time() - begun) / (60 * args.minutes)) < 1:
        set_rate(state, args.batch, share, args.rate, args.last_rate)
        batch = (three_references if torch.rand(()) < THREE_REFERENCES else single_reference)(pairs, args.batch)
        context, pooled = encode(batch.said * (torch.rand(args.batch, 1) > EMPTY_PROMPTS), table)
        x, t, target = noised(batch.target, NOISE_SHIFT)
        with torch.autocast("cpu", torch.bfloat16):
            out = run(x, t, context, pooled, places[len(batch.references)], batch.references)
        loss = (out.float() - target).square().mean()
        update(state, loss, args.batch)
        losses[len(batch.references)].append(loss.item())
        if sum(map(len, losses.values())) == 100:
            write_losses(args, state, losses, time.time() - begun)
            losses = {1: [], 3: []}
        keep_up(args, state, clock)


def write_losses(args: argparse.Namespace, state: TrainState, losses: dict[int, list[float]], seconds: float) -> None:
    """One line of the log: mean losses with one reference and with three."""
    means = {f"loss_{count}": round(sum(some) / max(len(some), 1), 4) for count, some in losses.items()}
    note = {"pictures": state.pictures, "seconds": round(seconds, 1)} | means
    append_line(stored(args.kind, args.name).with_suffix(".log"), json.dumps(note))


def stored(kind: str, name: str) -> Path:
    """Where a run keeps its state."""
    return TRAIN_DIR / f"edit_{kind}{name and '_'}{name}.pt"


def keep_up(args: argparse.Namespace, state: TrainState, clock: Clock) -> None:
    """Saves and meets the peer when it is time."""
    now = time.time()
    if args.peer and now - clock.met > MEET_SECONDS:
        clock.met = now
        meet(state, SIDE, *(stored(args.kind, name).with_suffix(".weights.pt") for name in (args.name, args.peer)))
    if now - clock.saved > SAVE_SECONDS:
        clock.saved = now
        finish(args, state)


def finish(args: argparse.Namespace, state: TrainState) -> None:
    """Writes the checkpoint, and the model if asked."""
    save_state(state, stored(args.kind, args.name))
    if args.export:
        kind = KINDS[args.kind]
        notes = {"jano_references": "isolated" if kind.isolated else "joint", "reference_latents_method": kind.method}
        export(state.average, MODELS / f"jano_tiny_edit_{args.kind}.safetensors", notes)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=tuple(KINDS), required=True)
    parser.add_argument("--minutes", type=float, default=35, help="wall clock")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--last-rate", type=float, default=5e-5)
    parser.add_argument("--compile", action="store_true", help="torch.compile: twice as fast, after two minutes")
    parser.add_argument("--resume", action="store_true", help="start from build/train/demo/edit_<kind>_<name>.pt")
    parser.add_argument("--begin", default="", help="kind whose weights to begin with, in place of the tiny Flux's")
    parser.add_argument("--name", default="", help="of the state and the log under build/train/demo")
    parser.add_argument("--peer", default="", help="name of a second process to average weights with")
    parser.add_argument("--export", action="store_true", help="write demo/models/ at every save")
    return parser.parse_args()


def main() -> None:
    """Command line."""
    args = parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(time.time_ns() % 2**31)
    pairs = Pairs(*(torch.from_numpy(array) for array in load_parts(TRAIN_DIR)))
    pooled = encode(pairs.codes[:512, 0], load_table())[1]
    model = start(KINDS[args.kind], pooled)
    if args.begin:
        begun = load_file(str(MODELS / f"jano_tiny_edit_{args.begin}.safetensors"))
        model.load_state_dict({name: value.float() for name, value in begun.items()})
    state = new_state(model)
    if args.resume:
        load_state(state, stored(args.kind, args.name), "cpu")
    run = torch.compile(model, dynamic=False) if args.compile else model
    train(args, state, run, pairs)
    finish(args, state)


if __name__ == "__main__":
    main()
