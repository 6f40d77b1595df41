"""How the host's samplers are told apart."""

from __future__ import annotations


def sampler_name(sampler: object) -> str:
    """Name of a sampler's function, such as "sample_euler"; empty when it has none."""
    return getattr(getattr(sampler, "sampler_function", None), "__name__", "")


def told_name(sampler: object) -> str:
    """The same as users know it: "euler"."""
    return sampler_name(sampler).removeprefix("sample_").removesuffix("_function")
