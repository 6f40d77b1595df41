"""Jano Analyzer and Jano Accelerator: settings on a clone of the MODEL."""

from __future__ import annotations

from comfy_api.latest import io

from ..jano.adapters.patch import analyze, schedule
from ..jano.config import CACHES, MOST_SPEEDUP, AnalyzerConfig, ReferenceConfig, SchedulerConfig
from ..jano.levels.complexity import SCORE_FUNCTIONS
from ..jano.presets import PRESETS, QUALITIES, schedule_complaint, schedule_of
from .types import CATEGORY, EXPECTATION, NAME_ALIASES, SEARCH_ALIASES, LevelMapType, own_id, references_input

ANALYZER = AnalyzerConfig()
SCHEDULER = SchedulerConfig()
KEEPING = ReferenceConfig()


class JanoAnalyzer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="JanoAnalyzer",
            display_name="Jano Analyzer",
            category=CATEGORY,
            description="Reads from the first sampling steps which parts of the picture are complex. Alone it changes "
            "nothing and records the level map; beside a Jano Accelerator it says how that one's map is drawn.",
            search_aliases=[*NAME_ALIASES, "level map", "complexity"],
            hidden=[io.Hidden.unique_id],
            not_idempotent=True,  # the host must not hand a MODEL that draws on this node to another one
            inputs=[
                io.Model.Input("model", tooltip="The diffusion model to watch (Flux, Wan, Qwen-Image and others)."),
                io.Float.Input(
                    "warmup",
                    default=ANALYZER.warmup,
                    min=0.0,
                    max=0.9,
                    step=0.01,
                    advanced=True,
                    tooltip="Share of the steps from which the map is drawn; with intervals (quality custom) they are "
                    "computed in full. The paper uses about 10 %.",
                ),
                *_region_inputs(),
                io.Float.Input(
                    "temporal_weight",
                    default=ANALYZER.temporal_weight,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    advanced=True,
                    tooltip="Video: how much change over time counts against change over space.",
                ),
                io.Combo.Input(
                    "score",
                    options=list(SCORE_FUNCTIONS),
                    default=ANALYZER.score,
                    advanced=True,
                    tooltip="How complexity is measured. contrast: how much the denoised prediction varies, in clips "
                    "also from frame to frame (measured best). curvature: how much the velocity bends over the steps. "
                    "pairwise: the authors' code. paper: the paper's equations 10 to 15.",
                ),
                io.Boolean.Input(
                    "fill_holes",
                    default=ANALYZER.fill_holes,
                    advanced=True,
                    tooltip="Treat what complex regions enclose as complex, so that the inside of a busy thing is not "
                    "frozen. Changes little in our measurements.",
                ),
            ],
            outputs=[io.Model.Output(tooltip="The model with the analyzer.")],
        )

    @classmethod
    def execute(
        cls,
        model: io.Model.Type,
        warmup: float,
        region_t: int,
        region_h: int,
        region_w: int,
        temporal_weight: float,
        score: str,
        fill_holes: bool = False,
    ) -> io.NodeOutput:
        analyzer = AnalyzerConfig(warmup, (region_t, region_h, region_w), temporal_weight, score, fill_holes=fill_holes)
        return io.NodeOutput(analyze(model, analyzer, node_id=own_id(cls)))


def _region_inputs() -> list[io.Input]:
    sides = {"region_t": "frames", "region_h": "height", "region_w": "width"}
    return [
        io.Int.Input(
            name,
            default=0,
            min=0,
            max=512,
            advanced=True,
            tooltip=f"Region size in latent cells ({side}); tokens of one region share a level. 0 takes the model's.",
        )
        for name, side in sides.items()
    ]


