"""The words of a run: they never contradict its numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from random import Random

import pytest
from comfyui_jano.jano.show.advice import MUCH_OF_NOISE, advice_for
from comfyui_jano.jano.show.headline import RISKS, chart_title, faster, summary, table
from comfyui_jano.jano.show.references import ReferenceAccount
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.jano.show.risk import MOST, Risk
from comfyui_jano.jano.show.run_files import row_of
from comfyui_jano.jano.show.told import account_of
from comfyui_jano.tests.unit.show.test_report import QUARTERS, record, report

WHEN = datetime(2026, 11, 26, 20, 0, 0)


@pytest.mark.parametrize(
    ("speedup", "saved", "told"),
    [
        (2.2, 41.0, "2.2x faster, saved 41 s"),
        (2.2, 0.04, "2.2x faster"),
        (1.05, 1.0, "1.1x faster, saved 1.0 s"),
        (1.04, 1.0, "about as fast as in full"),
        (0.96, -1.0, "about as fast as in full"),
        (0.9, -5.0, "slower than in full, by 5.0 s"),
        (0.9, -0.01, "slower than in full"),
    ],
)
def test_faster_is_what_is_faster(speedup: float, saved: float, told: str) -> None:
    assert faster(speedup, saved) == told


def skipping() -> RunReport:
    """Ten steps of 2 s, six of them forecast in next to no time."""
    steps = (
        [record(step, 10, 2.0) for step in range(3)] + [record(step, 0) for step in range(3, 9)] + [record(9, 10, 2.0)]
    )
    for made in steps[:3]:
        made.picture_error = 0.0
    steps[-1].forecast_error, steps[-1].picture_error = 0.034, 0.03
    return report(*steps)


def test_the_line_of_an_accelerated_run() -> None:
    assert summary(skipping()) == (
        "Jano: 2.5x faster, saved 12 s (estimated from this run's full steps); 4 of 10 steps computed, 6 forecast; "
        "hard to see."
    )


def test_the_table_of_an_accelerated_run() -> None:
    assert table(skipping()).markdown().splitlines() == [
        "| Jano run | |", "|---|---|",
        "| Result | 2.5x faster, saved 12 s (estimated from this run's full steps) |",
        "| Steps | 4 of 10 steps computed, 6 forecast |",
        "| Risk | hard to see |",
        "| Time | 8.0 s of sampling, in full about 20 s |",
        "| Model | Flux |",
        "| Image tokens | 10 |",
    ]  # fmt: skip


def test_reasons_notes_and_advice_have_their_own_names() -> None:
    made = skipping()
    made.fallbacks, made.notes, made.advice = ["of an area"], ["a target was missed"], "try euler"
    assert summary(made).endswith(
        " Partly not accelerated, because: of an area. Note: a target was missed. Advice: try euler."
    )
    assert table(made).markdown().splitlines()[-3:] == [
        "| Partly not accelerated, because | of an area |", "| Note | a target was missed |", "| Advice | try euler |",
    ]  # fmt: skip


def test_a_native_run_says_what_it_is_and_why() -> None:
    made = report(record(0, 10, 1.0), fallbacks=["of this", "of that"], notes=["of no interest"])
    assert summary(made) == "Jano: not accelerated because of this; of that."
    assert table(made).markdown().splitlines()[2:] == ["| Result | not accelerated |", "| Because | of this; of that |"]


def test_a_chart_names_no_factor_that_the_page_may_measure_otherwise() -> None:
    assert chart_title(skipping()) == "4 of 10 steps computed, 6 forecast"
    assert chart_title(report(record(0, 10), fallbacks=["of this"])) == "not accelerated; of this"
    assert chart_title(report(record(0, 10))) == "not accelerated"


def test_a_report_of_nothing_tells_of_no_run() -> None:
    assert summary(RunReport.of_nothing("no latent is known")) == "Jano: no run to report: no latent is known."


def test_a_run_by_level_tells_how_much_it_computed() -> None:
    made = report(
        record(0, 10, 1.0), record(1, 4, 0.4), record(2, 0, 0.0), level_map=QUARTERS, cache_bytes_peak=3 * 2**20
    )
    assert "1 of 3 steps computed in full, 1 in part, 1 forecast (47 % of the compute)" in summary(made)
    assert "| Kept in memory | 3.0 MiB |" in table(made).markdown()
    assert not re.search("static|moderate|active|token-steps", summary(made) + table(made).markdown())


def test_steps_without_references_are_told_as_that() -> None:
    frozen = ReferenceAccount("auto", 4, stored={0}, frozen={1, 2})
    made = report(record(0, 10), record(1, 6), record(2, 6), references=frozen)
    assert "1 of 3 steps computed in full, 2 without references (73 % of the compute)" in summary(made)


# --- whatever a run did


def any_report(random: Random) -> RunReport:
    """Of any state: native, analysed, by level, with references, skipping, partly native; timed or not; empty too."""
    count = random.choice([0, 1, 2, 7, 20, 50])
    shares = random.choice([(10,), (10, 0), (10, 0, 0, 0), (10, 4), (10, 4, 0), (0,), (4,)])
    seconds = random.choice([0.0, 0.001, 0.3, 4.0, 90.0])
    steps = []
    for step in range(count):
        computed = random.choice(shares)
        made = record(
            step, computed, seconds * (computed / 10 + random.choice([0.0, 0.05, 2.0])) * random.uniform(0.8, 1.2)
        )
        if computed and random.random() < 0.9:
            made.forecast_error, made.picture_error = (random.choice([0.0, 0.0001, 0.02, 0.3, 2.0]) for _ in range(2))
        steps.append(made)
    some = [["of this"], [], ["of this", "of that"]]
    frozen = ReferenceAccount("auto", 4, {0}, {1}, random.choice([[], [0.03]]))
    return RunReport(
        "Flux",
        count + random.choice([0, 0, 5]),  # stopped
        10,
        steps,
        fallbacks=random.choice(some),
        notes=random.choice(some),
        level_map=random.choice([None, QUARTERS]),
        accelerates=random.random() < 0.8,
        cache_bytes_peak=random.choice([0, 5]),
        references=random.choice([None, None, frozen]),
        advice=random.choice(["", "try euler"]),
    )


def reports() -> Iterator[RunReport]:
    random = Random(7)
    yield from (any_report(random) for _ in range(3000))
    yield RunReport.of_nothing("no run")


def seconds_in(told: str) -> float:
    """The first duration after these words, back as a number."""
    units = {"h": 3600, "min": 60, "s": 1}
    return sum(float(value) * units[unit] for value, unit in re.findall(r"([\d.]+) (h|min|s)\b", told))


def test_words_never_contradict_the_numbers() -> None:
    seen = set()
    for made in reports():
        line, rows = summary(made), table(made).markdown()
        account, told = account_of(made), line + "\n" + rows
        seen.add(made.verdict + (" faster" if "faster" in line else "") + (f" {made.risk}" if made.risk else ""))
        assert account["headline"] in line
        assert account["headline"] in rows
        assert ("not accelerated because" in line) <= (made.verdict == "native")
        check_result(made, line)
        check_steps(made, told)
        check_risk(made, told)
        check_remarks(made, line, rows)
        assert not re.search(r"\(\)|  |\bNone\b|nan|\binf\b|;\s*[;.]|: \.|\d%", told), told
        assert all(re.fullmatch(r"\| [^|]+ \| [^|]+ \|", row) for row in rows.splitlines()[2:])
    assert {"native", "analysed", "accelerated", "accelerated faster hard_to_see"} <= seen
    assert {f"accelerated faster {risk}" for risk in Risk} <= seen


QUALITIES = ("fidelity", "balanced", "fast", "draft", "target", "custom")
NOISY, PLAIN = ("lcm", "euler_ancestral"), ("euler", "uni_pc", "dpmpp_2m")


def advised(random: Random) -> RunReport:
    """Any report, with what was asked for and what is advised on that."""
    made = any_report(random)
    made.sampler = random.choice(NOISY + PLAIN)
    made.left = 2.0 if made.sampler in NOISY else random.choice([0.5, 1.0])
    made.quality, made.cfg = random.choice(QUALITIES), random.choice([None, 1.0, 4.0])
    made.would_freeze = random.random() < 0.1
    made.advice = advice_for(made)
    return made


def test_files_and_advice_never_contradict_the_numbers_either() -> None:
    random, seen = Random(11), set()
    for made in (advised(random) for _ in range(6000)):
        account = json.loads(json.dumps(account_of(made), allow_nan=False))
        line, rows = row_of(account, WHEN), dict(table(made).told)
        seen.add(getattr(made.advice, "key", ""))
        check_advice(made)
        assert rows.get("Advice", "") == (made.advice if made.verdict == "accelerated" else "") == account["advice"]
        check_files(made, account, line, rows)
    assert {
        "",
        "advise_fast",
        "advise_balanced",
        "advise_sampler",
        "advise_closer_sampler",
        "advise_references",
    } <= seen
    assert "advise_longer" in seen


def check_files(made: RunReport, account: dict, line: dict, rows: dict) -> None:
    """The JSON, the line of the CSV and the table of one run."""
    assert account["headline"] == rows["Result"]
    assert (line["verdict"], line["quality"], line["sampler"]) == (made.verdict, made.quality, made.sampler)
    assert line["computed"] == pytest.approx(made.computed_token_fraction, abs=1e-4)
    assert line.get("factor") == account["speedup"]
    assert line.get("saved_seconds") == account["seconds_saved"]
    assert ("factor" in line) == (line["basis"] == "estimated") == ("estimated" in rows["Result"])
    found = re.search(r"([\d.]+)x faster", rows["Result"])
    assert found is None or float(found[1]) == pytest.approx(
        line["factor"], abs=0.052 if line["factor"] < 9.9 else 0.51
    )
    if made.verdict == "accelerated":
        assert rows.get("Risk", "") == (RISKS[made.risk] if made.risk else "")
        assert line.get("risk") == (made.risk and str(made.risk))
        assert (account["steps_computed"], account["steps_forecast"]) == (made.steps_computed, made.steps_forecast)
    else:
        assert "faster" not in rows["Result"]
        assert not {"factor", "saved_seconds"} & line.keys()


def check_advice(made: RunReport) -> None:
    """It fits what was computed, and nobody is told to choose what he has."""
    told = made.advice
    if not told:
        return
    assert made.verdict == "accelerated"
    assert f"quality {made.quality} " not in told
    if "euler or uni_pc" in told:
        assert made.sampler in NOISY
        assert made.sampler in told
        assert ("more steps" in told) <= (made.computed_token_fraction >= MUCH_OF_NOISE)
        assert ("closer" in told) <= (made.risk in (Risk.DETAILS, Risk.COMPOSITION))
    if "quality balanced" in told:
        assert (made.quality, made.risk) == ("fidelity", Risk.HARD_TO_SEE)
    if "quality fast" in told:
        assert (made.quality, made.risk) == ("draft", Risk.COMPOSITION)
    if longer := re.match(r"(\d+) steps would", told):
        assert int(longer[1]) > made.num_steps


def check_result(made: RunReport, line: str) -> None:
    found = re.search(r"([\d.]+)x faster(?:, saved ([^(;.]+(?:\.\d s)?))?", line)
    if found is None:
        assert made.verdict != "accelerated" or made.speedup is None or made.speedup < 1.05
        return
    assert made.verdict == "accelerated"
    assert float(found[1]) == pytest.approx(made.speedup, abs=0.051 if made.speedup < 9.9 else 0.51)
    if found[2]:
        assert seconds_in(found[2]) == pytest.approx(made.seconds_saved, abs=0.051 if made.seconds_saved < 9.9 else 31)
    assert "slower" not in line
    assert "as fast as" not in line


def check_steps(made: RunReport, told: str) -> None:
    if made.verdict != "accelerated":
        assert not re.search("computed|forecast error|faster|saved|hard to see|may", told)
        return
    computed, every = map(int, re.search(r"(\d+) of (\d+) steps computed", told).groups())
    rest = sum(
        int(count) for count in re.findall(r", (\d+) (?:forecast|in part|without references)", told.split("\n")[0])
    )
    assert (computed, every) == (made.steps_computed, len(made.steps))
    assert computed + rest == every
    assert ("in part" in told or "without references" in told) == (made.steps_in_part > 0)


def check_risk(made: RunReport, told: str) -> None:
    words = [risk for risk, word in RISKS.items() if word in told]
    assert words == ([made.risk] if made.risk and made.verdict == "accelerated" else [])
    if made.risk is not None:
        assert made.picture_error <= MOST.get(made.risk, 1e9)


def check_remarks(made: RunReport, line: str, rows: str) -> None:
    for reason in made.fallbacks:
        assert reason in line
        assert reason in rows
    if made.verdict == "accelerated":
        named = {"Note": made.notes, "Advice": made.advice, "Partly not accelerated, because": made.fallbacks}
        for name, value in named.items():
            assert (f"| {name} |" in rows) == (f" {name}: " in line) == bool(value)
    else:
        assert "Note" not in line + rows
        assert "Advice" not in line + rows
