"""Who reads another language reads all that this pack says in it: nodes, help, the run, its report."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from comfyui_jano.host.location import ROOT
from comfyui_jano.host.server import Server
from comfyui_jano.tests.stand_ins import small_workflow
from comfyui_jano.tests.web.editor import Editor

FLUX = ROOT / "example_workflows" / "Flux text to image.json"
STEPS = 4  # too few: the run is native, and says why
LINE = "4 步太少，使用 euler 省不下什么"
LANGUAGES = ("zh", "zh-TW", "ja", "ko")
# Every word and sentence of a language, filled with numbers, lists or text as it may come.
SPEAK = """async (locale) => {
  const { wordsFor } = await import('/extensions/jano/words.js');
  const { percent } = await import('/extensions/jano/numbers.js');
  const { default: { view, sentences } } = await import(`/extensions/jano/words/${locale}.js`);
  const words = wordsFor(locale);
  const place = /\\{(\\w+)(?::([^}]*))?\\}/g;
  const list = ['a', { text: 'b', key: 'native', values: {} }];
  const valueFor = (format) => (/^[.g]/.test(format ?? '') ? 0.5 : format ? list : 7);
  const told = Object.entries(sentences).map(([key, text]) => {
    const values = Object.fromEntries([...text.matchAll(place)].map(([, name, format]) => [name, valueFor(format)]));
    return words.speak({ text: 'ENGLISH', key, values });
  });
  const of_another_version = words.speak({ text: 'ENGLISH', key: 'constructor', values: {} });
  return { told, of_another_version, lacking: words.speak({ text: 'ENGLISH', key: 'too_few_steps', values: {} }),
           share: words.map.share('x', percent(words, 0.256)) };
}"""


@pytest.fixture(scope="module")
def reader(keep_editor: object, web_server: Server) -> Iterator[Editor]:
    """The editor of a reader of Chinese."""
    editor = keep_editor(web_server)
    editor.page.evaluate("app.extensionManager.setting.set('Comfy.Locale', 'zh')")
    editor.open()
    yield editor
    editor.page.evaluate("app.extensionManager.setting.set('Comfy.Locale', 'en')")


def test_the_run_its_report_and_the_help_are_read_in_ones_language(reader: Editor, web_server: Server) -> None:
    workflow = native_workflow(seed=70)
    ids = {node["type"]: node["id"] for node in workflow["nodes"]}
    scheduler, logged = ids["JanoScheduler"], len(web_server.log.read_text())
    reader.load(workflow)
    reader.run()
    reader.wait_for_node("node.properties.jano_run", scheduler)
    assert reader.text(".jano-big") == "未加速"
    assert reader.text(".jano-line").startswith(LINE)
    assert reader.node("node.properties.jano_run.summary", scheduler).startswith(
        "Jano: not accelerated because 4 steps "
    )
    reader.page.wait_for_function("() => document.querySelector('.jano-table span')")
    assert (reader.text(".jano-table b"), reader.text(".jano-table span")) == ("结果", "未加速")
    assert "4 steps are too few to gain by with euler" in web_server.log.read_text()[logged:]
    reader.look_at(ids["JanoReport"])
    reader.node("app.canvas.selectNode(node)", scheduler)
    reader.page.get_by_test_id("info-button").dispatch_event("click")
    assert reader.page.locator(".node-help-content h1").first.inner_text() == "Jano 加速器"
    reader.shot("language_report_and_help")
    reader.look_at(scheduler)
    reader.shot("language_run")
    title = reader.page.evaluate("() => LiteGraph.createNode('JanoScheduler').title")
    assert title == "Jano 加速器"
    for language in LANGUAGES:
        told = reader.page.evaluate(SPEAK, language)
        assert [text for text in told["told"] if "{" in text or "ENGLISH" in text or "undefined" in text] == []
        assert (told["of_another_version"], told["lacking"], told["share"]) == ("ENGLISH", "ENGLISH", "x 26%")


def test_taiwan_does_not_read_the_mainlands_chinese(open_editor: object, web_server: Server) -> None:
    editor = open_editor(web_server)
    editor.page.evaluate("app.extensionManager.setting.set('Comfy.Locale', 'zh-TW')")
    try:
        editor.open()
        workflow = native_workflow(seed=75)
        scheduler = next(node["id"] for node in workflow["nodes"] if node["type"] == "JanoScheduler")
        editor.load(workflow)
        editor.look_at(scheduler)
        editor.run()
        editor.wait_for_node("node.properties.jano_run", scheduler)
        assert editor.text(".jano-line").startswith("4 步太少，使用 euler 省不下什麼")
        assert editor.node("node.widgets.find(({ name }) => name === 'quality').label", scheduler) == "品質"
        editor.node("app.canvas.selectNode(node)", scheduler)
        editor.page.get_by_test_id("info-button").dispatch_event("click")
        editor.page.locator(".node-help-content", has_text="取樣器").first.wait_for()
        editor.shot("language_taiwan")
    finally:
        editor.page.evaluate("app.extensionManager.setting.set('Comfy.Locale', 'en')")


TOLD = """async (locale) => {
  const { told } = await import('/extensions/jano/headline.js');
  const { wordsFor } = await import('/extensions/jano/words.js');
  const result = {
    speedup: 2.2, seconds_saved: 3.4, steps_computed: 9, steps_in_part: 2, steps_forecast: 9, risk: 'details',
    references_frozen: true, notes: ['ENGLISH'], advice: 'ENGLISH',
  };
  const sentence = (key) => ({ text: 'ENGLISH', key, values: {} });
  const spoken = { summary: 'ENGLISH', fallbacks: [sentence('compiled')], notes: [sentence('went_back')],
                   advice: sentence('advise_fast') };
  const data = { verdict: 'accelerated', computed_fraction: 0.55, fallbacks: ['ENGLISH'], result };
  const [said, lacking] = [{ ...data, spoken }, data].map((one) => told(wordsFor(locale), one));
  return { ...said, lacking: lacking.more.join(' ') };
}"""


def test_the_result_is_told_in_ones_language(reader: Editor) -> None:
    """Numbers, reasons, notes and advice; those of a run that was saved without them stay English."""
    told = reader.page.evaluate(TOLD, "zh-CN")
    assert told["big"] == "加速 2.2 倍，节省 3.4 秒"
    assert told["line"] == ("20 步中完整计算 9 步，不含参考图 2 步，预测 9 步（计算量的 55%）；细节可能变化。")
    assert told["more"][1] == "部分未加速，原因：模型已被编译。"
    for language in LANGUAGES:
        told = reader.page.evaluate(TOLD, language)
        assert "ENGLISH" not in "".join([told["big"], told["line"], *told["more"]])
        assert told["lacking"].count("ENGLISH") == 3


def native_workflow(seed: int) -> dict:
    workflow = small_workflow(FLUX)
    for node in workflow["nodes"]:
        if node["type"] == "KSampler":
            node["widgets_values"][0], node["widgets_values"][2] = seed, STEPS
        if node["type"] == "EmptySD3LatentImage":
            node["widgets_values"] = [128, 128, 1]
    return workflow
