"""Jano Report: what a run computed and what it left out."""

from __future__ import annotations

import json

from comfy_api.latest import io, ui

from ..jano.adapters.inputs import samples_of
from ..jano.adapters.settings import report_of
from ..jano.show.render import step_chart
from .types import CATEGORY, NAME_ALIASES


class JanoReport(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="JanoReport",
            display_name="Jano Report",
            category=CATEGORY,
            description="What the run computed, what it left out, how long each step took, and why if it ran natively. "
            "Pictures that are saved in the same run carry the same verdict in their metadata.",
            search_aliases=[*NAME_ALIASES, "benchmark", "statistics"],
            is_output_node=True,
            hidden=[io.Hidden.unique_id, io.Hidden.extra_pnginfo],
            inputs=[
                io.Model.Input("model", tooltip="The model with Jano that the sampler used."),
                io.Latent.Input("latent", tooltip="The sampler's own output: it tells which run is meant."),
            ],
            outputs=[
                io.String.Output(display_name="markdown", tooltip="The run as a table."),
                io.String.Output(display_name="json", tooltip="The run as JSON, with one entry a step."),
                io.Image.Output(display_name="chart", tooltip="Share of the tokens computed at each step."),
            ],
        )

    @classmethod
    def execute(cls, model: io.Model.Type, latent: io.Latent.Type) -> io.NodeOutput:
        report = report_of(model, samples_of(latent))
        cls._note_for_saved_pictures(report.verdict_as_dict())
        markdown, account, chart = report.markdown(), report.as_dict(), step_chart(report)
        shown = {
            **ui.PreviewImage(chart, cls=cls).as_dict(),
            **ui.PreviewText(markdown).as_dict(),
            "jano": [account],
            "jano_table": report.table().spoken(),
        }
        return io.NodeOutput(markdown, json.dumps(account, indent=1), chart, ui=shown)

    @classmethod
    def _note_for_saved_pictures(cls, verdict: dict) -> None:
        """For what the host writes into pictures; it runs output nodes as soon as it can: this one before saving."""
        if cls.hidden is not None and cls.hidden.extra_pnginfo is not None:
            cls.hidden.extra_pnginfo.setdefault("jano", {})[str(cls.hidden.unique_id)] = verdict
