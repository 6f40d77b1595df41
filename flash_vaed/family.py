"""What is particular to a model's decoders where one is made from another: places, stretches and operators, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

from .streaming import StreamedDecoder


@dataclass(frozen=True)
class Stretch:
    """Stages that learn together: the beginnings of their parameters' names, and where features are compared."""

    parts: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """The decoders of one model.

    A place is a stage's output, by the stage's name, or with ".hidden" what lies between a block's convolutions. fine
    and finest: the places where channels are left out, at four times the latent's size and at eight, in order. deep:
    the stages that keep all their channels. operators: what the student computes with, in words.
    """

    name: str
    student: type[StreamedDecoder]
    fine: tuple[str, ...]
    finest: tuple[str, ...]
    deep: Stretch
    operators: dict[str, str]
    ends: tuple[str, ...] = field(default=())
    """Of the parameters behind the last stage where channels are left out, the beginnings of their names."""

    @property
    def places(self) -> tuple[str, ...]:
        return *self.fine, *self.finest

    @property
    def shallow(self) -> Stretch:
        """From the first stage where channels are left out to the frames."""
        stages = tuple(dict.fromkeys(place.removesuffix(".hidden") for place in self.places))
        return Stretch((*(f"decoder.{stage}." for stage in stages), *self.ends), stages)

    def stretch(self, name: str) -> Stretch:
        return {"deep": self.deep, "shallow": self.shallow}[name]


def block(name: str) -> tuple[str, str]:
    """A block's two places."""
    return f"{name}.hidden", name
