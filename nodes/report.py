"""Jano Report: what a run computed and what it left out."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import folder_paths
from comfy_api.latest import io, ui

from ..jano.adapters.inputs import samples_of, switch_of, text_of
from ..jano.adapters.latents import size_told
from ..jano.adapters.progress import whole_run
from ..jano.adapters.settings import report_of
from ..jano.sentences import say
from ..jano.show.chart import step_chart, step_figures
from ..jano.show.headline import table as table_of
from ..jano.show.run_files import complaint_of, row_of, save_run
from ..jano.show.told import account_of, verdict_of
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
                io.Boolean.Input(
                    "save",
                    default=False,
                    optional=True,  # workflows of 0.1.0 do not have it
                    tooltip="Write each run as JSON into output/jano, and as a line into output/jano_runs.csv.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="run",
                    optional=True,
                    tooltip="save: what the names of the JSON files begin with.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="markdown", tooltip="The run as a table."),
                io.String.Output(display_name="json", tooltip="The run as JSON, with one entry a step."),
                io.Image.Output(
                    display_name="chart", tooltip="Seconds of each step, and what forecasts cost the picture."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, model: io.Model.Type, latent: io.Latent.Type, save: bool = False, filename_prefix: str = "run"
    ) -> io.NodeOutput:
        report = report_of(model, samples_of(latent))
        cls._note_for_saved_pictures(verdict_of(report))
        table, account, chart = table_of(report), account_of(report), step_chart(report)
        markdown = table.markdown()
        if switch_of(save, "save") and report.num_steps:  # of no run there is nothing to keep
            table += _saved(account, model, latent, text_of(filename_prefix, "filename_prefix"))
        shown = {
            **ui.PreviewText(table.markdown()).as_dict(),
            "jano": [account],
            "jano_run": [report.run],
            "jano_shown": [whole_run(report)],  # for the node that shows the run, if it heard nothing of it
            "jano_steps": step_figures(report),  # the page draws its own chart, in its theme
            "jano_table": table.spoken(),
        }
        return io.NodeOutput(markdown, json.dumps(account, indent=1), chart, ui=shown)

    @classmethod
    def _note_for_saved_pictures(cls, verdict: dict) -> None:
        """For what the host writes into pictures; it runs output nodes as soon as it can: this one before saving."""
        if cls.hidden is not None and cls.hidden.extra_pnginfo is not None:
            cls.hidden.extra_pnginfo.setdefault("jano", {})[str(cls.hidden.unique_id)] = verdict


def _saved(account: dict, model: io.Model.Type, latent: io.Latent.Type, prefix: str) -> tuple[tuple[str, str], ...]:
    """Save a run; the row for the node's table that says where, or why not, which ends no run."""
    when, size = datetime.now(), size_told(model, samples_of(latent))
    row = row_of(account, when, size=size)
    told = {"time": when.isoformat(" ", "seconds"), "size": size, **account}
    try:
        return ((say("row_saved"), save_run(Path(folder_paths.get_output_directory()), prefix, told, row)),)
    except (OSError, ValueError) as error:
        return ((say("row_not_saved"), complaint_of(error)),)
