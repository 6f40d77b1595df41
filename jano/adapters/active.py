"""A run bound to the host's model: what `transformer_options["jano"]` holds while sampling."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from ..run import Run
from ..show.report import RunReport
from .live import Live
from .noise import Noise
from .progress import Told
from .settings import KEY, JanoSettings


@dataclass
class ActiveRun(Live):
    """`run` is None when the whole run is native. `sigma` is the host's, of the evaluation that is under way, and `x`
    what it is about. `blocks` is what steps by level need to know of the transformer's."""

    settings: JanoSettings
    report: RunReport
    run: Run | None = None
    blocks: object = None
    noise: Noise = Noise.MIXED
    sigma: float = 0.0
    x: Tensor | None = None
    told: Told = field(default_factory=Told)

    def repaired(self, x: Tensor, scale: float = 1.0) -> Tensor:
        """`x`, or a prediction, of the sampler with what it does not know of; x is `scale` times a flow model's."""
        shift = self.run and self.run.shift
        return x if shift is None else x + scale * shift.to(x)


def active_in(transformer_options: dict | None) -> ActiveRun | None:
    """The run that is under way, if it is not native."""
    active = (transformer_options or {}).get(KEY)
    return active if isinstance(active, ActiveRun) and active.run is not None else None


def active_of(model_options: dict | None) -> ActiveRun | None:
    """The same, by the options around the transformer's."""
    return active_in((model_options or {}).get("transformer_options"))