class JanoScheduler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="JanoScheduler",
            display_name="Jano Accelerator",
            category=CATEGORY,
            description="Speeds up a diffusion model: it measures how well the model can be forecast, computes "
            "it where it cannot, and repairs afterwards what forecasts missed. What it cannot speed up it runs "
            "unchanged, and says why.",
            search_aliases=SEARCH_ALIASES,
            hidden=[io.Hidden.unique_id],
            not_idempotent=True,  # the host must not hand a MODEL that draws on this node to another one
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="The diffusion model to speed up (Flux, Wan, Qwen-Image and others), LoRAs and all.",
                ),
                io.Combo.Input(
                    "quality",
                    options=list(QUALITIES),
                    default="balanced",
                    tooltip=f"{EXPECTATION} target: as few of the steps as target_speedup asks for. custom: the "
                    "settings below.",
                ),
                *_threshold_inputs(),
                *_interval_inputs(),
                io.Float.Input(
                    "cooldown",
                    default=SCHEDULER.cooldown,
                    min=0.0,
                    max=0.9,
                    step=0.01,
                    advanced=True,
                    tooltip="target and custom: share of the steps at the end that are computed in full.",
                ),
                io.Float.Input(
                    "target_speedup",
                    default=SCHEDULER.target_speedup,
                    min=0.0,
                    max=MOST_SPEEDUP,
                    step=0.05,
                    advanced=True,
                    tooltip="target and custom: counts steps. 2 computes half of them, 4 a quarter, wherever that "
                    "costs the picture least; in seconds a little less is saved. With custom, 0 goes by the thresholds "
                    "and intervals above instead.",
                ),
                LevelMapType.Input(
                    "level_map",
                    optional=True,
                    tooltip="The map of the run that this one goes on from, as of Wan 2.2's first expert (Jano "
                    "Convergence Map): no warm-up is needed, because what that run measured comes along.",
                ),
                references_input(),
                *_cache_inputs(),
            ],
            outputs=[io.Model.Output(tooltip="The accelerated model.")],
        )

    @classmethod
    def execute(
        cls,
        model: io.Model.Type,
        quality: str,
        static_threshold: float,
        moderate_threshold: float,
        static_interval: int,
        moderate_interval: int,
        active_interval: int,
        cooldown: float,
        target_speedup: float = 0.0,
        level_map: object = None,
        references: str = KEEPING.references,
        cache: str = KEEPING.cache,
        cache_budget_gb: float = KEEPING.cache_budget_gb,
    ) -> io.NodeOutput:
        custom = {
            "static_threshold": static_threshold,
            "moderate_threshold": moderate_threshold,
            "static_interval": static_interval,
            "moderate_interval": moderate_interval,
            "active_interval": active_interval,
            "cooldown": cooldown,
            "target_speedup": target_speedup,
        }
        made, preset = schedule_of(quality, custom), quality in PRESETS
        scheduled = schedule(
            model,
            made,
            preset,
            level_map=level_map,
            node_id=own_id(cls),
            references=ReferenceConfig(references, cache, cache_budget_gb),
        )
        return io.NodeOutput(scheduled)

    @classmethod
    def validate_inputs(
        cls,
        quality: str | None = None,
        static_threshold: float | None = None,
        moderate_threshold: float | None = None,
        static_interval: int | None = None,
        moderate_interval: int | None = None,
        active_interval: int | None = None,
        target_speedup: float | None = None,
    ) -> bool | str:
        """Before the prompt is queued; what is linked is None here, and judged when it runs."""
        custom = {
            "static_threshold": static_threshold,
            "moderate_threshold": moderate_threshold,
            "static_interval": static_interval,
            "moderate_interval": moderate_interval,
            "active_interval": active_interval,
            "target_speedup": target_speedup,
        }
        known = {name: value for name, value in custom.items() if value is not None}
        return schedule_complaint(quality, known) or True


def _cache_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "cache",
            options=list(CACHES),
            default=KEEPING.cache,
            optional=True,
            advanced=True,
            tooltip="Where the keys and values of references, and of levels, are kept. device: fastest. fp8: half of "
            "the memory. cpu: none of the device's, slower. auto: the first that fits.",
        ),
        io.Float.Input(
            "cache_budget_gb",
            default=KEEPING.cache_budget_gb,
            optional=True,
            min=0.0,
            max=1024.0,
            step=0.5,
            advanced=True,
            tooltip="How much of the device's memory they may take with cache auto, in gigabytes; 0 is half.",
        ),
    ]


def _threshold_inputs() -> list[io.Input]:
    rows = {"static_threshold": "static", "moderate_threshold": "at most moderate"}
    return [
        io.Float.Input(
            name,
            default=getattr(SCHEDULER, name),
            min=0.0,
            max=1.0,
            step=0.01,
            advanced=True,
            tooltip=f"custom: this share of the regions, the least complex first, is {level}.",
        )
        for name, level in rows.items()
    ]


def _interval_inputs() -> list[io.Input]:
    return [
        io.Int.Input(
            f"{level}_interval",
            default=getattr(SCHEDULER, f"{level}_interval"),
            min=1,
            max=64,
            advanced=True,
            tooltip=f"custom: {level} tokens are computed every this many steps (1 = every step).",
        )
        for level in ("static", "moderate", "active")
    ]
