"""Load Diffusion Model (Jano): the stock loader with the Accelerator's function built in."""

from __future__ import annotations

import folder_paths
from comfy_api.latest import io

from ..jano.adapters.patch import load_model, schedule
from ..jano.adapters.settings import Loader
from ..jano.config import REFERENCES, ReferenceConfig
from ..jano.presets import PRESETS, schedule_of
from .types import CATEGORY, EXPECTATION, SEARCH_ALIASES, own_id, references_input


class JanoModelLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="JanoModelLoader",
            display_name="Load Diffusion Model (Jano)",
            category=CATEGORY,
            description="Loads a diffusion model as the stock loader does, and makes it sample faster.",
            search_aliases=[*SEARCH_ALIASES, "load", "unet", "loader"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                io.Combo.Input(
                    "unet_name",
                    options=folder_paths.get_filename_list("diffusion_models"),
                    tooltip="A file in models/diffusion_models.",
                ),
                io.Combo.Input(
                    "weight_dtype",
                    options=["default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2"],
                    advanced=True,
                    tooltip="As in the stock loader: how the weights are held in memory.",
                ),
                io.Combo.Input(
                    "quality",
                    options=list(PRESETS),
                    default="balanced",
                    tooltip=EXPECTATION,
                ),
                references_input(),
            ],
            outputs=[io.Model.Output(tooltip="The accelerated model.")],
        )

    @classmethod
    def execute(cls, unet_name: str, weight_dtype: str, quality: str, references: str = REFERENCES[0]) -> io.NodeOutput:
        model = load_model(folder_paths.get_full_path_or_raise("diffusion_models", str(unet_name)), weight_dtype)
        inputs = {"unet_name": unet_name, "weight_dtype": weight_dtype, "quality": quality, "references": references}
        scheduled = schedule(
            model,
            schedule_of(quality, {}),
            preset=True,
            node_id=own_id(cls),
            loader=Loader("JanoModelLoader", tuple(inputs.items())),
            references=ReferenceConfig(references),
        )
        return io.NodeOutput(scheduled)
