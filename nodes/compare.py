"""Jano Compare: how close a picture or clip is to its reference, in numbers and as a map."""

from __future__ import annotations

from pathlib import Path

import folder_paths
from comfy_api.latest import io, ui

from ..jano.adapters.inputs import pictures_of
from ..jano.adapters.weights import lpips_weights
from ..jano.show.quality import compare
from ..jano.show.render import contact_sheet, difference_map, evenly_chosen
from .types import CATEGORY, NAME_ALIASES


class JanoCompare(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="JanoCompare",
            display_name="Jano Compare",
            category=CATEGORY,
            description="How close a picture or clip is to its reference: PSNR, SSIM, the worst frame, and where they "
            "differ. Connect the run without Jano as the reference; a run with fewer steps is a fair rival.",
            search_aliases=[*NAME_ALIASES, "psnr", "ssim", "difference", "quality", "benchmark"],
            is_output_node=True,
            inputs=[
                io.Image.Input("reference", tooltip="The picture or clip made in full, with the same seed."),
                io.Image.Input("image", tooltip="The one to judge, of the same size and length."),
            ],
            outputs=[
                io.String.Output(display_name="markdown", tooltip="PSNR, SSIM and the worst frame as a table."),
                io.Image.Output(display_name="difference", tooltip="Where they differ: black 0 %, white 25 % or more."),
            ],
        )

    @classmethod
    def execute(cls, reference: io.Image.Type, image: io.Image.Type) -> io.NodeOutput:
        reference, image = pictures_of(reference, "reference"), pictures_of(image, "image")
        closeness = compare(reference, image, *lpips_weights(Path(folder_paths.models_dir)))
        table, difference = closeness.table(), difference_map(reference, image)
        markdown = table.markdown()
        sheet = contact_sheet(difference) if difference.shape[0] > 1 else difference
        shown = {
            **ui.PreviewImage(sheet, cls=cls).as_dict(),
            **ui.PreviewText(markdown).as_dict(),
            **_under_the_slider(cls, reference, image, closeness.worst_frame),
            "jano": [closeness.as_dict()],
            "jano_table": table.spoken(),
        }
        return io.NodeOutput(markdown, difference, ui=shown)


def _under_the_slider(cls: type[io.ComfyNode], reference: io.Image.Type, image: io.Image.Type, worst: int) -> dict:
    """Both pictures for the page, under the names of the host's own node that compares; of a clip some frames, which
    are counted from 1."""
    chosen = sorted({*evenly_chosen(reference.shape[0]), worst})
    a, b = (ui.PreviewImage(pictures[chosen], cls=cls).as_dict()["images"] for pictures in (reference, image))
    return {"a_images": a, "b_images": b, "frames": [index + 1 for index in chosen], "worst": [worst + 1]}
