"""REPORT.md: every part's JSON as tables and charts, with the command that renews it."""

from __future__ import annotations

from pathlib import Path

from . import (
    report_calibration,
    report_clips,
    report_constants,
    report_decoders,
    report_masks,
    report_patches,
    report_quality,
    report_references,
    report_risk,
    report_rivals,
    report_samplers,
    report_scores,
    report_short_runs,
    report_speed,
    report_vae,
)

INTRODUCTION = """# Measurements

Written by `make bench` (`python bench/run.py report` rewrites it from the JSON beside it). Both sides of every
comparison run in turn in one process; ratios are medians over rounds.
"""


def write(out: Path) -> Path:
    """Write REPORT.md into `out`, with a section for every part that was measured there; beds of patches, the
    calibration and the constants have files of their own."""
    sections = [
        *report_speed.speed(out),
        *report_speed.attention(out),
        *report_scores.scores(out),
        *report_quality.quality(out),
        *report_rivals.rivals(out / "quality.jsonl"),
        *report_clips.motion(out),
        *report_clips.content(out),
        *report_samplers.samplers(out),
        *report_short_runs.short_runs(out),
        *report_risk.risk(out),
        *report_masks.masks(out),
        *report_references.references(out),
        *report_decoders.decoders(out),
        *report_vae.ablation(out),
    ]
    report_patches.write(out)
    report_calibration.write(out)
    report_constants.write(out)
    path = out / "REPORT.md"
    path.write_text("\n".join([INTRODUCTION, *sections]), encoding="utf-8")
    return path
