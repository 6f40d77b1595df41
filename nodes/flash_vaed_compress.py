"""Jano Compress Decoder: makes a fast decoder from a VAE of Wan 2.1 or LTX-Video 0.9."""

from __future__ import annotations

import re
from pathlib import Path

import folder_paths
from comfy_api.latest import io, ui

from ..flash_vaed.account import markdown
from ..flash_vaed.compress import Recipe
from ..flash_vaed.distill import Plan, phase_steps
from ..flash_vaed.files import check_name
from ..flash_vaed.host_make import make_from_vae
from ..flash_vaed.host_vae import load_vae
from ..flash_vaed.lessons import Size
from ..flash_vaed.make import Order
from ..jano.adapters.weights import lpips_weights
from ..jano.show.lpips import lpips
from .types import CATEGORY, NAME_ALIASES

RECIPE, PLAN, SIZE = Recipe(), Plan(), Size()


class FlashVAEDCompress(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FlashVAEDCompress",
            display_name="Jano Compress Decoder",
            category=CATEGORY,
            description="Makes a fast decoder from a VAE in the layout of Wan 2.1 or LTX-Video 0.9, by your own clips: "
            "chooses channels, solves the layers, then trains. Real sizes need a GPU and hours; a stopped run goes on "
            "where it was.",
            search_aliases=[*NAME_ALIASES, "flash vae", "distill", "prune", "train", "tiny vae"],
            is_output_node=True,
            inputs=[
                io.Vae.Input(
                    "vae",
                    tooltip="The VAE to learn from: that of Wan 2.1 or LTX-Video 0.9, or another of their layout.",
                ),
                io.String.Input(
                    "name",
                    default="my_fast_decoder",
                    tooltip="Of the file in models/vae; one there is never overwritten.",
                ),
                *_width_inputs(),
                io.Int.Input(
                    "steps",
                    default=sum(PLAN.steps),
                    min=0,
                    max=1_000_000,
                    tooltip="Of training, a quarter each for the deep stages and the channels, the rest for all. 0 "
                    "only chooses and solves, which leaves pictures far too coarse to use.",
                ),
                *_training_inputs(),
                _seed_input(),
                io.Latent.Input(
                    "latent", optional=True, tooltip="Clips to learn from; one of eight is kept to measure on."
                ),
                io.Image.Input("pictures", optional=True, tooltip="One clip to learn from, which the VAE encodes."),
            ],
            outputs=[
                io.Vae.Output(tooltip="The fast decoder, with the VAE to encode."),
                io.String.Output(display_name="report", tooltip="How close it is to the VAE on clips it has not seen."),
            ],
        )

    @classmethod
    def execute(
        cls,
        vae: io.Vae.Type,
        name: str,
        keep_fine: float,
        keep_finest: float,
        steps: int,
        explained: float,
        learning_rate: float,
        batch: int,
        window: int,
        window_latents: int,
        seed: int,
        latent: io.Latent.Type | None = None,
        pictures: io.Image.Type | None = None,
    ) -> io.NodeOutput:
        recipe = Recipe((keep_fine, keep_finest), explained, seed=seed)
        plan = Plan(phase_steps(steps), learning_rate, batch, Size(window, window_latents), seed=seed)
        path = Path(folder_paths.get_folder_paths("vae")[0]) / file_name(name)
        weights, _ = lpips_weights(Path(folder_paths.models_dir))
        samples = None if latent is None else latent["samples"]
        report = make_from_vae(vae, samples, pictures, Order(path, recipe, plan), weights and (lpips, weights))
        told = markdown(report)
        return io.NodeOutput(load_vae(path, vae), told, ui=ui.PreviewText(told))


def file_name(name: str) -> str:
    """ValueError with a sentence unless this names a file in the folder itself."""
    if not re.fullmatch(r"\w[\w .-]*", name):
        raise ValueError(f"{name!r} cannot be the name of a file: use letters, digits, spaces, dots, - and _ only.")
    stem = name.removesuffix(".safetensors")
    check_name(stem)
    return f"{stem}.safetensors"


def _width_inputs() -> list[io.Input]:
    places = {"keep_fine": "four", "keep_finest": "eight"}
    return [
        io.Float.Input(
            name,
            default=RECIPE.ratio[0],
            min=0.01,
            max=1.0,
            step=0.005,
            tooltip=f"Share of the channels kept where pictures have {times} times the latent's size. The released "
            "decoders' are 0.125 (Wan) and 0.25 (LTX-Video); more is closer and slower.",
        )
        for name, times in places.items()
    ]


def _training_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "explained",
            default=RECIPE.explained,
            min=0.0,
            max=0.999,
            step=0.001,
            advanced=True,
            tooltip="Above 0, as many channels are kept as explain this share of the variance everywhere, in place of "
            "the two shares above.",
        ),
        io.Float.Input(
            "learning_rate",
            default=PLAN.rate,
            min=1e-6,
            max=1e-2,
            step=1e-6,
            advanced=True,
            tooltip="Of AdamW, at the begin of each phase.",
        ),
        io.Int.Input("batch", default=PLAN.batch, min=1, max=64, advanced=True, tooltip="Windows in a step."),
        io.Int.Input(
            "window",
            default=SIZE.side,
            min=4,
            max=128,
            advanced=True,
            tooltip="Side of the windows to learn from, in latents: 16 are 128 pixels with Wan, 512 with LTX-Video. "
            "Memory goes with its square.",
        ),
        io.Int.Input(
            "window_latents",
            default=SIZE.frames,
            min=1,
            max=64,
            advanced=True,
            tooltip="Length of the windows in latents: 4 are 13 frames with Wan, 25 with LTX-Video.",
        ),
    ]


def _seed_input() -> io.Input:
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=2**31 - 1,
        # The page would put another one in after every run, and a stopped run goes on with its own alone.
        control_after_generate=False,
        advanced=True,
        tooltip="Of the windows and their order.",
    )
