"""Jano Compare Decoders: what a fast decoder costs on one's own clip, and what it saves."""

from __future__ import annotations

from pathlib import Path

import folder_paths
from comfy_api.latest import io, ui

from ..flash_vaed.timing import Decoded, first_latents, timed_decode
from ..jano.adapters.weights import lpips_weights
from ..jano.sentences import say
from ..jano.show.quality import compare
from ..jano.show.render import contact_sheet, notice, side_by_side
from .types import CATEGORY, NAME_ALIASES


class FlashVAEDCompare(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FlashVAEDCompare",
            display_name="Jano Compare Decoders",
            category=CATEGORY,
            description="Decodes the beginning of a latent with two VAEs: how close the fast one is to the reference "
            "(PSNR, SSIM, the worst frame), how much faster it is, and how much less memory of the GPU it takes.",
            search_aliases=[*NAME_ALIASES, "flash vae", "vae", "psnr", "quality", "benchmark"],
            is_output_node=True,
            inputs=[
                io.Vae.Input("fast_vae", tooltip="The decoder to judge, such as that of Load VAE (Flash-VAED)."),
                io.Vae.Input("reference_vae", tooltip="The model's own VAE."),
                io.Latent.Input("latent", tooltip="What the sampler made; its own pictures are the best test."),
                io.Int.Input(
                    "most_latents",
                    default=6,
                    min=1,
                    max=4096,
                    tooltip="Only so many latent frames from the beginning are decoded: 6 of Wan are 21 frames.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="markdown", tooltip="Closeness, time and memory as a table."),
                io.Image.Output(
                    display_name="side_by_side", tooltip="Frame by frame: left the reference, right the fast one."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, fast_vae: io.Vae.Type, reference_vae: io.Vae.Type, latent: io.Latent.Type, most_latents: int
    ) -> io.NodeOutput:
        samples = first_latents(latent["samples"], most_latents, reference_vae, fast_vae)
        reference, fast = (timed_decode(vae, samples) for vae in (reference_vae, fast_vae))
        closeness = compare(reference.frames, fast.frames, *lpips_weights(Path(folder_paths.models_dir)))
        table = closeness.table() + _savings(reference, fast)
        markdown = table.markdown()
        faster = reference.seconds / fast.seconds
        told = (
            f"Left: the reference. Right: the fast decoder, {closeness.psnr.mean():.1f} dB, {faster:.1f} times as fast."
        )
        pairs = side_by_side(reference.frames, fast.frames)
        shown = {
            **ui.PreviewImage(notice(told, contact_sheet(pairs, most=4)), cls=cls).as_dict(),
            **ui.PreviewText(markdown).as_dict(),
            "jano_table": table.spoken(),
        }
        return io.NodeOutput(markdown, notice(told, pairs), ui=shown)


def _savings(reference: Decoded, fast: Decoded) -> tuple[tuple[str, str], ...]:
    """What the fast one saves, as rows of a table."""
    seconds = {"fast": fast.seconds, "reference": reference.seconds}
    memory = say("memory_unknown")
    if fast.most is not None and reference.most is not None:
        memory = say("memory_instead", fast=fast.most / 1e6, reference=reference.most / 1e6)
    return (
        (say("row_speed"), say("times_as_fast", times=reference.seconds / fast.seconds, **seconds)),
        (say("row_weights"), say("megabytes_instead", fast=fast.weights / 1e6, reference=reference.weights / 1e6)),
        (say("row_memory"), memory),
    )
