"""Settings per model family, each with its source."""

from __future__ import annotations

from .config import AnalyzerConfig, SchedulerConfig, complaint, shown

QUALITIES = ("fidelity", "balanced", "fast", "draft", "custom")

# Operating points: (static threshold, static interval, moderate threshold, moderate interval) at 50 steps.
# Paper, Appendix B.
PAPER_FLUX = {
    "1.86x": (0.1, 8, 0.5, 5),
    "2.00x": (0.2, 10, 0.5, 3),
    "2.07x": (0.3, 10, 0.6, 3),
}
# Paper, Appendix B: Wan 2.1 at 832 x 480 (1.3B) and 1280 x 720 (14B), 81 frames; "as shipped" is what the authors'
# run_wan sets for both. The paper and its code have nothing for the 5B (Wan 2.2); it has no published point here.
PAPER_WAN = {
    "1.3B 1.45x": (0.1, 3, 0.3, 2),
    "1.3B 2.09x": (0.15, 6, 0.4, 4),
    "1.3B 2.25x": (0.4, 6, 0.6, 4),
    "14B 1.71x": (0.1, 6, 0.3, 3),
    "14B 2.02x": (0.15, 6, 0.4, 4),
    "14B 2.30x": (0.4, 6, 0.6, 4),
    "as shipped": (0.2, 6, 0.6, 3),
}
PUBLISHED = {"flux": PAPER_FLUX, "wan": PAPER_WAN}

# Warm-up of section 6.3; cool-down, regions and temporal weight of the authors' runners (jano-reference 1.5).
_AS_THEY_MEASURE = {"score": "pairwise", "normalisation": "minmax"}
_PUBLISHED_ANALYZER = {
    "flux": AnalyzerConfig(warmup=7 / 50, **_AS_THEY_MEASURE),
    "wan": AnalyzerConfig(warmup=6 / 50, region=(7, 6, 8), temporal_weight=0.7, **_AS_THEY_MEASURE),
}
_PUBLISHED_COOLDOWN = {"flux": 2 / 50, "wan": 4 / 50}


def as_published(family: str, point: str) -> tuple[AnalyzerConfig, SchedulerConfig]:
    """Jano as the paper and the authors' code run it, at one operating point of `PUBLISHED[family]`.

    Raises KeyError for a family or point that was not published.
    """
    static, static_interval, moderate, moderate_interval = PUBLISHED[family][point]
    scheduler = SchedulerConfig(
        static_threshold=static,
        moderate_threshold=moderate,
        static_interval=static_interval,
        moderate_interval=moderate_interval,
        cooldown=_PUBLISHED_COOLDOWN[family],
        forecast="hold",
        correct=False,
    )
    return _PUBLISHED_ANALYZER[family], scheduler


# Latent cells per region: the authors' 64-pixel regions on Flux at 1024 x 1024 (run_flux: H // 128).
FLUX_REGION = (1, 8, 8)
# Latent cells per region. The authors' Wan runner takes 7 frames by 6 x 8. A frame by 4 x 4 tells moving tokens from
# still ones better on the tiny Wan (AUC after 4 steps 0.735 against 0.677, `bench/run.py motion`), and its
# maps follow what moves from frame to frame.
WAN_REGION = (1, 4, 4)


# Tolerances of the error control, shares of the prediction's root mean square; measured with `make bench` (quality).
_TOLERANCE = {"fidelity": 0.02, "balanced": 0.06, "fast": 0.2, "draft": 0.8}

# Below this many steps nothing is gained: warm-up and cool-down are most of the run (jano-reference 2.1).
FEWEST_STEPS = 9


def schedule_of(quality: str, custom: dict[str, object]) -> SchedulerConfig:
    """Schedule of a quality name, for "custom" by these settings; ValueError with a sentence for what makes none."""
    if quality == "custom":
        return SchedulerConfig(**custom)
    if quality not in list(_TOLERANCE):
        raise ValueError(_unknown(quality))
    return SchedulerConfig(tolerance=_TOLERANCE[quality])


def schedule_complaint(quality: str | None, custom: dict[str, object]) -> str:
    """What is wrong with a quality and the settings of "custom", as far as they are known; empty for nothing."""
    if quality == "custom":
        return complaint(SchedulerConfig, custom)
    return "" if quality in (None, *_TOLERANCE) else _unknown(quality)


def _unknown(quality: object) -> str:
    return f"Jano: quality {shown(quality)} is unknown; choose one of {', '.join(QUALITIES)}."
