"""When two functions are the same one: what other packs hand to the host may be made anew for every evaluation."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from types import FunctionType, MethodType, ModuleType

PLAIN = (bool, int, float, complex, str, bytes, type, ModuleType, type(None))
DEEPEST = 8
"""Functions inside functions that are looked into; one that lies deeper, or calls itself, counts as an object."""


class Same:
    """An object that equals itself alone. It is held, so that no later one takes its place in memory."""

    __slots__ = ("_held",)

    def __init__(self, held: object) -> None:
        self._held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self._held is other._held

    def __hash__(self) -> int:
        return id(self._held)


def identity(value: object, depth: int = DEEPEST) -> Hashable:
    """What makes `value` what it is: of a list or dict what is in it, of a function its code and all that it closes
    over, where lists and dicts are objects, because functions count and remember in them.

    Everything else, tensors too, is itself alone: what was made anew counts as new even if it holds the same numbers.
    """
    if isinstance(value, list):
        return list, tuple(identity(part, depth) for part in value)
    if isinstance(value, dict):
        return frozenset((_fixed(key, depth), identity(part, depth)) for key, part in value.items())
    return _fixed(value, depth)


def _fixed(value: object, depth: int) -> Hashable:
    if isinstance(value, PLAIN):
        return type(value), value
    if isinstance(value, tuple):
        return tuple, tuple(_fixed(part, depth) for part in value)
    if isinstance(value, (FunctionType, partial)) and depth > 0:
        return _fixed(_parts(value), depth - 1)
    if isinstance(value, MethodType):
        return _fixed(value.__func__, depth), Same(value.__self__)
    return Same(value)


def _parts(function: FunctionType | partial) -> tuple:
    """What a function is made of."""
    if isinstance(function, partial):
        return function.func, function.args, tuple(function.keywords.items())
    kept = function.__defaults__, tuple((function.__kwdefaults__ or {}).items())
    return function.__code__, enclosed(function), *kept


def enclosed(function: object) -> tuple:
    """What a function closes over; nothing for other objects."""
    return tuple(_content(cell) for cell in getattr(function, "__closure__", None) or ())


def _content(cell: object) -> object:
    """What a closure holds; the cell itself where that is not there yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return cell
