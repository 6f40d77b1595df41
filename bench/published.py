"""Jano as it was published, at the operating points of the paper."""

from __future__ import annotations

from ..jano.config import AnalyzerConfig, SchedulerConfig

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
