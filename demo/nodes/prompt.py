"""Demo Prompt and Demo Clip Prompt: the tiny models' conditioning, from a prompt in their small vocabularies."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from .clip_vocabulary import parse_clip_prompt
from .text import encode, encode_clip, load_table
from .vocabulary import parse_prompt

GUIDANCE = 3.5
"""The one guidance value that the tiny model was trained with."""


class JanoDemoPrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="JanoDemoPrompt",
            display_name="Demo Prompt (Jano)",
            category="jano demo",
            description="Conditioning for the tiny demo Flux; empty text is the negative prompt.",
            inputs=[
                io.String.Input(
                    "text",
                    default="striped ball, brick house, sunset sky, grass",
                    multiline=True,
                    tooltip="Objects, a background and a ground, separated by commas.",
                )
            ],
            outputs=[io.Conditioning.Output()],
        )

    @classmethod
    def execute(cls, text: str) -> io.NodeOutput:
        context, pooled = encode(torch.tensor([parse_prompt(text)]), load_table())
        return io.NodeOutput([[context, {"pooled_output": pooled, "guidance": GUIDANCE}]])


class JanoDemoClipPrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="JanoDemoClipPrompt",
            display_name="Demo Clip Prompt (Jano)",
            category="jano demo",
            description="Conditioning for the tiny demo Wan; empty text is the negative prompt.",
            inputs=[
                io.String.Input(
                    "text",
                    default="red ball moving right, striped tower still, brick wall, grass",
                    multiline=True,
                    tooltip="Objects and how they move, a background, a ground and a camera, separated by commas.",
                )
            ],
            outputs=[io.Conditioning.Output()],
        )

    @classmethod
    def execute(cls, text: str) -> io.NodeOutput:
        return io.NodeOutput([[encode_clip(torch.tensor([parse_clip_prompt(text)]), load_table()), {}]])
