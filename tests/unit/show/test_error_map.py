"""Errors of forecasts as bytes."""

import re

import pytest
import torch
from comfyui_jano.host.location import ROOT
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.show.error_map import HIGHEST, LAST_CODE, LOWEST, ErrorMap, codes_of, shares_of
from comfyui_jano.jano.show.render import ERROR_MARKS, ERROR_RAMP, ERROR_SHOWN, ERROR_STRENGTH

GRID = TokenGrid((1, 1, 2), (1, 1, 1), (1, 1, 1))
HEAT = (ROOT / "web" / "heat.js").read_text(encoding="utf-8")


def test_a_byte_holds_an_error_to_three_in_a_hundred() -> None:
    shares = torch.logspace(-3, 0, 200)
    assert torch.allclose(shares_of(codes_of(shares)), shares, rtol=0.015)


def test_the_ends_of_the_scale() -> None:
    shares = torch.tensor([0.0, LOWEST / 2, LOWEST, HIGHEST, 40.0, float("inf")])
    assert codes_of(shares).tolist() == [0, 0, 1, LAST_CODE, LAST_CODE, LAST_CODE]


def test_what_was_not_measured_is_nothing() -> None:
    assert codes_of(torch.tensor([-1.0, float("nan")])).tolist() == [0, 0]
    assert shares_of(torch.zeros(2, dtype=torch.uint8)).tolist() == [0.0, 0.0]


def test_the_worst_of_several_maps_is_that_of_every_region() -> None:
    one, other = (ErrorMap.of(GRID, torch.tensor(shares)) for shares in ([0.1, 0.02], [0.01, 0.2]))
    assert ErrorMap.worst([one, other]).shares.tolist() == pytest.approx([0.1, 0.2], rel=0.015)
    assert ErrorMap.worst([]) is None


def constant(name: str) -> list[float]:
    """The numbers of a constant of the page."""
    return [float(number) for number in re.findall(r"[\d.]+", re.search(rf"const {name} = (.*?);", HEAT).group(1))]


def test_the_page_reads_and_draws_them_alike() -> None:
    assert [*constant("LOWEST"), *constant("HIGHEST"), *constant("LAST_CODE")] == [LOWEST, HIGHEST, LAST_CODE]
    assert constant("RAMP") == [part for colour in ERROR_RAMP for part in colour]
    assert (constant("SHOWN"), constant("MARKS")) == (list(ERROR_SHOWN), list(ERROR_MARKS))
    assert constant("STRENGTH") == [ERROR_STRENGTH]
