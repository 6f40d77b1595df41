"""The networks that the demo's models were trained as are the host's: with references, in every layout of them."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch
from comfy.ldm.flux.model import Flux
from comfyui_jano.bench.edit_models import isolating, with_one_modulation
from comfyui_jano.host.location import ROOT
from torch import Tensor

SIZES = {"none": [], "one": [(8, 8)], "three": [(8, 8), (4, 12), (6, 2)]}
"""Rows and columns of the references' latents; the picture's is (8, 12)."""
NUM_TEXT = 5


@pytest.fixture
def twins(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The demo's training code, which is made of scripts."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "demo")])
    import edit_twin

    return edit_twin


def filled(twin: torch.nn.Module) -> torch.nn.Module:
    """A twin with random weights everywhere: a fresh one's gates are shut."""
    for parameter in twin.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return twin.eval()


def host_of(kind: str, twin: torch.nn.Module) -> Flux:
    """The host's class with a twin's weights."""
    weights = {name: value.clone() for name, value in twin.state_dict().items()}
    if kind != "step":
        return with_one_modulation(weights).model.diffusion_model
    import comfy.sd

    return comfy.sd.load_diffusion_model_state_dict(weights).model.diffusion_model


def inputs(sizes: list[tuple[int, int]]) -> tuple[Tensor, Tensor, Tensor, Tensor, list[Tensor]]:
    references = [torch.randn(2, 16, *size) for size in sizes]
    return (
        torch.randn(2, 16, 8, 12),
        torch.tensor([0.3, 0.9]),
        torch.randn(2, NUM_TEXT, 64),
        torch.randn(2, 64),
        references,
    )


def by_twin(twins: ModuleType, twin: torch.nn.Module, given: tuple) -> Tensor:
    x, t, context, pooled, references = given
    sizes = [(r.shape[2] // 2, r.shape[3] // 2) for r in references]
    import flux_twin

    table = flux_twin.rope_table(twins.edit_places(twin.kind, (4, 6), sizes, NUM_TEXT))
    return twin(x, t, context, pooled, table, references)


def by_host(model: Flux, kind: str, given: tuple, options: dict | None = None) -> Tensor:
    x, t, context, pooled, references = given
    method = "offset" if kind == "step" else "index_timestep_zero"
    guidance = torch.full((2,), 3.5)
    more = {"transformer_options": options or {}, "ref_latents_method": method}
    return model(x, t, context, pooled, guidance, ref_latents=references or None, **more)


@torch.inference_mode()
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("kind", ["step", "tz"])
def test_the_twin_is_the_hosts_class(twins: ModuleType, kind: str, sizes: list) -> None:
    twin, given = filled(twins.EditTwin(twins.KINDS[kind])), inputs(sizes)
    torch.testing.assert_close(
        by_twin(twins, twin, given), by_host(host_of(kind, twin), kind, given), rtol=1e-5, atol=1e-5
    )


@torch.inference_mode()
def test_so_is_the_one_without_references(twins: ModuleType) -> None:
    import flux_twin

    twin, given = filled(flux_twin.FluxTwin(flux_twin.Shape())), inputs([])
    table = flux_twin.rope_table(twins.edit_places(twins.KINDS["step"], (4, 6), [], NUM_TEXT))
    theirs = by_host(host_of("step", twin), "step", given)
    torch.testing.assert_close(twin(*given[:4], table), theirs, rtol=1e-5, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("sizes", [SIZES["one"], SIZES["three"]], ids=["one", "three"])
def test_isolated_references_are_a_mask_in_the_hosts_class(twins: ModuleType, sizes: list) -> None:
    twin, given = filled(twins.EditTwin(twins.KINDS["isolated"])), inputs(sizes)
    model = with_one_modulation({name: value.clone() for name, value in twin.state_dict().items()})
    options = isolating(model).model_options["transformer_options"]
    ours, network = by_twin(twins, twin, given), model.model.diffusion_model
    torch.testing.assert_close(ours, by_host(network, "isolated", given, options), rtol=1e-5, atol=1e-5)
    assert (ours - by_host(network, "isolated", given)).abs().max() > 1e-2


@torch.inference_mode()
def test_isolated_references_do_not_depend_on_the_picture(twins: ModuleType) -> None:
    """What text and picture see of them in the last block is the same at another time, of another picture and text."""
    twin = filled(twins.EditTwin(twins.KINDS["isolated"]))
    first, second, seen = inputs(SIZES["one"]), inputs(SIZES["one"]), []
    twin.single_blocks[-1].register_forward_pre_hook(lambda _, args: seen.append(args[0][:, -16:]))
    by_twin(twins, twin, first)
    by_twin(twins, twin, (*second[:1], second[1] * 0.5, *second[2:4], first[4]))
    assert torch.equal(*seen)
