"""What the node says of a run: the headline, measured against a run in full once there was one; messages; settings."""

from __future__ import annotations

import json
import re
from random import Random

import pytest
from comfyui_jano.host.server import Server
from comfyui_jano.jano.show import headline
from comfyui_jano.jano.show.numbers import duration, percent, times
from comfyui_jano.jano.show.report import RunReport
from comfyui_jano.jano.show.told import verdict_of
from comfyui_jano.tests.stand_ins import small_workflow, workflow_file
from comfyui_jano.tests.unit.show.test_headline import any_report
from comfyui_jano.tests.web.editor import Editor
from comfyui_jano.tests.web.test_live_map import STEPS_TOLD, flux_workflow
from comfyui_jano.tests.web.test_shared_workflow import packed

FIRST_SEED = 900  # of this file: what the server has kept from another run is not sampled again
TELL = """async (events) => {
  const { told } = await import('/extensions/jano/headline.js');
  const { RunRecord } = await import('/extensions/jano/run_record.js');
  const { wordsFor } = await import('/extensions/jano/words.js');
  return events.map((event) => {
    const record = new RunRecord('prompt', '1');
    record.end(event);
    const saved = RunRecord.from(JSON.parse(JSON.stringify(record.saved())), '1');
    return told(wordsFor('en'), saved.data);
  });
}"""
NUMBERS = """async (values) => {
  const { times, duration, percent } = await import('/extensions/jano/numbers.js');
  const { wordsFor } = await import('/extensions/jano/words.js');
  return values.map((value) => [times, duration, percent].map((write) => write(wordsFor('en'), value)));
}"""
LISTEN = """() => {
  window.janoToasts = [];
  const { toast } = app.extensionManager;
  const { add } = toast;
  toast.add = (message) => { janoToasts.push(`${message.summary}: ${message.detail}`); add.call(toast, message); };
}"""


def test_the_page_says_what_the_log_says(desk_of: object) -> None:
    """Of any run, word for word; numbers too."""
    page = desk_of(vue=False).page
    random = Random(3)
    reports = [any_report(random) for _ in range(300)]
    told = page.evaluate(TELL, [json.loads(json.dumps(verdict_of(report))) for report in reports])
    for report, said in zip(reports, told, strict=True):
        assert said == expected(report), headline.summary(report)
    values = [0.0, 0.0003, 0.004, 0.0125, 0.25, 0.385, 0.996, 1.0, 2.25, 9.94, 9.96, 41.5, 119.6, 200.4, 3599.9, 7501.0]
    assert page.evaluate(NUMBERS, values) == [[times(value), duration(value), percent(value)] for value in values]


def expected(report: RunReport) -> dict:
    big = capital(headline.headline(report))
    if report.verdict != "accelerated":
        reason = headline.reason(report)
        return {"big": big, "line": reason and sentence(reason), "more": []}
    facts = "; ".join(filter(None, (headline.steps(report), headline.risk(report), drift(report))))
    remarks = {
        "Partly not accelerated, because": headline.reason(report),
        "Note": "; ".join(report.notes),
        "Advice": report.advice,
    }
    more = [sentence(headline.ESTIMATED)] if report.speedup else []
    more += [f"{name}: {value}." for name, value in remarks.items() if value]
    return {"big": big, "line": sentence(facts), "more": more}


def drift(report: RunReport) -> str:
    """What is known of a run without its references, in place of an error of the picture."""
    if report.references is None or not report.references.frozen:
        return ""
    known = report.references.drift
    return (
        "drift of the references not measured" if known is None else f"references drifted by {percent(known)} at most"
    )


def sentence(text: str) -> str:
    return f"{capital(text)}."


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def quick(seed: int, steps: int = 20, side: int = 256) -> tuple[dict, int, int]:
    """A run of seconds, its Scheduler and its sampler."""
    workflow, scheduler = flux_workflow(side, seed=FIRST_SEED + seed)
    sampler = next(node for node in workflow["nodes"] if node["type"] == "KSampler")
    sampler["widgets_values"][1:3] = ["fixed", steps]
    return workflow, scheduler, sampler["id"]


def again(editor: Editor, sampler: int, seed: int) -> None:
    editor.node(f"node.widgets[0].value = {FIRST_SEED + seed}", sampler)
    editor.run()
    editor.page.wait_for_timeout(500)


