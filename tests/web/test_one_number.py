"""A run has one factor, wherever the page tells it, and each place says whether it was measured or estimated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random

import pytest
from comfyui_jano.host.server import Server
from comfyui_jano.jano.sentences import spoken
from comfyui_jano.jano.show.headline import table
from comfyui_jano.jano.show.told import verdict_of
from comfyui_jano.tests.unit.show.test_headline import any_report
from comfyui_jano.tests.web.editor import Editor
from comfyui_jano.tests.web.test_headline import again, quick

ESTIMATED = r"estimated from this run's full steps"
MEASURED = r"measured: [\d.]+ s with Jano, [\d.]+ s in full"
WAITING = "The table appears here after the next run."
# What the node says and what its report says of the same run, measured by the page after both were made.
BOTH = """async (runs) => {
  const { told, measuredRows } = await import('/extensions/jano/headline.js');
  const { RunRecord } = await import('/extensions/jano/run_record.js');
  const { wordsFor } = await import('/extensions/jano/words.js');
  const words = wordsFor('en');
  return runs.map(({ event, rows, seconds }) => {
    const record = new RunRecord('prompt', '1');
    record.end(event);
    if (event.verdict === 'accelerated') record.compare(seconds);
    return [told(words, record.data), measuredRows(words, rows, seconds).map((row) => row.map(words.speak))];
  });
}"""


def test_a_report_that_is_measured_says_what_the_node_says(desk_of: Callable[[bool], Editor]) -> None:
    """Of any run."""
    page, random = desk_of(vue=False).page, Random(5)
    runs = []
    for report in (any_report(random) for _ in range(300)):
        seconds = {"full_seconds": random.choice([0.5, 8.0, 300.0]), "own_seconds": random.choice([0.4, 7.9, 90.0])}
        runs.append({"event": verdict_of(report), "rows": table(report).spoken(), "seconds": seconds})
    told = page.evaluate(BOTH, json.loads(json.dumps(runs)))
    measured = 0
    for run, (node, rows) in zip(runs, told, strict=True):
        result = dict(rows)["Result"]
        if run["event"]["verdict"] != "accelerated" or not run["event"]["speedup"]:
            assert rows == [
                [str(cell["text"]) if isinstance(cell, dict) else cell for cell in row] for row in run["rows"]
            ]
            continue
        measured += 1
        basis = node["more"][0].rstrip(".")
        assert re.fullmatch(MEASURED.replace(" s ", r" (s|min \d+ s) "), basis[0].lower() + basis[1:])
        assert result == f"{node['big'][0].lower()}{node['big'][1:]} ({basis[0].lower()}{basis[1:]})"
        assert "estimated" not in json.dumps(rows)
        assert "Time" not in dict(rows)  # of the estimate's seconds
    assert measured > 50


def said(editor: Editor, basis: str) -> str:
    """What the node says of its run, the same wherever it is told; which rests on `basis`."""
    big = editor.text(".jano-big")
    told = f"{big[0].lower()}{big[1:]}"
    result = editor.page.locator(".jano-table > div > div").first.inner_text()
    assert re.fullmatch(rf"Result\s+{re.escape(told)} \({basis}\)", result)
    aloud = editor.page.locator(".jano-said").first.text_content()
    assert aloud.startswith(f"{big}. ")
    assert re.search(basis, aloud, re.IGNORECASE)
    assert re.search(basis, editor.text(".jano-more"), re.IGNORECASE)
    return big


@pytest.mark.parametrize("vue", [False, True], ids=["canvas", "vue"])
def test_one_number_before_and_after_it_was_measured_and_when_the_page_is_loaded_again(
    open_editor: object, web_server: Server, vue: bool
) -> None:
    editor = open_editor(web_server, vue)
    workflow, scheduler, sampler = quick(60 + 10 * editor.vue)
    report = next(node["id"] for node in workflow["nodes"] if node["type"] == "JanoReport")
    editor.load(workflow)
    assert editor.text(".jano-table") == WAITING
    editor.look_at(report)
    editor.shot("report_waiting")
    editor.run()
    editor.wait_for_node("node.properties.jano_table", report)
    said(editor, ESTIMATED)
    editor.look_at(report)
    editor.shot("report_estimated")
    editor.node("node.mode = 4", scheduler)
    editor.node("node.mode = 2", report)  # it is not asked again, and still corrected
    again(editor, sampler, 61 + 10 * editor.vue)
    editor.wait_for_node("node.properties.jano_table?.measured", report)
    editor.node("node.mode = 0", scheduler)
    editor.node("node.mode = 0", report)
    said(editor, MEASURED)
    again(editor, sampler, 62 + 10 * editor.vue)
    big = said(editor, MEASURED)
    chart = editor.page.locator(".jano-chart").get_attribute("aria-label")
    editor.look_at(report)
    editor.shot("report_measured")

    editor.open()
    editor.wait_for_node("node?.properties.jano_table", report)
    editor.look_at(report)
    assert editor.text(".jano-big") == big
    assert re.search(MEASURED, editor.text(".jano-table"))
    assert editor.page.locator(".jano-chart").is_visible()
    assert editor.page.locator(".jano-chart").get_attribute("aria-label") == chart
    editor.shot("report_reloaded")
    editor.page.evaluate("app.extensionManager.setting.set('Jano.keep', false)")
    again(editor, sampler, 63 + 10 * editor.vue)
    assert "Result" in editor.text(".jano-table")
    assert editor.node("node.properties.jano_table", report) is None
    editor.load(editor.page.evaluate("app.graph.serialize()"))  # into a tab of its own
    editor.page.wait_for_timeout(500)
    assert editor.text(".jano-table") == WAITING


@pytest.mark.parametrize("vue", [False, True], ids=["canvas", "vue"])
def test_what_the_host_has_kept_is_told_by_the_node_as_by_its_report(
    desk_of: Callable[[bool], Editor], vue: bool
) -> None:
    """A workflow without its runs is run again, with nothing changed: no sampler is asked, only the Report spoke."""
    editor = desk_of(vue)
    workflow, scheduler, _ = quick(90 + vue)
    report = next(node["id"] for node in workflow["nodes"] if node["type"] == "JanoReport")
    editor.load(workflow)
    editor.run()
    editor.wait_for_node("node.properties.jano_run", scheduler)
    editor.page.wait_for_timeout(500)
    first = told_by(editor, scheduler)
    editor.load(workflow)  # as it was: in a tab of its own, where nothing has run
    editor.wait_for_node("node && !node.properties.jano_run", scheduler)
    editor.look_at(scheduler)
    editor.run()
    editor.wait_for_node("node.properties.jano_table", report)
    editor.wait_for_node("node.properties.jano_run", scheduler)
    assert told_by(editor, scheduler) == first
    assert editor.node("node.properties.jano_run.steps.length", scheduler) == 20
    editor.shot("kept_by_the_host")


def told_by(editor: Editor, node: int) -> dict:
    """What is kept of a node's run, but for its picture, which the host shows no more."""
    kept = editor.node("node.properties.jano_run", node)
    return {name: value for name, value in kept.items() if name not in ("picture", "node")}


