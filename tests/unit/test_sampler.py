"""What a run knows of the sampler that asks it."""

from __future__ import annotations

from comfyui_jano.jano.sampler import PLAIN, SamplerTraits


def looks(sigmas: list[float], traits: SamplerTraits) -> str:
    """A letter for each evaluation: S for a step, l for a look ahead."""
    pairs = zip([0.0, *sigmas], sigmas, strict=False)
    return "".join("l" if traits.is_ahead(sigma, last) else "S" for last, sigma in pairs)


HEUNPP2 = [1.0, 0.8, 0.6, 0.8, 0.6, 0.4, 0.6, 0.4, 0.2, 0.4, 0.2, 0.2]


def test_a_step_begins_where_sigma_does_not_fall() -> None:
    """Three evaluations a step, two in the last but one, one in the last, at the sigma of the look before it."""
    assert looks(HEUNPP2, SamplerTraits(looks_ahead=True)) == "SllSllSllSlS"


def test_rounding_is_no_fall() -> None:
    assert looks([1.0, 0.8, 0.8 - 1e-6], SamplerTraits(looks_ahead=True)) == "SlS"


def test_other_samplers_do_not_look_ahead() -> None:
    assert looks(HEUNPP2, PLAIN) == "S" * len(HEUNPP2)
