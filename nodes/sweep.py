"""Jano Sweep: one seed in full and in every quality, on one sheet with what each took and how close it came."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..jano.adapters.sweep import SAMPLERS, SCHEDULERS, guided, sampling_of, sweep
from ..jano.presets import PRESETS, chosen_qualities
from ..jano.show.sheet import all_pictures, sweep_sheet
from .types import CATEGORY, NAME_ALIASES

NAMED = ", ".join(PRESETS)


class JanoSweep(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="JanoSweep",
            display_name="Jano Sweep",
            category=CATEGORY,
            description="Samples one seed in full and then in every quality, and puts the pictures on one sheet: "
            "seconds, how many times faster, the share that was computed, and how close each came to full. It takes a "
            "sampler's place, and as long as all of its runs together.",
            search_aliases=[
                *NAME_ALIASES,
                "xy plot",
                "x/y plot",
                "grid",
                "all qualities",
                "compare qualities",
                "benchmark",
                "before after",
            ],
            is_output_node=True,
            inputs=[
                io.Latent.Input("latent_image", tooltip="The latent to start from, as for a KSampler."),
                io.Vae.Input("vae", tooltip="Decodes the pictures, after all of them were sampled."),
                io.String.Input(
                    "qualities",
                    default=NAMED,
                    tooltip=f"Which to sample besides full, separated by commas: {NAMED}.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="The noise that all of them start from.",
                ),
                io.Int.Input("steps", default=20, min=1, max=10000, tooltip="Steps of every run, also of full."),
                io.Float.Input(
                    "cfg",
                    default=1.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    round=0.01,
                    tooltip="The guidance scale, as for a KSampler; 1 for Flux and other guided models.",
                ),
                io.Combo.Input("sampler_name", options=list(SAMPLERS), default="euler", tooltip="The sampler."),
                io.Combo.Input(
                    "scheduler",
                    options=list(SCHEDULERS),
                    default="simple",
                    tooltip="How noise is taken away over the steps.",
                ),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Below 1 the latent that comes in is kept in part, as for a KSampler.",
                ),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="The model, LoRAs and all. A Jano Accelerator before it is left out: this node tries its "
                    "qualities itself.",
                ),
                io.Conditioning.Input("positive", optional=True, tooltip="The prompt."),
                io.Conditioning.Input(
                    "negative", optional=True, tooltip="The negative prompt. Without one, cfg does not count."
                ),
                io.Guider.Input(
                    "guider",
                    optional=True,
                    tooltip="From a graph with SamplerCustomAdvanced: takes the place of model, positive, negative and "
                    "cfg.",
                ),
                io.Noise.Input("noise", optional=True, tooltip="The same: takes the place of seed."),
                io.Sampler.Input("sampler", optional=True, tooltip="The same: takes the place of sampler_name."),
                io.Sigmas.Input(
                    "sigmas", optional=True, tooltip="The same: takes the place of steps, scheduler and denoise."
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="sheet",
                    tooltip="One picture with all of them and their figures; of a batch or a clip, the picture in the "
                    "middle.",
                ),
                io.Image.Output(
                    display_name="pictures",
                    tooltip="All pictures, full first; of a batch or a clip, all of its pictures.",
                ),
                io.String.Output(display_name="markdown", tooltip="The figures as a table, to paste."),
                io.String.Output(display_name="json", tooltip="The same as JSON, in one line."),
            ],
        )

    @classmethod
    def execute(
        cls,
        latent_image: io.Latent.Type,
        vae: io.Vae.Type,
        qualities: str,
        seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        denoise: float,
        model: io.Model.Type | None = None,
        positive: io.Conditioning.Type | None = None,
        negative: io.Conditioning.Type | None = None,
        guider: io.Guider.Type | None = None,
        noise: io.Noise.Type | None = None,
        sampler: io.Sampler.Type | None = None,
        sigmas: io.Sigmas.Type | None = None,
    ) -> io.NodeOutput:
        chosen = chosen_qualities(qualities)
        guider = guided(model, positive, negative, cfg) if guider is None else guider
        sampling = sampling_of(
            guider, latent_image, noise, sampler, sigmas, seed, steps, sampler_name, scheduler, denoise
        )
        facts = {} if sampler is not None else {"sampler": sampler_name}
        facts |= {} if sigmas is not None else {"scheduler": scheduler}
        made, pictures = sweep(sampling, vae, chosen, **facts)
        sheet, markdown = sweep_sheet(made, pictures), made.markdown()
        shown = {
            **ui.PreviewImage(sheet, cls=cls).as_dict(),
            **ui.PreviewText(markdown).as_dict(),
            "jano": [made.as_dict()],
            "jano_table": made.spoken(),
        }
        return io.NodeOutput(sheet, all_pictures(pictures), markdown, made.as_json(), ui=shown)

    @classmethod
    def validate_inputs(cls, qualities: str | None = None) -> bool | str:
        """Before the prompt is queued; a text that is linked is None here, and judged when it runs."""
        try:
            return qualities is None or bool(chosen_qualities(qualities))
        except ValueError as sentence:
            return str(sentence)
