"""Trains the tiny Wan on clip latents by flow matching: single frames first, then few frames, full size last.

    python demo/clip_latents.py --side 128 --count 8000; python demo/clip_latents.py --side 256 --count 2500
    python demo/train_wan.py --compile --export
A plan is made of stages side:frames:batch:minutes:first rate:last rate; frames are spread over the whole clip.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from clip_latents import load_clips
from clips import LAST, LATENT_FRAMES
from latents import TRAIN_DIR
from nodes.text import encode_clip, load_table
from torch import Tensor
from train_state import TrainState, export, load_state, new_state, save_state
from train_step import append_line, noised, set_rate, update
from wan_twin import WanShape, WanTwin, video_places, video_rope

MODEL_PATH = Path(__file__).resolve().parent / "models" / "jano_tiny_wan.safetensors"
PLAN = (
    "128:1:128:25:3e-3:2e-3,128:3:40:13:2.5e-3:1.6e-3,128:5:24:15:1.8e-3:1.2e-3,"
    "256:5:6:15:1.2e-3:8e-4,256:9:4:15:8e-4:6e-5"
)
FULL_SIDE = 256
EMPTY_PROMPTS = 0.12
AVERAGE_DECAY = 0.99
"""The last stage is short: a longer memory would still hold weights of the stage before."""
SAVE_SECONDS = 150
STEPS_PER_LINE = 25


@dataclass(frozen=True)
class Stage:
    """Training at one picture side and number of latent frames: batch, minutes, learning rate at begin and end."""

    side: int
    frames: int
    batch: int
    minutes: float
    first_rate: float
    last_rate: float

    @property
    def tokens(self) -> int:
        return self.frames * (self.side // 16) ** 2


def parse_plan(text: str) -> list[Stage]:
    """'side:frames:batch:minutes:rate:rate,...' -> stages."""
    stages = []
    for part in text.split(","):
        side, frames, batch, minutes, first, last = part.split(":")
        stages.append(Stage(int(side), int(frames), int(batch), float(minutes), float(first), float(last)))
    return stages


def noise_shift(stage: Stage) -> float:
    """Mean of the logit of t: more tokens need more noise to hide the same layout."""
    return 0.4 * float(np.log(stage.tokens / 64))


def frame_times(stage: Stage) -> Tensor:
    """Times of the stage's frames; a single frame stands at the beginning."""
    return torch.linspace(0, LAST if stage.frames > 1 else 0, stage.frames)


def draw_batch(clips: list[tuple[np.ndarray, np.ndarray]], stage: Stage) -> tuple[Tensor, Tensor]:
    """Random clips of one part: latents (B, 16, frames, h, w) and said codes (B, CLIP_CODE_LEN)."""
    sizes = np.array([len(codes) for _, codes in clips], float)
    latents, codes = clips[np.random.choice(len(clips), p=sizes / sizes.sum())]
    chosen = np.sort(np.random.randint(len(codes), size=stage.batch))
    if stage.frames == 1:
        picked = latents[chosen, :, np.random.randint(LATENT_FRAMES, size=stage.batch)][:, :, None]
    else:
        picked = latents[chosen][:, :, frame_times(stage).round().long().numpy()]
    return torch.from_numpy(np.ascontiguousarray(picked)).float(), torch.from_numpy(codes[chosen])


def place_table(stage: Stage, head_dim: int, device: str) -> tuple[Tensor, Tensor]:
    """The rotary table of the stage's tokens: small pictures and few frames are spread over the full clip."""
    side = stage.side // 16
    return video_rope(video_places(frame_times(stage), side, side, FULL_SIDE / stage.side).to(device), head_dim)


def train_stage(args: argparse.Namespace, state: TrainState, stage: Stage) -> None:
    """Steps until the stage's minutes are spent, logging now and then and saving every few minutes."""
    shape: WanShape = state.model.shape
    words, clips = load_table().to(args.device), load_clips(TRAIN_DIR, stage.side)
    table = place_table(stage, shape.dim // shape.heads, args.device)
    start, saved, losses = time.time(), time.time(), []
    while (share := (time.time() - start) / (60 * stage.minutes)) < 1:
        set_rate(state, stage.batch, share, stage.first_rate, stage.last_rate)
        latents, codes = draw_batch(clips, stage)
        said = codes * (torch.rand(stage.batch, 1) > EMPTY_PROMPTS)
        x, t, target = noised(latents.to(args.device), noise_shift(stage))
        with torch.autocast(torch.device(args.device).type, torch.bfloat16):
            loss = (state.model(x, t, encode_clip(said.to(args.device), words), table).float() - target).square().mean()
        update(state, loss, stage.batch, AVERAGE_DECAY)
        losses.append(loss.item())
        if len(losses) == STEPS_PER_LINE:
            log(args, state, stage, losses, time.time() - start)
            losses = []
        if time.time() - saved > SAVE_SECONDS:
            saved = time.time()
            finish(args, state)
            clips = load_clips(TRAIN_DIR, stage.side)


def log(args: argparse.Namespace, state: TrainState, stage: Stage, losses: list[float], seconds: float) -> None:
    """Appends one line to the run's log."""
    place = {"side": stage.side, "frames": stage.frames, "clips": state.pictures}
    note = place | {"loss": round(sum(losses) / len(losses), 4), "seconds": round(seconds, 1)}
    append_line(TRAIN_DIR / f"{args.name}.log", json.dumps(note))


def finish(args: argparse.Namespace, state: TrainState) -> None:
    """Writes the checkpoint, and the model if asked."""
    save_state(state, TRAIN_DIR / f"{args.name}.pt")
    if args.export:
        shape: WanShape = state.model.shape
        config = {"transformer": {"num_heads": shape.heads, "text_dim": shape.text_dim}}
        export(state.average, MODEL_PATH, {"config": json.dumps(config)})


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", default=PLAN)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="torch.compile: twice as fast, after a minute a stage")
    parser.add_argument("--resume", action="store_true", help="start from build/train/demo/<name>.pt")
    parser.add_argument("--name", default="wan", help="of the checkpoint and the log under build/train/demo")
    parser.add_argument("--export", action="store_true", help="write demo/models/ at every save")
    return parser.parse_args()


def main() -> None:
    """Command line: trains through the plan."""
    args = parse_args()
    torch.manual_seed(time.time_ns() % 2**31)
    state = new_state(WanTwin(WanShape(dim=args.dim, layers=args.layers)).to(args.device))
    if args.resume:
        load_state(state, TRAIN_DIR / f"{args.name}.pt", args.device)
    if args.compile:
        for block in state.model.blocks:  # one by one: eight alike cost the compilation of one
            block.compile(dynamic=False)
    for stage in parse_plan(args.plan):
        train_stage(args, state, stage)
    finish(args, state)


if __name__ == "__main__":
    main()