@pytest.mark.parametrize("vue", [False, True], ids=["canvas", "vue"])
def test_a_run_is_measured_against_one_in_full(desk_of: object, vue: bool) -> None:
    """With Jano, bypassed, with Jano again: what was estimated is measured from then on, with other seeds too."""
    editor = desk_of(vue)
    workflow, scheduler, sampler = quick(10 * vue)
    editor.load(workflow)
    editor.look_at(scheduler)
    editor.run()
    editor.wait_for_node("node.properties.jano_run", scheduler)
    assert re.match(STEPS_TOLD, editor.text(".jano-line"))
    assert "stimated from this run's full steps." in editor.text(".jano-more")
    editor.shot("headline_estimated")
    editor.node("node.mode = 4", scheduler)
    again(editor, sampler, 1 + 10 * vue)
    assert editor.text(".jano-head") == "Last run with Jano; this node is bypassed"
    measured = r"Measured: [\d.]+ s with Jano, [\d.]+ s in full\."
    assert re.match(measured, editor.text(".jano-more"))
    editor.shot("headline_bypassed")
    editor.node("node.mode = 0", scheduler)
    again(editor, sampler, 2 + 10 * vue)
    assert re.match(measured, editor.text(".jano-more"))
    result = editor.node("node.properties.jano_run.result", scheduler)
    factor = result["full_seconds"] / result["own_seconds"]
    assert capital(headline.faster(factor, result["full_seconds"] - result["own_seconds"])) == editor.text(".jano-big")
    editor.shot("headline_measured")
    editor.page.evaluate("app.extensionManager.setting.set('Comfy.ColorPalette', 'light')")
    editor.page.wait_for_timeout(500)
    editor.shot("headline_light")
    editor.node("node.widgets[2].value = 21", sampler)  # another number of steps is another run
    again(editor, sampler, 3 + 10 * vue)
    assert "stimated" in editor.text(".jano-more")


@pytest.mark.parametrize("vue", [False, True], ids=["canvas", "vue"])
def test_a_run_without_its_references_tells_of_them_and_draws_no_map(desk_of: object, vue: bool) -> None:
    """Its levels decide nothing: they lay over the picture as if they had, beside no word on what it may have cost."""
    editor = desk_of(vue)
    workflow = small_workflow(workflow_file("Flux Kontext edit"))
    scheduler = next(node["id"] for node in workflow["nodes"] if node["type"] == "JanoModelLoader")
    sampler = next(node for node in workflow["nodes"] if node["type"] == "KSampler")
    sampler["widgets_values"][:3] = [FIRST_SEED + 50 + vue, "fixed", 4]
    editor.load(workflow)
    editor.look_at(scheduler)
    editor.run()
    editor.wait_for_node("node.properties.jano_run", scheduler)
    line = editor.text(".jano-line")
    assert re.fullmatch(
        r"\d of 4 steps computed in full, \d without references \(\d+ % of the compute\); "
        r"references drifted by \d+ % at most\.",
        line,
    )
    saved = editor.node("node.properties.jano_run", scheduler)
    assert saved["levels"] is None
    assert not editor.page.locator(".jano-scale").is_visible()
    assert re.search(r"\d without references", editor.text(".jano-kinds"))
    alt = editor.page.locator(".jano-map").get_attribute("aria-label")
    assert alt == "Picture of the run. whole run"
    editor.shot("headline_references")
    told = editor.page.evaluate(LEVELS, saved | {"levels": packed(bytes([1, 2, 3, 1]))})
    assert told == [False, True]  # that of a run which an older version kept


LEVELS = """async (saved) => {
  const { RunRecord } = await import('/extensions/jano/run_record.js');
  const result = { ...saved.result, references_frozen: false };
  return [saved, { ...saved, result }].map((one) => RunRecord.from(one, one.node).mapsLevels);
}"""


def test_a_run_that_is_not_accelerated_is_said_once(open_editor: object, web_server: Server) -> None:
    editor = open_editor(web_server)
    workflow, scheduler, sampler = quick(30, steps=4, side=128)
    editor.page.evaluate(LISTEN)
    editor.load(workflow)
    editor.look_at(scheduler)
    editor.run()
    editor.page.locator(".p-toast-message", has_text="4 steps are too few").wait_for()
    editor.shot("headline_toast")
    again(editor, sampler, 31)
    (toast,) = editor.page.evaluate("janoToasts")
    assert toast.startswith("Jano: Not accelerated: 4 steps are too few to gain by with euler ")
    editor.page.evaluate("app.extensionManager.setting.set('Jano.toasts', false)")
    editor.node("node.widgets[2].value = 3", sampler)
    again(editor, sampler, 32)
    assert editor.text(".jano-line").startswith("3 steps are too few")
    assert len(editor.page.evaluate("janoToasts")) == 1


def test_settings_switch_the_live_view_and_what_is_kept(desk_of: object) -> None:
    editor = desk_of(vue=False)
    ids = editor.page.evaluate("Object.keys(app.ui.settings.settingsLookup).filter((id) => id.startsWith('Jano.'))")
    assert sorted(ids) == ["Jano.keep", "Jano.live", "Jano.map", "Jano.toasts"]
    for name in ("Jano.live", "Jano.keep"):
        editor.page.evaluate("name => app.extensionManager.setting.set(name, false)", name)
    workflow, scheduler, _ = quick(40, side=128)
    editor.load(workflow)
    editor.look_at(scheduler)
    editor.run()
    editor.page.wait_for_function("() => document.querySelector('.jano-line').textContent.includes('steps computed')")
    assert not editor.page.locator(".jano-map").is_visible()
    assert editor.node("node.properties.jano_run", scheduler) is None
    assert "jano_run" not in editor.page.evaluate("JSON.stringify(app.graph.serialize())")
    editor.page.evaluate("app.extensionManager.command.execute('Comfy.ShowSettingsDialog')")
    editor.page.get_by_text("Jano", exact=True).first.click()
    editor.page.wait_for_timeout(800)
    editor.shot("settings")
