"""Two nodes that misbehave on request, for the tests of the client."""

import time

import comfy.model_management
from comfy_api.latest import ComfyExtension, io


class Fail(io.ComfyNode):
    """Raises."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [io.String.Input("text")]
        return io.Schema("JanoProbeFail", display_name="Fail", category="probe", inputs=inputs, is_output_node=True)

    @classmethod
    def execute(cls, text: str) -> io.NodeOutput:
        raise RuntimeError(text)


class Wait(io.ComfyNode):
    """Waits, until it is interrupted or the seconds are over."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [io.Float.Input("seconds")]
        return io.Schema("JanoProbeWait", display_name="Wait", category="probe", inputs=inputs, is_output_node=True)

    @classmethod
    def execute(cls, seconds: float) -> io.NodeOutput:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            comfy.model_management.throw_exception_if_processing_interrupted()
            time.sleep(0.01)
        return io.NodeOutput()


class ProbeExtension(ComfyExtension):
    """The pack's entry."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [Fail, Wait]


def comfy_entrypoint() -> ProbeExtension:
    """ComfyUI's way in."""
    return ProbeExtension()
