"""A model is called what users call it, not what a class is called in the host's source."""

from __future__ import annotations

from collections.abc import Callable

import comfy.model_base
import comfy.supported_models
import pytest
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.model_name import NAMES, model_named
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.tests.host import tiny
from comfyui_jano.tests.host.tiny import sample, with_scheduler


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (tiny.flux, "Flux"),
        (tiny.flux2, "Flux.2"),
        (tiny.chroma, "Chroma"),
        (tiny.wan, "Wan"),
        (tiny.unet, "Stable Diffusion 1.5"),
        (tiny.qwen, "Qwen-Image"),
    ],
)
def test_a_family_has_its_name(make: Callable[[], ModelPatcher], named: str) -> None:
    assert model_named(make()) == named


def test_a_class_of_which_nothing_is_known_is_told_as_it_is() -> None:
    model = tiny.unet()
    model.model.model_config = None
    assert model_named(model) == "UNetModel"


def test_a_model_of_another_pack_is_told_as_what_it_is_derived_from() -> None:
    model = tiny.flux()
    model.model.__class__ = type("JanoFluxModel", (type(model.model),), {})
    model.model.model_config = None
    assert model_named(model) == "Flux"


def test_the_report_says_the_name() -> None:
    model = with_scheduler(tiny.unet(), "draft")
    report = report_of(model, sample(model, steps=12, size=(8, 8)))
    assert report.model == "Stable Diffusion 1.5"


def test_every_name_is_of_a_class_that_the_host_has() -> None:
    known = {*vars(comfy.supported_models), *vars(comfy.model_base)}
    assert NAMES.keys() <= known


@pytest.mark.parametrize("kind", comfy.supported_models.models, ids=lambda kind: kind.__name__)
def test_what_is_derived_from_one_family_and_sold_as_another_has_its_own_name(kind: type) -> None:
    """Boogu is an OmniGen 2 to the host, and the refiner of HunyuanImage a HunyuanVideo."""
    named = next((NAMES[base.__name__] for base in kind.__mro__ if base.__name__ in NAMES), "")
    letters = "".join(filter(str.isalnum, named)).lower()
    brand = next((brand for brand in ("hunyuanvideo", "hunyuanimage", "omnigen", "boogu") if brand in letters), None)
    assert brand is None or kind.__name__.lower().startswith(brand)
