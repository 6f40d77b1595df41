"""What is lost by not knowing the picture beforehand: the control's plan, the best common one, the best of each run.

    python bench/run.py oracle --model patches [--prompts 8 --steps 50 --cfg 4 --tries 120]

The engine is the product's, along the plan that it is given; closeness is to the full run. The best plan of a run is
annealed on that run, from the control's; the best common one on the mean dB of TRAINED_ON other prompts, from what most
of their controls computed, and is judged on the first ones. Two more things tell what a plan can be worth at all: the
best plans from noise that is a little another one, where luck is lost and knowledge of the picture is not; and steps
that are forecast alone, all others being computed. Rows carry the digest of the engine's source, so that after a change
of it all is measured anew; what was broken off goes on from its last row.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from random import Random

import torch
from torch import Tensor

from ..jano.config import SchedulerConfig
from ..jano.whole.control import budget_of
from .annealing import Plan, consensus, is_taken, moved
from .arms import AnyTarget
from .patches import bed
from .patches.loop import FIRST_STEPS, Loop, Path, closeness, follow, pictures_in_full
from .records import Lines, Row, engine
from .stats import mean

FILE = "oracle.jsonl"
KEY = ("model", "code", "steps", "cfg", "budget", "plan_of", "prompt")
TARGETS = (2.0, 3.0, 5.0)
PROMPTS, TRAINED_ON, TRIES = 8, 8, 120
# Tries at once: what is asked of the closed form together costs less.
TOGETHER = 2
# Tries after which the best plan so far is written down.
KEPT_EVERY = 20
# The control's own plan, the best of all for many pictures, and for one.
CONTROL, COMMON, ORACLE = "control", "common", "oracle"
# The same two, each judged from the noise that is nudged, against the full run from there.
NUDGED = {CONTROL: "control, nudged", ORACLE: "oracle, nudged"}
NUDGE = 0.02
"""Share of the noise (root mean square) that is another seed's: full runs stay the same picture (26.7 dB)."""
ALL_BUT, EVERY = "all but", 4
"""Plans that compute every step but one, and how many steps lie between those that are tried."""
# What a plan is followed with: the control is not asked, and has nothing to solve.
FORCED = SchedulerConfig(tolerance=1.0)
# Of the forecasts' errors, which the control counts with as soon as one is made.
ANY_RATE = 1.0

Prompt = tuple[int, str]


@dataclass
class Search:
    """A plan for `prompts` that gets better. `trail` holds their runs before every step; `about` names its row."""

    about: Row
    prompts: Sequence[Prompt]
    plan: Plan
    chance: Random
    db: float = 0.0
    best: Plan = frozenset()
    best_db: float = 0.0
    tries: int = 0
    trail: list[list[Path]] = field(default_factory=list)


@dataclass
class Attempt:
    """Another plan for a search, along its trail up to the `first` step that differs."""

    search: Search
    plan: Plan
    first: int
    trail: list[list[Path]]
    paths: list[Path]
    db: float = 0.0


class Bench:
    """The bed's runs of one way of sampling, and the rows that are known of it."""

    def __init__(self, args: argparse.Namespace, demo: bed.Bed) -> None:
        steps, cfg = (args.steps or [demo.kind.steps])[0], args.cfg or demo.kind.cfg
        self.lines, self.loop = Lines(args.out / FILE, KEY), Loop(demo, steps, cfg)
        self.tries = args.tries or TRIES
        self.way = {"model": demo.digest, "code": engine(), "steps": steps, "cfg": cfg}
        count = args.prompts or PROMPTS
        every = list(enumerate(demo.prompts(count + TRAINED_ON)))
        self.judged, self.training = every[:count], every[count:]
        self.full = pictures_in_full(self.loop, every)

    def row(self, budget: int, plan_of: str, prompt: int | None) -> Row:
        return {**self.way, "budget": budget, "plan_of": plan_of, "prompt": prompt}

    def plan(self, row: Row) -> Plan:
        return frozenset(self.lines.find(row)["plan"])

    def has(self, row: Row, plan: Plan) -> bool:
        """Whether this plan was measured, and not one before it."""
        known = self.lines.find(row)
        return known is not None and frozenset(known["plan"]) == plan

    def add(self, row: Row, plan: Plan, db: float, **more: object) -> None:
        self.lines.add({**row, "plan": sorted(plan), "psnr_db": round(db, 3), **more})


