"""Training a student in three phases against its teacher, on windows of the clips' latents.

deep: the separable stages learn the teacher's features, all channels. channels: the pruned stages learn to carry the
kept channels, the deep ones at rest. shallow: everything learns the frames, and features count less and less. The paper
names the three; their losses and lengths are ours, except for the weights in losses.py.
Everything random follows from the plan's seed and the number of the step: a run that was interrupted ends as one that
was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from .checkpoint import load_checkpoint, save_checkpoint
from .initial import Kept
from .lessons import Lessons, Size, ask, cut_windows, losses_of
from .losses import Perceptual, feature_loss, image_loss, pictures
from .streaming import StreamedDecoder
from .teachers import family_of

SAVE_SECONDS = 120
WARM_UP = 20
LAST_RATE = 0.02
"""Of a phase's first rate, at its end."""


@dataclass(frozen=True)
class Phase:
    """Which stretches of the decoder learn (family.py), from their features, and how features and frames are weighed at
    its begin and at its end."""

    name: str
    stretches: tuple[str, ...]
    features: tuple[float, float]
    frames: tuple[float, float]

    def parts(self, model: StreamedDecoder) -> tuple[str, ...]:
        """How the names of what learns begin."""
        return tuple(part for name in self.stretches for part in family_of(model).stretch(name).parts)

    def places(self, model: StreamedDecoder) -> tuple[str, ...]:
        return tuple(place for name in self.stretches for place in family_of(model).stretch(name).places)


PHASES = (
    Phase("deep", ("deep",), features=(1.0, 1.0), frames=(0.0, 0.0)),
    Phase("channels", ("shallow",), features=(1.0, 1.0), frames=(0.1, 1.0)),
    Phase("shallow", ("deep", "shallow"), features=(1.0, 0.1), frames=(1.0, 1.0)),
)


@dataclass(frozen=True)
class Plan:
    """How long and how fast. `steps` of every phase; a round's windows are answered by the teacher once."""

    steps: tuple[int, int, int] = (1000, 1000, 2000)
    rate: float = 5e-4
    batch: int = 4
    size: Size = Size()
    windows: int = 64
    round_steps: int = 64
    average: float = 0.999
    seed: int = 0

    def place_of(self, step: int) -> tuple[int, int]:
        """The phase of a step, and its number within the phase."""
        for phase, steps in enumerate(self.steps):
            if step < steps:
                return phase, step
            step -= steps
        raise IndexError(step)


def phase_steps(steps: int) -> tuple[int, int, int]:
    """A quarter each for the first two phases."""
    return steps // 4, steps // 4, steps - 2 * (steps // 4)


@dataclass
class Training:
    """A run between two steps; `average` follows the student's weights and is what comes out."""

    student: StreamedDecoder
    average: dict[str, Tensor]
    optimizer: torch.optim.AdamW | None = None
    step: int = 0


Tell = Callable[[int, int, str, float], None]
"""Step, steps in all, the phase's name, the loss. May raise to stop the run; what was learnt is saved first."""


@dataclass(frozen=True)
class School:
    """What does not change during a run."""

    teacher: StreamedDecoder
    clips: list[Tensor]
    kept: Kept
    plan: Plan
    perceptual: Perceptual | None = None
    about: dict = field(default_factory=dict)
    """Written into the checkpoint."""


def distill(student: StreamedDecoder, school: School, checkpoint: Path | None, tell: Tell) -> None:
    """Trains the student in place, going on from the checkpoint where there is one.

    It is there at the end too, for what remains to be done with the student: it is the caller's to remove.
    """
    training = Training(student, {name: value.clone() for name, value in student.state_dict().items()})
    total = sum(school.plan.steps)
    resume(training, school.plan, checkpoint)
    lessons, saved = None, time.monotonic()
    try:
        while training.step < total:
            lessons = renewed(lessons, training, school)
            loss = train_step(training, lessons, school)
            tell(training.step, total, PHASES[school.plan.place_of(training.step - 1)[0]].name, loss)
            if checkpoint and time.monotonic() - saved > SAVE_SECONDS:
                keep(training, checkpoint, school.about)
                saved = time.monotonic()
        if checkpoint:
            keep(training, checkpoint, school.about)
    except BaseException:
        if checkpoint and training.step:
            keep(training, checkpoint, school.about)
        raise
    student.load_state_dict(training.average)
    student.requires_grad_(False).eval()


