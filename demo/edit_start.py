"""What an edit model starts from: the tiny Flux's weights, where it has one modulation for all blocks folded into them.

The mean over time of each block's own scale, shift and gate goes into the linear layers around it; what is left of it,
averaged over the blocks, is what the shared modulation starts with. So most of what was learnt carries over.
"""

from __future__ import annotations

import torch
from edit_twin import EditTwin, Kind
from flux_twin import GUIDANCE, FluxTwin, Shape, wave_embedding
from safetensors.torch import load_file
from torch import Tensor
from train_flux import MODEL_PATH

TIMES = 65
"""Points of time 0..1 at which modulations are compared."""


def tiny_flux() -> FluxTwin:
    """The demo's trained model."""
    model = FluxTwin(Shape())
    model.load_state_dict({name: value.float() for name, value in load_file(str(MODEL_PATH)).items()})
    return model


def start(kind: Kind, pooled: Tensor) -> EditTwin:
    """An edit model before its training; pooled (B, vec) are prompts to average over where it has no pooled text."""
    base, model = tiny_flux(), EditTwin(kind)
    if kind.shape.shared:
        share_modulation(base, model, pooled)
    else:
        model.load_state_dict(base.state_dict())
    return model


@torch.no_grad()
def share_modulation(base: FluxTwin, model: EditTwin, pooled: Tensor) -> None:
    """Fills `model` (one modulation, no guidance, no pooled text) from `base`."""
    own = base.state_dict()
    model.load_state_dict({name: own.get(name, value) for name, value in model.state_dict().items()})
    guidance = base.guidance_in(wave_embedding(torch.tensor([GUIDANCE])))[0]
    model.time_in.out_layer.bias += guidance + base.vector_in(pooled).mean(0)
    vec = model.time_in(wave_embedding(torch.linspace(0, 1, TIMES)))
    (double,) = base.double_blocks
    match(model.double_stream_modulation_img.lin, vec, torch.cat(double.img_mod(vec), dim=-1))
    match(model.double_stream_modulation_txt.lin, vec, torch.cat(double.txt_mod(vec), dim=-1))
    rests = []
    for old, new in zip(base.single_blocks, model.single_blocks, strict=True):
        shift, scale, gate = old.modulation(vec)
        new.linear1.bias += new.linear1.weight @ shift.mean(0)
        new.linear1.weight *= 1 + scale.mean(0)
        new.linear2.weight *= gate.mean(0)[:, None]
        new.linear2.bias *= gate.mean(0)
        rests.append(scale - scale.mean(0))
    rest, still = torch.stack(rests).mean(0), torch.zeros(TIMES, model.shape.hidden)
    match(model.single_stream_modulation.lin, vec, torch.cat([still, rest, still + 1], dim=-1))


def match(linear: torch.nn.Linear, vec: Tensor, wanted: Tensor) -> None:
    """Sets a linear layer without bias so that it says `wanted` (TIMES, M) for the vectors (TIMES, D)."""
    linear.weight.copy_(torch.linalg.lstsq(torch.nn.functional.silu(vec), wanted).solution.T)
