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
    )
    return analyzer, scheduler


# Latent cells per region: the authors' 64-pixel regions on Flux at 1024 x 1024 (run_flux: H // 128).
FLUX_REGION = (1, 8, 8)
# Latent cells per region: the authors' Wan runner (7 frames, 6 x 8).
WAN_REGION = (7, 6, 8)


def _intervals(active: int, moderate: int, static: int, active_share: float) -> dict:
    return {
        "active_interval": active,
        "moderate_interval": moderate,
        "static_interval": static,
        "static_threshold": 0.4,
        "moderate_threshold": 1.0 - active_share,
    }


# Thresholds are shares of the regions (rank normalisation). Measured on the tiny Flux (28 steps, CFG 4, euler): one
# interval of 2 for all, with a damped forecast, is 3 dB ahead of fewer steps; the most complex tenth at every step adds
# 0.4 to 0.9 dB, and longer intervals for static regions lose more than they save. `make bench` measures this.
_QUALITY = {
    "fidelity": _intervals(active=1, moderate=2, static=2, active_share=0.25),
    "balanced": _intervals(active=1, moderate=2, static=2, active_share=0.10),
    "fast": _intervals(active=2, moderate=2, static=2, active_share=0.10),
    "draft": _intervals(active=3, moderate=3, static=3, active_share=0.10),
}

# Below this many steps nothing is gained: warm-up and cool-down are most of the run (jano-reference 2.1).
FEWEST_STEPS = 9


def scheduler_preset(quality: str) -> SchedulerConfig:
    """Schedule of a quality name; raises ValueError for an unknown one."""
    if quality not in _QUALITY:
        raise ValueError(f"Jano: quality {quality!r} is unknown; choose one of {', '.join(_QUALITY)}.")
    return SchedulerConfig(**_QUALITY[quality])
