"""Jano Convergence Map: where the picture settled early, as a picture, as masks, and as a map to use again."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..jano.adapters.inputs import pictures_of, samples_of
from ..jano.adapters.settings import report_of
from ..jano.show.render import computed_masks, error_overlay, error_sheet, level_overlay, level_sheet, notice
from ..jano.show.report import RunReport
from .types import CATEGORY, NAME_ALIASES, LevelMapType


class JanoConvergenceMap(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="JanoConvergenceMap",
            display_name="Jano Convergence Map",
            category=CATEGORY,
            description="Shows what the run did to the parts of the picture; of a clip, its frames side by side. Where "
            "whole steps were forecast: how far the forecasts moved each part, before they were repaired. With quality "
            "custom and intervals: how often each part was computed, by its level: static, moderate or active.",
            search_aliases=[*NAME_ALIASES, "heatmap", "error map", "attention map", "level map"],
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="The model with Jano that the sampler used."),
                io.Latent.Input("latent", tooltip="The sampler's own output: it tells which run is meant."),
                io.Image.Input("image", optional=True, tooltip="The decoded picture to lay the map over."),
            ],
            outputs=[
                io.Image.Output(
                    display_name="map",
                    tooltip="The level map, over the picture if one is connected; a frame for each of a clip.",
                ),
                io.Mask.Output(
                    display_name="active",
                    tooltip="1 in the active, most complex parts. As large as the picture, if one is connected.",
                ),
                io.Mask.Output(
                    display_name="frozen",
                    tooltip="1 in the rest: the calmer parts, which quality custom leaves out at some steps.",
                ),
                LevelMapType.Output(
                    display_name="level_map", tooltip="The map, for another Jano Accelerator's level_map."
                ),
                io.Image.Output(
                    display_name="sheet", tooltip="One picture: the map, of a clip up to twelve frames of it."
                ),
                io.Image.Output(
                    display_name="errors",
                    tooltip="How far forecasts moved each part of the picture, as heat over it; a frame for each of a "
                    "clip.",
                ),
            ],
        )

    @classmethod
    def execute(cls, model: io.Model.Type, latent: io.Latent.Type, image: io.Image.Type | None = None) -> io.NodeOutput:
        samples = samples_of(latent)
        image = None if image is None else pictures_of(image, "image")
        report = report_of(model, samples)
        level_map = report.level_map
        if level_map is None:
            picture = notice(
                f"No level map: {'; '.join(report.fallbacks + report.notes) or 'this run drew none'}.", image
            )
        else:
            picture = level_overlay(level_map, image)
        sheet = level_sheet(level_map, image) if level_map is not None and picture.shape[0] > 1 else picture[:1]
        active, frozen = computed_masks(level_map, samples, image)
        errors, shown = _errors(report, image)
        preview = ui.PreviewImage(sheet if shown is None else shown, cls=cls)
        return io.NodeOutput(picture, active, frozen, level_map, sheet, errors, ui=preview)


def _errors(report: RunReport, image: io.Image.Type | None) -> tuple[io.Image.Type, io.Image.Type | None]:
    """Errors of forecasts over the picture, and as the node shows them; None where none were measured."""
    error_map = report.error_map
    if error_map is None:
        why = "; ".join(report.fallbacks + report.notes) or "this run forecast no whole step"
        return notice(f"No errors of forecasts: {why}.", image), None
    errors = error_overlay(error_map, image)
    return errors, error_sheet(error_map, image) if errors.shape[0] > 1 else errors