def measure(args: argparse.Namespace) -> None:
    with torch.inference_mode():
        bench = Bench(args, bed.load("patches", args.side, args.shift, args.grain))
        budgets = [budget_of(target, bench.loop.num_steps) for target in TARGETS]
        for target, budget in zip(TARGETS, budgets, strict=True):
            follow_control(bench, target, budget)
        anneal(bench, [search for budget in budgets for search in of_each_run(bench, budget)])
        anneal(bench, [common(bench, budget) for budget in budgets])
        for budget in budgets:
            judge_common(bench, budget)
        judge_nudged(bench, budgets)
        forecast_alone(bench)


def follow_control(bench: Bench, target: float, budget: int) -> None:
    """What the product does of itself, on all prompts."""
    missing = [
        prompt
        for prompt in (*bench.judged, *bench.training)
        if bench.lines.find(bench.row(budget, CONTROL, prompt[0])) is None
    ]
    paths = [bench.loop.begin(text, seed, AnyTarget(target_speedup=target)) for seed, text in missing]
    for (seed, _), path, picture in zip(missing, paths, bench.loop.run(paths), strict=True):
        bench.add(bench.row(budget, CONTROL, seed), frozenset(path.computed), closeness(bench.full[seed], picture))


def of_each_run(bench: Bench, budget: int) -> Iterator[Search]:
    for seed, text in bench.judged:
        start = bench.plan(bench.row(budget, CONTROL, seed))
        yield resumed(bench, bench.row(budget, ORACLE, seed), [(seed, text)], start)


def common(bench: Bench, budget: int) -> Search:
    theirs = [bench.plan(bench.row(budget, CONTROL, seed)) for seed, _ in bench.training]
    return resumed(bench, bench.row(budget, COMMON, None), bench.training, consensus(theirs, budget))


def resumed(bench: Bench, about: Row, prompts: Sequence[Prompt], start: Plan) -> Search:
    """From the row that is there, else from the `start`."""
    known = bench.lines.find(about)
    search = Search(about, prompts, frozenset(known["plan"]) if known else start, Random(str(about)))
    search.tries = known["tries"] if known else 0
    return search


def anneal(bench: Bench, searches: Sequence[Search]) -> None:
    """All of them side by side, until each has had its tries."""
    open_ = [search for search in searches if search.tries < bench.tries]
    for attempt in tried(bench, [begun(bench, search) for search in open_]):
        take(attempt)
    while open_:
        attempts = [proposed(bench, search) for search in open_ for _ in range(TOGETHER)]
        for attempt in tried(bench, attempts):
            attempt.search.tries += 1
            done = attempt.search.tries / bench.tries
            # Of several the later ones are judged beside the one that was taken.
            if is_taken(attempt.db - attempt.search.db, done, attempt.search.chance):
                take(attempt)
        for search in open_:
            if search.tries % KEPT_EVERY < TOGETHER or search.tries >= bench.tries:
                bench.add(search.about, search.best, search.best_db, tries=search.tries)
        told = f"{open_[0].tries} of {bench.tries} tries, {mean([s.best_db for s in open_]):.2f} dB"
        print(f"\r{told}", end="", file=sys.stderr, flush=True)
        open_ = [search for search in open_ if search.tries < bench.tries]
    print(file=sys.stderr)


def begun(bench: Bench, search: Search) -> Attempt:
    """The plan that a search starts from, from noise on."""
    paths = [bench.loop.begin(text, seed, FORCED, ANY_RATE) for seed, text in search.prompts]
    return Attempt(search, search.plan, 0, [], paths)


def proposed(bench: Bench, search: Search) -> Attempt:
    plan = moved(search.plan, bench.loop.num_steps, FIRST_STEPS, search.chance)
    first = min(plan ^ search.plan)
    return Attempt(search, plan, first, search.trail[:first], list(map(bench.loop.copied, search.trail[first])))