def renewed(lessons: Lessons | None, training: Training, school: School) -> Lessons:
    """The round's lessons: new ones, and a new optimizer, where a round or a phase begins or a run goes on."""
    plan = school.plan
    phase, within = plan.place_of(training.step)
    if within == 0 or training.optimizer is None:
        training.optimizer = new_optimizer(training.student, PHASES[phase], plan)
    if lessons is not None and within % plan.round_steps:
        return lessons
    begin = training.step - within % plan.round_steps
    windows = cut_windows(school.clips, plan.windows, plan.size, generator_of(plan, begin, 0))
    return ask(school.teacher, windows, school.kept, PHASES[phase].places(school.teacher), plan.batch)


def generator_of(plan: Plan, step: int, use: int) -> torch.Generator:
    return torch.Generator().manual_seed((plan.seed * 2 + use) * 1_000_003 + step)


def new_optimizer(student: StreamedDecoder, phase: Phase, plan: Plan) -> torch.optim.AdamW:
    """Over a phase's parameters; all others rest."""
    parts = phase.parts(student)
    for name, parameter in student.named_parameters():
        parameter.requires_grad_(name.startswith(parts))
    learning = [parameter for parameter in student.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(learning, lr=plan.rate, betas=(0.9, 0.95), weight_decay=0.0)


def train_step(training: Training, lessons: Lessons, school: School) -> float:
    """One step; the loss."""
    plan = school.plan
    phase, within = plan.place_of(training.step)
    share = within / plan.steps[phase]
    chosen = torch.randperm(plan.windows, generator=generator_of(plan, training.step, 1))[: plan.batch]
    batch = lessons.batch(chosen, next(training.student.parameters()).device)
    loss = loss_of(training.student, batch, PHASES[phase], share, school.perceptual)
    loss.backward()
    learning = training.optimizer.param_groups[0]
    torch.nn.utils.clip_grad_norm_(learning["params"], 1.0)
    cosine = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * share))
    learning["lr"] = plan.rate * cosine * min(1.0, (within + 1) / WARM_UP)
    training.optimizer.step()
    training.optimizer.zero_grad(set_to_none=True)
    training.step += 1
    follow(training, min(plan.average, training.step / (training.step + 10)))
    return float(loss.detach())


def loss_of(
    student: StreamedDecoder, lessons: Lessons, phase: Phase, share: float, perceptual: Perceptual | None
) -> torch.Tensor:
    """A phase's loss when `share` of it is over."""
    features, frames = losses_of(student, lessons)
    weights = [first + (last - first) * share for first, last in (phase.features, phase.frames)]
    told = [feature_loss(lessons.features[place], features[place]) for place in phase.places(student)]
    loss = weights[0] * torch.stack(told).mean()
    if frames is not None and weights[1]:
        loss = loss + weights[1] * image_loss(pictures(lessons.frames), frames, perceptual)
    return loss


@torch.no_grad()
def follow(training: Training, decay: float) -> None:
    """Moves the average towards the student: over a tenth of the steps so far, at most 1 / (1 - decay)."""
    for name, value in training.student.state_dict().items():
        training.average[name].lerp_(value, 1 - decay)


def resume(training: Training, plan: Plan, checkpoint: Path | None) -> None:
    """Goes on from a checkpoint, if there is one. ValueError where it belongs to another student."""
    if checkpoint is None or not checkpoint.exists():
        return
    training.step, weights, training.average, moments = load_checkpoint(checkpoint, training.average)
    training.student.load_state_dict(weights)
    if training.step < sum(plan.steps):
        training.optimizer = new_optimizer(training.student, PHASES[plan.place_of(training.step)[0]], plan)
        names = {parameter: name for name, parameter in training.student.named_parameters()}
        for parameter in training.optimizer.param_groups[0]["params"]:
            if names[parameter] in moments:
                training.optimizer.state[parameter] = moments[names[parameter]]


def keep(training: Training, checkpoint: Path, about: dict) -> None:
    """Writes the checkpoint."""
    names = {parameter: name for name, parameter in training.student.named_parameters()}
    states = training.optimizer.state if training.optimizer else {}
    moments = {names[parameter]: dict(state) for parameter, state in states.items()}
    save_checkpoint(
        checkpoint, about | {"step": training.step}, training.student.state_dict(), training.average, moments
    )
