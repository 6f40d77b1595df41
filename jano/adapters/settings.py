"""What the nodes put on a MODEL: the user's settings before a run, reports of the last runs after it."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, replace

import torch
from comfy.model_patcher import ModelPatcher
from comfy.utils import pack_latents
from torch import Tensor

from ..config import AnalyzerConfig, ReferenceConfig, SchedulerConfig
from ..levels.map import LevelMap
from ..sentences import say
from ..show.report import RunReport
from .inputs import model_of

KEY = "jano"
NO_JANO_NODE = say("no_jano_node")


@dataclass(frozen=True)
class Loader:
    """A node whose MODEL the host hands to any other of this class and these inputs."""

    class_type: str
    inputs: tuple[tuple[str, object], ...]


@dataclass(frozen=True)
class JanoSettings:
    """Settings that travel in `transformer_options["jano"]`; immutable.

    `scheduler` None only analyses; `preset` tells that it was chosen by quality. `node_id` is the node that shows what
    happened; `loader` how to find it again, where the host may hand its MODEL to another one (shown_on.py).
    """

    analyzer: AnalyzerConfig = AnalyzerConfig()
    scheduler: SchedulerConfig | None = None
    level_map: LevelMap | None = None
    preset: bool = False
    node_id: str | None = None
    loader: Loader | None = None
    references: ReferenceConfig = ReferenceConfig()

    @property
    def by_level(self) -> bool:
        """Whether steps compute a part of the tokens, which needs to know the model's blocks."""
        return self.scheduler is not None and not self.scheduler.controlled


def settings_of(model: ModelPatcher) -> JanoSettings:
    settings = model.model_options.get("transformer_options", {}).get(KEY)
    return settings if isinstance(settings, JanoSettings) else JanoSettings()


def with_settings(model: ModelPatcher, **changes: object) -> ModelPatcher:
    """A clone of `model` whose Jano settings differ by `changes`; the model itself is left alone."""
    clone = model.clone()
    clone.model_options.setdefault("transformer_options", {})[KEY] = replace(settings_of(model), **changes)
    if clone.get_attachment(KEY) is None:
        clone.set_attachments(KEY, RunHistory())
    return clone


class RunHistory:
    """Reports of the last few runs, shared by all clones of a MODEL so that a LoRA node in between loses nothing."""

    def __init__(self, length: int = 4) -> None:
        self._reports: deque[RunReport] = deque(maxlen=length)

    def add(self, report: RunReport) -> None:
        self._reports.append(report)

    def find(self, samples: Tensor) -> RunReport | None:
        """The report of the run that produced these latent samples."""
        wanted = fingerprint(samples)
        return next((report for report in reversed(self._reports) if wanted in report.fingerprints), None)


def fingerprint(samples: Tensor) -> str:
    """A short digest of a latent's shape and values; of several parts (audio with video), as the host samples them.

    Of the values in half precision: the host may hand a latent on in that (--fp16-intermediates), or in single.
    """
    if getattr(samples, "is_nested", False):
        samples, _ = pack_latents(samples.unbind())
    values = samples.detach().to("cpu", torch.float16).contiguous()
    digest = hashlib.blake2b(values.numpy().tobytes(), digest_size=16)
    return f"{tuple(values.shape)}:{digest.hexdigest()}"


def report_of(model: ModelPatcher, samples: Tensor) -> RunReport:
    """The report of the run that made `samples` on `model`; a "native" one that says so when there is none."""
    history = model_of(model).get_attachment(KEY)
    if history is None:
        return RunReport.of_nothing(NO_JANO_NODE)
    return history.find(samples) or RunReport.of_nothing(say("no_such_run"))
