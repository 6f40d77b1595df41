"""Tables of bench/vae_ablation.py and bench/ltx_ablation.py."""

from __future__ import annotations

from pathlib import Path

from .records import Row, load
from .tables import host_line, table

INTRODUCTION = """## What is each part of making a fast decoder worth?

The demo's tiny Wan VAE (checkpoint {model}) made {times_fewer_flops:.1f} times cheaper ({gflop_per_frame:.1f} against
{teacher_gflop_per_frame:.1f} GFLOP for a frame of 832 x 480), measured on {held} drawn clips that no row learnt from.
The teacher is {teacher_psnr_db} dB from what was drawn. Kept: a decoder's PSNR to what was drawn, over the teacher's.
{host}. `python bench/run.py vae_ablation`
"""
START = """
Before any training, by how channels are chosen and how layers are set (cut out of the teacher's, or solved by least
squares on what the student itself feeds them). R^2: the least share of variance that the channels kept explain.
"""
TRAINED = """
After {steps} steps of training at {size}, by the start and by the phases (steps of one left out go to the others):
"""
SHIPPED = """
The decoder of the demo, trained longer (demo/train_wan_student.py), {times_fewer_flops:.1f} times fewer FLOPs:
"""
TRANSFER = """
One seed a row: differences of 0.2 dB say nothing, and the widths and the ridge of the least squares were chosen on
eight of these clips. So here choosing greedily and solving are what counts, and once layers are solved the first two
phases are not worth their steps; the last one is.

What does not carry over to the real Wan: every dB and share above (a teacher of width 16 that cross-fades motion is
easy to follow, and its clips are drawn), the widths (1/8 of 16 channels would be 2), how few steps are enough, and
perhaps what the phases are worth. Flash-VAED's authors report 93 % of the PSNR kept at 1/8, after about 300 GPU hours;
nothing was trained at that size here. What does carry over: the FLOPs, which are counted.
"""
CLOSE = ("PSNR to the teacher", "worst frame", "SSIM", "PSNR to what was drawn", "kept")


LTX_INTRODUCTION = """## And in LTX-Video's layout?

A small VAE in the layout of LTX-Video 0.9, its decoder begun by least squares and trained for 18 minutes on soft, slow
clips (demo/train_ltx_vae.py; checkpoint {model}), made {times_fewer_flops:.1f} times cheaper ({gflop_per_frame:.2f}
against {teacher_gflop_per_frame:.2f} GFLOP for a frame of 832 x 480), measured on {held} drawn clips that no row learnt
from. The teacher is {teacher_psnr_db} dB from what was drawn. {host}. `python bench/run.py ltx_ablation`
"""
LTX_TRANSFER = """
One seed a row. What this does not show: 93 % of the teacher's PSNR kept at 5 times fewer FLOPs. 200 steps keep three
quarters. An earlier teacher, trained from random weights, was only 15.2 dB from what was drawn, and its student kept
98.6 % of that, which says little. Here choosing greedily and solving are what counts: layers that were cut, and
channels chosen otherwise, are 4 to 8 dB behind after as many steps. This teacher carries a constant beside every
position's components, so that its norms do not divide their size out, and cut channels lose it. None of the dB carries
over to the real LTX-Video: nothing was trained at its size here, and its students give up looking ahead in twenty
convolutions.
"""


def ablation(out: Path) -> list[str]:
    """A section for each of the two VAEs that was measured."""
    wan = section(out / "vae_ablation.json", INTRODUCTION, "48 pixels", TRANSFER)
    return [*wan, *section(out / "ltx_ablation.json", LTX_INTRODUCTION, "96 pixels", LTX_TRANSFER)]


def section(path: Path, introduction: str, size: str, transfer: str) -> list[str]:
    about = load(path)
    if about is None:
        return []
    rows = about["rows"]
    start = [
        [row["selection"], "solved" if row["refit"] else "cut", f"{row['explained']:.3f}", *close(row)]
        for row in rows
        if row["part"] == "start"
    ]
    trained = [
        [row["what"], " + ".join(map(str, row["phase_steps"])), *close(row)] for row in rows if row["part"] == "trained"
    ]
    shipped = [SHIPPED.format(**row) + "\n" + table(CLOSE, [close(row)]) for row in rows if row["part"] == "shipped"]
    parts = [
        introduction.format(host=host_line(about), **about),
        START + "\n" + table(("channels", "layers", "least R^2", *CLOSE), start),
        TRAINED.format(size=size, **about) + "\n" + table(("start", "steps", *CLOSE), trained),
        *shipped,
        transfer,
    ]
    return ["".join(parts)]


def close(row: Row) -> list[str]:
    return [
        f"{row['psnr_db']:.2f} dB",
        f"{row['psnr_worst_frame_db']:.2f} dB",
        f"{row['ssim']:.4f}",
        f"{row['truth_psnr_db']:.2f} dB",
        f"{row['kept']:.1%}",
    ]
