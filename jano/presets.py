"""Settings per model family, each with its source."""

from __future__ import annotations

from .config import AnalyzerConfig, SchedulerConfig

QUALITIES = ("fidelity", "balanced", "fast", "draft", "custom")

# Paper, Appendix B, Flux: (static threshold, static interval, moderate threshold, moderate interval), 50 steps.
PAPER_FLUX = {
    "1.86x": (0.1, 8, 0.5, 5),
    "2.00x": (0.2, 10, 0.5, 3),
    "2.07x": (0.3, 10, 0.6, 3),
}


def as_published(point: str, warmup: float = 7 / 50) -> tuple[AnalyzerConfig, SchedulerConfig]:
    """Jano on Flux as the paper and the authors' code run it, at one operating point of Appendix B."""
    static, static_interval, moderate, moderate_interval = PAPER_FLUX[point]
    analyzer = AnalyzerConfig(warmup=warmup, score="pairwise", normalisation="minmax")
    scheduler = SchedulerConfig(
        static_threshold=static,
        moderate_threshold=moderate,
        static_interval=static_interval,
        moderate_interval=moderate_interval,
        cooldown=2 / 50,
        forecast="hold",
        correct=False,
    )
    return analyzer, scheduler


# Latent cells per region: the authors' 64-pixel regions on Flux at 1024 x 1024 (run_flux: H // 128).
FLUX_REGION = (1, 8, 8)
# Latent cells per region. The authors' Wan runner takes 7 frames by 6 x 8, which cannot follow what moves; a frame by
# 4 x 4 told moving tokens from still ones best on the tiny Wan (AUC 0.63 for contrast, 0.39 and 0.37 for the paper's).
WAN_REGION = (1, 4, 4)


# Tolerances of the error control, shares of the prediction's root mean square; measured with `make bench` (quality).
_TOLERANCE = {"fidelity": 0.02, "balanced": 0.06, "fast": 0.2, "draft": 0.8}
# With the map of an earlier run there is nothing to measure first: intervals (active, moderate, static) by level.
_INTERVALS = {"fidelity": (1, 2, 2), "balanced": (1, 2, 2), "fast": (2, 2, 2), "draft": (3, 3, 3)}

# Below this many steps nothing is gained: warm-up and cool-down are most of the run (jano-reference 2.1).
FEWEST_STEPS = 9


def scheduler_preset(quality: str, has_map: bool = False) -> SchedulerConfig:
    """Schedule of a quality name; raises ValueError for an unknown one."""
    if quality not in _TOLERANCE:
        raise ValueError(f"Jano: quality {quality!r} is unknown; choose one of {', '.join(_TOLERANCE)}.")
    if not has_map:
        return SchedulerConfig(tolerance=_TOLERANCE[quality])
    active, moderate, static = _INTERVALS[quality]
    return SchedulerConfig(active_interval=active, moderate_interval=moderate, static_interval=static)
