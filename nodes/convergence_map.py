"""Jano Convergence Map: where the picture settled early, as a picture, as masks, and as a map to use again."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..jano.adapters.inputs import pictures_of, samples_of
from ..jano.adapters.settings import report_of
from ..jano.show.render import computed_masks, level_overlay, level_sheet, notice
from .types import CATEGORY, NAME_ALIASES, LevelMapType


class JanoConvergenceMap(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="JanoConvergenceMap",
            display_name="Jano Convergence Map",
            category=CATEGORY,
            description="Shows how complex the parts of the picture were in the run that made it: static, moderate or "
            "active; of a clip, its frames side by side. With quality custom and intervals that is how often they were "
            "computed; else whole steps are skipped, and the map is there to look at.",
            search_aliases=[*NAME_ALIASES, "heatmap", "attention map", "level map"],
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
                LevelMapType.Output(display_name="level_map", tooltip="The map, for another Scheduler's level_map."),
                io.Image.Output(
                    display_name="sheet", tooltip="One picture: the map, of a clip up to twelve frames of it."
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
        return io.NodeOutput(picture, active, frozen, level_map, sheet, ui=ui.PreviewImage(sheet, cls=cls))
