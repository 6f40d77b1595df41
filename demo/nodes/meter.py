"""Demo Meter and Demo Reading: seconds and FLOPs of a whole sampling run, with or without Jano, measured alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from comfy.patcher_extension import WrappersMP
from comfy_api.latest import io
from torch.utils.flop_counter import FlopCounterMode

KEY = "jano_demo_meter"


@dataclass
class Reading:
    """Of the last run on a metered model; flops stay 0 where they were not counted."""

    seconds: float = 0.0
    flops: int = 0


class JanoDemoMeter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="JanoDemoMeter",
            display_name="Demo Meter (Jano)",
            category="jano demo",
            description="Measures every sampling run on this model; counting FLOPs makes the run slower.",
            inputs=[
                io.Model.Input("model", tooltip="The model to measure."),
                io.Boolean.Input("count_flops", default=False, tooltip="Count FLOPs instead of timing."),
            ],
            outputs=[io.Model.Output(tooltip="The same model, measured.")],
        )

    @classmethod
    def execute(cls, model: io.Model.Type, count_flops: bool) -> io.NodeOutput:
        clone = model.clone()
        reading = Reading()
        clone.set_attachments(KEY, reading)
        clone.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, metered(reading, count_flops))
        return io.NodeOutput(clone)


def metered(reading: Reading, count_flops: bool) -> Callable:
    """An OUTER_SAMPLE wrapper that writes what a run cost into `reading`."""

    def outer_sample(executor: Callable, *args, **kwargs) -> object:
        started = time.perf_counter()
        if not count_flops:
            samples = executor(*args, **kwargs)
            reading.seconds, reading.flops = time.perf_counter() - started, 0
            return samples
        with FlopCounterMode(display=False) as counter:
            samples = executor(*args, **kwargs)
        reading.seconds, reading.flops = time.perf_counter() - started, counter.get_total_flops()
        return samples

    return outer_sample


class JanoDemoReading(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="JanoDemoReading",
            display_name="Demo Reading (Jano)",
            category="jano demo",
            description="Shows what the run that made this latent cost.",
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="A model behind Demo Meter."),
                io.Latent.Input("latent", tooltip="The sampler's output: read after it."),
            ],
        )

    @classmethod
    def execute(cls, model: io.Model.Type, latent: io.Latent.Type) -> io.NodeOutput:
        reading: Reading = model.get_attachment(KEY)
        return io.NodeOutput(ui={"reading": [{"seconds": reading.seconds, "flops": reading.flops}]})
