"""Custom nodes that only the demo needs. Imports of the host wait for its call: training uses the text code alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension


async def comfy_entrypoint() -> ComfyExtension:
    """The demo's nodes."""
    from comfy_api.latest import ComfyExtension

    from .meter import JanoDemoMeter, JanoDemoReading
    from .prompt import JanoDemoClipPrompt, JanoDemoPrompt

    class DemoExtension(ComfyExtension):
        async def get_node_list(self) -> list[type]:
            return [JanoDemoPrompt, JanoDemoClipPrompt, JanoDemoMeter, JanoDemoReading]

    return DemoExtension()
