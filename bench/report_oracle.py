"""What is lost by not knowing the picture: a section of the bed's report, from the rows of `bench/run.py oracle`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .oracle import ALL_BUT, COMMON, CONTROL, FILE, KEY, NUDGE, NUDGED, ORACLE
from .records import Lines, Row
from .stats import flips, mean, median, worst_decile
from .tables import table

TOLD = {CONTROL: "Jano's own plan", COMMON: "best common plan", ORACLE: "best plan of each run"}
TOLD_NUDGED = {NUDGED[CONTROL]: "Jano's own plan, noise nudged", NUDGED[ORACLE]: "those best plans, noise nudged"}
FIFTHS = 5
HEAD = ["computed", "plan", "mean dB", "median", "worst decile", "flips", "beside Jano"]


def oracle(out: Path) -> list[str]:
    """A section for each way of sampling, of the engine that was measured last."""
    rows = list(Lines(out / FILE, KEY))
    newest = {(row["model"], row["steps"], row["cfg"]): row["code"] for row in rows}
    return [_section(way, [row for row in rows if way_of(row) == (*way, code)]) for way, code in sorted(newest.items())]


def way_of(row: Row) -> tuple:
    return row["model"], row["steps"], row["cfg"], row["code"]


def _section(way: tuple, rows: Sequence[Row]) -> str:
    model, steps, cfg = way
    budgets = sorted({row["budget"] for row in rows if row["plan_of"] == ORACLE}, reverse=True)
    judged = sorted({row["prompt"] for row in rows if row["plan_of"] == ORACLE})
    trained = {row["prompt"] for row in rows if row["plan_of"] == CONTROL}.difference(judged)
    lines = [line for budget in budgets for line in _lines(rows, budget, steps)]
    shapes = [line for budget in budgets for line in _shapes(rows, budget, steps)]
    own = {(row["budget"], *row["plan"]) for row in rows if row["plan_of"] == CONTROL}
    told = (
        f"{len(judged)} prompts ({model}, engine {rows[0]['code']}), {steps} steps of euler, CFG {cfg:g}; `python "
        f"bench/run.py oracle --model patches`. Every plan is followed by the product's forecast and repair, against "
        f"the full run. The best plan of a run was annealed on that run, {tries_of(rows, ORACLE)} tries from "
        f"Jano's own, and is thus a lower bound; the best common one on the mean of {len(trained)} other prompts, "
        f"{tries_of(rows, COMMON)} tries from what most of their controls computed (in brackets: there, and Jano "
        f"there). Only what a common plan gains can be had without asking the picture. Nudged: {NUDGE:.0%} of the "
        f"noise is another seed's, and closeness is to the full run from there; what the best plan of a run loses "
        f"there was luck and no knowledge of its picture. With a target "
        f"Jano's control chose {len(own) / len(budgets):.0f} plan(s) for the {len(judged) + len(trained)} prompts: its "
        f"tolerance is solved for in the measure of the errors that were seen, which thus cancel out."
    )
    head = ["computed", "plan", *(f"{fifth + 1}. fifth" for fifth in range(FIFTHS))]
    parts = [f"## What knowing the picture would be worth ({model})", "", told, "", table(HEAD, lines)]
    parts += ["Computed steps in each fifth of the run, on average:", "", table(head, shapes)]
    return "\n".join([*parts, *_alone(rows)])


def tries_of(rows: Sequence[Row], plan_of: str) -> int:
    """As many as each of these plans had."""
    return min((row["tries"] for row in rows if row["plan_of"] == plan_of and "tries" in row), default=0)


def _of(rows: Sequence[Row], budget: int, plan_of: str, prompts: Sequence[int]) -> list[Row]:
    by_prompt = {row["prompt"]: row for row in rows if row["budget"] == budget and row["plan_of"] == plan_of}
    return [by_prompt[prompt] for prompt in prompts if prompt in by_prompt]


def _lines(rows: Sequence[Row], budget: int, steps: int) -> list[list[str]]:
    judged = sorted({row["prompt"] for row in rows if row["plan_of"] == ORACLE and row["budget"] == budget})
    ours = [row["psnr_db"] for row in _of(rows, budget, CONTROL, judged)]
    nudged = [row["psnr_db"] for row in _of(rows, budget, NUDGED[CONTROL], judged)]
    return [
        [f"{budget} of {steps}", name, *_spread(found), _beside(found, nudged if plan_of in TOLD_NUDGED else ours)]
        for plan_of, name in (_named(rows, budget) | TOLD_NUDGED).items()
        if (found := [row["psnr_db"] for row in _of(rows, budget, plan_of, judged)])
    ]


def _named(rows: Sequence[Row], budget: int) -> dict[str, str]:
    """The common plan tells what it is worth where it was made."""
    made = [row for row in rows if (row["budget"], row["plan_of"], row["prompt"]) == (budget, COMMON, None)]
    judged = {row["prompt"] for row in rows if row["plan_of"] == ORACLE}
    there = [
        row["psnr_db"]
        for row in rows
        if (row["budget"], row["plan_of"]) == (budget, CONTROL) and row["prompt"] not in judged
    ]
    if not made or not there:
        return TOLD
    return TOLD | {COMMON: f"{TOLD[COMMON]} ({made[0]['psnr_db']:.1f}; {mean(there):.1f})"}


def _spread(values: Sequence[float]) -> list[str]:
    told = (f"{value:.1f}" for value in (mean(values), median(values), worst_decile(values)))
    return [*told, f"{flips(values):.0%}"]


def _beside(values: Sequence[float], ours: Sequence[float]) -> str:
    return f"{mean(values) - mean(ours):+.1f}" if len(values) == len(ours) else ""


def _shapes(rows: Sequence[Row], budget: int, steps: int) -> list[list[str]]:
    judged = sorted({row["prompt"] for row in rows if row["plan_of"] == ORACLE and row["budget"] == budget})
    found = []
    for plan_of, name in TOLD.items():
        plans = [row["plan"] for row in _of(rows, budget, plan_of, judged)]
        if plans:
            fifths = [
                mean([sum(step * FIFTHS // steps == fifth for step in plan) for plan in plans])
                for fifth in range(FIFTHS)
            ]
            found.append([f"{budget} of {steps}", name, *(f"{count:.1f}" for count in fifths)])
    return found


def _alone(rows: Sequence[Row]) -> list[str]:
    """What one step costs that is forecast alone; nothing where that was not measured."""
    by_step: dict[int, list[float]] = {}
    for row in rows:
        if row["plan_of"].startswith(ALL_BUT):
            by_step.setdefault(int(row["plan_of"].removeprefix(ALL_BUT)), []).append(row["psnr_db"])
    if not by_step:
        return []
    told = "One step alone that is forecast, every other one being computed: median dB, by the number of the step."
    line = [f"{median(found):.1f}" for _, found in sorted(by_step.items())]
    return [told, "", table([str(step) for step in sorted(by_step)], [line])]
