"""What a small decoder costs and how close it comes to the one it was made from."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from .losses import pictures, psnr, ssim
from .streaming import StreamedDecoder


def flops_per_frame(model: StreamedDecoder, height: int = 480, width: int = 832) -> float:
    """In the middle of a clip, multiplication and addition counted apart; nothing is computed."""
    shadow = copy.deepcopy(model).to("meta")
    frames, *cell = model.cell
    counts = []
    for latents in (3, 4):  # the first two meet nothing in the past yet
        sides = (size // side for size, side in zip((height, width), cell, strict=True))
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            shadow(torch.empty(1, model.widths.latent, latents, *sides, device="meta"))
        counts.append(counter.get_total_flops())
    return (counts[1] - counts[0]) / frames


def decoder_parameters(model: StreamedDecoder) -> int:
    """Those that decoding uses."""
    return sum(value.numel() for name, value in model.named_parameters() if name.startswith(("decoder.", "conv2.")))


@torch.no_grad()
def frames_of(model: StreamedDecoder, windows: Tensor, batch: int) -> Tensor:
    """The frames of latents (N, C, T, h, w) as pictures (N * F, 3, H, W) in -1 to 1, on the CPU."""
    device = next(model.parameters()).device
    return torch.cat([pictures(model(part.to(device)).float().clamp(-1, 1)).cpu() for part in windows.split(batch)])


def closeness(reference: Tensor, frames: Tensor) -> dict[str, float]:
    """PSNR in dB and SSIM of pictures, on average and in the worst one."""
    close, alike = psnr(reference, frames), ssim(reference, frames)
    return {
        "psnr_db": round(float(close.mean()), 2),
        "psnr_worst_frame_db": round(float(close.min()), 2),
        "ssim": round(float(alike.mean()), 4),
        "ssim_worst_frame": round(float(alike.min()), 4),
    }


def costs(teacher: StreamedDecoder, student: StreamedDecoder) -> dict[str, float]:
    """Parameters and FLOPs of a frame of 832 x 480, the teacher's over the student's."""
    parameters = [decoder_parameters(model) for model in (teacher, student)]
    flops = [flops_per_frame(model) for model in (teacher, student)]
    return {
        "teacher_parameters": parameters[0],
        "parameters": parameters[1],
        "teacher_gflop_per_frame": round(flops[0] / 1e9, 2),
        "gflop_per_frame": round(flops[1] / 1e9, 2),
        "times_fewer_flops": round(flops[0] / flops[1], 2),
    }


def markdown(report: dict) -> str:
    """The report of `make.make_student` to read."""
    close, cost, width = report["against_teacher"], report["costs"], report["widths"]
    window = report["window"]
    motion = "" if window[0] > 1 else "; a clip or more is a single picture, so nothing was learnt of motion"
    held = "clips it was not trained on" if report["held_out"] else "the clips it was trained on: there were no others"
    rows = [
        ("Measured on", held),
        (
            "PSNR to the teacher",
            f"{close['psnr_db']:.2f} dB, worst frame {close['psnr_worst_frame_db']:.2f} dB",
        ),
        ("SSIM to the teacher", f"{close['ssim']:.4f}, worst frame {close['ssim_worst_frame']:.4f}"),
        ("Parameters", f"{cost['parameters'] / 1e6:.2f} M, the teacher {cost['teacher_parameters'] / 1e6:.2f} M"),
        (
            "FLOPs of a frame, 832 x 480",
            f"{cost['gflop_per_frame']:.1f} G, {cost['times_fewer_flops']:.1f} times fewer",
        ),
        ("Channels", f"{width['fine']} and {width['finest']} at 4 and 8 times the latent's size"),
        ("Least of their variance kept", f"{100 * min(report['explained'].values()):.1f} %"),
        ("Windows", f"{' x '.join(map(str, window))} latents (time, height, width){motion}"),
        ("Trained", f"{sum(report['steps'])} steps ({', '.join(map(str, report['steps']))})"),
    ]
    lines = [f"Small decoder {report['name']}", "", "| | |", "|---|---|"]
    rows += [("Not written", report["missing"])] if "missing" in report else []
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows)]) + "\n"