def test_a_table_that_lies_in_a_file_may_be_anybodys(desk_of: Callable[[bool], Editor]) -> None:
    """What does not fit is none; what does is text."""
    page = desk_of(vue=False).page
    good = {"version": 1, "node": 5, "text": "a", "table": [[spoken("x"), "y"]], "measured": None}
    step = {"kind": "full", "seconds": 0.5, "cost": None, "tolerance": 0.05}
    charted = {**good, "steps": [step, {**step, "kind": "skipped", "cost": 0.0123}]}
    long = {**charted, "steps": [step] * 2000}  # the table stays, without its chart
    wrong = {
        "another node": {"node": 6},
        "no text": {"text": 3},
        "rows of two lengths": {"table": [["a", "b"], ["c"]]},
        "no sentences": {"table": [[{"text": "a"}, "b"]]},
        "no seconds": {"measured": {"full_seconds": "1", "own_seconds": 1}},
        "too large": {"text": "a" * 40_000},
        "another version": {"version": 2},
        "steps that are no list": {"steps": {"length": 3}},
        "no steps": {"steps": [None]},
        "another kind": {"steps": [{**step, "kind": "fixed inset-0"}]},
        "seconds below none": {"steps": [{**step, "seconds": -1}]},
        "no time": {"steps": [{**step, "seconds": None}]},
        "no cost": {"steps": [{**step, "cost": "1"}]},
        "no tolerance": {"steps": [{**step, "tolerance": {}}]},
    }
    read = page.evaluate(
        """async (all) => {
            const { ShownTable } = await import('/extensions/jano/shown_table.js');
            return all.map((saved) => ShownTable.from(saved, 5)?.saved() ?? null);
        }""",
        [good, charted, long, *({**good, **change} for change in wrong.values()), None, "text", []],
    )
    assert read == [good, charted, good, *[None] * (len(wrong) + 3)]
