"""Which samplers are repaired: those that the committed table says gain, and no others."""

from __future__ import annotations

import importlib
import json

import comfy.samplers
import pytest
from comfyui_jano.host.location import ROOT
from comfyui_jano.jano.adapters.repaired import LAST_LEVEL, MULTISTEP, REPAIRED, repair_for
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.forecast.repair import Repair

HALF = SchedulerConfig(target_speedup=2.0)
TABLES = [json.loads((ROOT / "bench" / "results" / f"{kind}_samplers.json").read_text()) for kind in ("flux", "wan")]
FINE, COARSE = [1.0, 0.6, LAST_LEVEL, 0.0], [1.0, 0.6, LAST_LEVEL + 0.01, 0.0]
gains = importlib.import_module("comfyui_jano.bench.samplers").gains


def cells(name: str) -> list[tuple[dict, Repair]]:
    """The rows of a sampler, each with what is done in it by default."""
    chosen, found = comfy.samplers.sampler_object(name), []
    for table in TABLES:
        levels = {False: table["levels"], True: table["levels_stopped"]}
        rows = [row for row in table["rows"] if row["sampler"] == name]
        found += [(row, repair_for(HALF, chosen, levels[row["stopped"]])) for row in rows]
    return found


def names() -> list[str]:
    return list(dict.fromkeys(row["sampler"] for table in TABLES for row in table["rows"]))


def test_the_table_has_every_sampler_with_fixed_steps() -> None:
    adaptive = {"dpm_fast", "dpm_adaptive"}
    assert set(names()) == set(comfy.samplers.SAMPLER_NAMES) - adaptive
    assert all(len(cells(name)) == 4 for name in names())


@pytest.mark.parametrize("name", names())
def test_what_is_repaired_gains_on_prompts_that_it_was_not_chosen_on(name: str) -> None:
    repaired = [row for row, repair in cells(name) if repair.corrects]
    assert all(gains(row) and row["held_out"] is not None for row in repaired)


@pytest.mark.parametrize("name", names())
def test_what_gains_wherever_it_would_be_repaired_is_repaired(name: str) -> None:
    """Some that add noise gain on the first prompts and were not measured on others. Elsewhere a step to 0 is too long
    for a repair."""
    chosen, needless = comfy.samplers.sampler_object(name).sampler_function.__name__, set()
    for table in TABLES:
        if chosen in MULTISTEP and table["levels"][-2] > LAST_LEVEL:
            needless.add((table["model"], False))
    rows = [(table["model"], row) for table in TABLES for row in table["rows"] if row["sampler"] == name]
    kept = [row for model, row in rows if (model, row["stopped"]) not in needless]
    measured = all(row["held_out"] is not None for row in kept)
    assert (measured and all(map(gains, kept))) is (chosen in REPAIRED)


MULTISTEP_REPAIR = {
    "dpmpp_2m": Repair.STEADY,
    "res_multistep": Repair.STEADY,
    "uni_pc": Repair.FULL,
    "uni_pc_bh2": Repair.FULL,
}


@pytest.mark.parametrize(("name", "gains"), MULTISTEP_REPAIR.items())
def test_a_multistep_sampler_is_repaired_where_its_last_step_is_short(name: str, gains: Repair) -> None:
    chosen = comfy.samplers.sampler_object(name)
    assert repair_for(HALF, chosen, FINE) is gains
    assert repair_for(HALF, chosen, COARSE) is Repair.NEEDLESS
    assert repair_for(HALF, chosen, [*COARSE, 0.0]) is Repair.NEEDLESS
    assert repair_for(HALF, chosen, COARSE[:-1]) is gains
    assert repair_for(SchedulerConfig(target_speedup=2.0, correct=True), chosen, COARSE) is gains


def test_one_step_samplers_are_repaired_at_any_steps_and_unknown_ones_never() -> None:
    assert repair_for(HALF, comfy.samplers.sampler_object("euler"), COARSE) is Repair.FULL
    assert repair_for(HALF, comfy.samplers.sampler_object("euler_ancestral"), FINE) is Repair.NONE
    assert repair_for(HALF, comfy.samplers.ksampler("euler", {"s_churn": 1.0}), FINE) is Repair.NONE
    assert repair_for(HALF, object(), FINE) is Repair.NONE
    assert repair_for(None, comfy.samplers.sampler_object("euler"), FINE) is Repair.NONE


def test_what_the_user_set_counts() -> None:
    for name, forced in (("euler", Repair.FULL), ("lms", Repair.STEADY), ("lcm", Repair.FULL)):
        chosen = comfy.samplers.sampler_object(name)
        assert repair_for(SchedulerConfig(target_speedup=2.0, correct=True), chosen, FINE) is forced
        assert repair_for(SchedulerConfig(target_speedup=2.0, correct=False), chosen, FINE) is Repair.NONE