def tried(bench: Bench, attempts: Sequence[Attempt]) -> Sequence[Attempt]:
    """The attempts, carried out."""
    for path, plan in ((path, attempt.plan) for attempt in attempts for path in attempt.paths):
        follow(path, plan)
    for step in range(bench.loop.num_steps):
        going = [attempt for attempt in attempts if attempt.first <= step]
        for attempt in going:
            attempt.trail.append(list(map(bench.loop.copied, attempt.paths)))
        bench.loop.step([path for attempt in going for path in attempt.paths], step)
    for attempt in attempts:
        attempt.db = mean(closenesses(bench, attempt))
    return attempts


def closenesses(bench: Bench, attempt: Attempt) -> list[float]:
    ends: list[Tensor] = [bench.loop.picture(path) for path in attempt.paths]
    references = [bench.full[seed] for seed, _ in attempt.search.prompts]
    return list(map(closeness, references, ends))


def take(attempt: Attempt) -> None:
    search = attempt.search
    search.plan, search.trail, search.db = attempt.plan, attempt.trail, attempt.db
    if search.db > search.best_db:
        search.best, search.best_db = search.plan, search.db


def judge_common(bench: Bench, budget: int) -> None:
    """On the prompts on which it was not made."""
    plan = bench.plan(bench.row(budget, COMMON, None))
    search = Search({}, bench.judged, plan, Random(0))
    (attempt,) = tried(bench, [begun(bench, search)])
    for (seed, _), db in zip(bench.judged, closenesses(bench, attempt), strict=True):
        bench.add(bench.row(budget, COMMON, seed), plan, db)


def judge_nudged(bench: Bench, budgets: Sequence[int]) -> None:
    """The control's plans and the best ones, from noise that is a little another one."""
    full = pictures_in_full(bench.loop, bench.judged, NUDGE)
    for budget, (plan_of, name) in product(budgets, NUDGED.items()):
        plans = {seed: bench.plan(bench.row(budget, plan_of, seed)) for seed, _ in bench.judged}
        missing = [one for one in bench.judged if not bench.has(bench.row(budget, name, one[0]), plans[one[0]])]
        paths = [bench.loop.begin(text, seed, FORCED, ANY_RATE, NUDGE) for seed, text in missing]
        for (seed, _), path in zip(missing, paths, strict=True):
            follow(path, plans[seed])
        for (seed, _), picture in zip(missing, bench.loop.run(paths), strict=True):
            bench.add(bench.row(budget, name, seed), plans[seed], closeness(full[seed], picture))


def forecast_alone(bench: Bench) -> None:
    """What one step costs that is forecast while every other is computed, unless that is known."""
    steps = bench.loop.num_steps
    every = frozenset(range(steps))
    tried = [step for step in range(max(FIRST_STEPS) + 1, steps - 1) if (steps - 1 - step) % EVERY == 1]
    rows = [alone(bench, step, seed) for step in tried for seed, _ in bench.judged]
    if all(bench.lines.find(row) for row in rows):
        return
    trail = [bench.loop.begin(text, seed, FORCED, ANY_RATE) for seed, text in bench.judged]
    for step in range(steps):
        if step in tried:
            without(bench, list(map(bench.loop.copied, trail)), step, every - {step})
        for path in trail:
            follow(path, every)
        bench.loop.step(trail, step)


def without(bench: Bench, paths: Sequence[Path], step: int, plan: Plan) -> None:
    """From a step on that is forecast."""
    for path in paths:
        follow(path, plan)
    for later in range(step, bench.loop.num_steps):
        bench.loop.step(paths, later)
    for (seed, _), path in zip(bench.judged, paths, strict=True):
        bench.add(alone(bench, step, seed), plan, closeness(bench.full[seed], bench.loop.picture(path)))


def alone(bench: Bench, step: int, seed: int) -> Row:
    return bench.row(bench.loop.num_steps - 1, f"{ALL_BUT} {step}", seed)
