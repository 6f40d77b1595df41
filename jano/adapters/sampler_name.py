"""How the host's samplers are told apart."""

from __future__ import annotations


def sampler_name(sampler: object) -> str:
    """Name of a sampler's function, such as "sample_euler"; empty when it has none."""
    return getattr(getattr(sampler, "sampler_function", None), "__name__", "")


def shown_name(sampler: object) -> str:
    """The same as the host's menus have it, such as "uni_pc"; empty when it has none."""
    name = sampler_name(sampler).removeprefix("sample_").removesuffix("_function")
    return name.replace("unipc", "uni_pc", 1) if name.startswith("unipc") else name
