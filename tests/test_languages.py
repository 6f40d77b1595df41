"""What users read, in their language: sentences of a run, words of the page, nodes, help pages.

English is the source: `jano/sentences.py`, `web/words/en.js`, the schemas, `web/docs/<Node>.md`. What is added there is
added to each language here.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from string import Formatter

import pytest
from comfyui_jano.jano.sentences import CATALOGUE, Sentence, Template, say
from comfyui_jano.jano.show.chart import OF_ERRORS
from comfyui_jano.jano.show.headline import table
from comfyui_jano.tests.unit.show.test_headline import any_report

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("zh", "zh-TW", "ja", "ko")
# Letters that every sentence of a language has.
SCRIPTS = {
    "zh": "[\u4e00-\u9fff]",
    "zh-TW": "[\u4e00-\u9fff]",
    "ja": "[\u3040-\u30ff\u4e00-\u9fff]",
    "ko": "[\uac00-\ud7af]",
}
SPEAKING = sorted(file for room in ("jano", "nodes") for file in (ROOT / room).rglob("*.py"))
PAGES = sorted((ROOT / "web" / "docs").glob("*.md"))
FORMATS = re.compile(r"(\.\df|g|)")  # that words.js knows; between the parts of a list stands anything
NAMES = {"row_psnr", "row_ssim", "row_lpips", "mebibytes", "run", "run_with_reason"}  # the same everywhere
# Errors, which the host shows as they are; and what is drawn into pictures, whose font has only our letters.
IN_ENGLISH = ("config.py", "presets.py", "inputs.py", "convergence_map.py", "flash_vaed_compare.py", "sentences.py")
IN_ENGLISH += ("chart.py", "render.py", "types.py")  # drawn; tooltips
BRANDS = {"First Block Cache", "Stable Video Diffusion"}
MOST_WORDS = 2  # of a text that is no sentence


def words_of(language: str) -> dict:
    """A language's file is JSON behind its first words, so that it can be read here."""
    text = (ROOT / "web" / "words" / f"{language}.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("export default ").removesuffix(";\n"))


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def leaves(tree: dict | str, at: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(tree, str):
        yield at, tree
    else:
        for name, branch in tree.items():
            yield from leaves(branch, f"{at}.{name}")


ENGLISH = words_of("en")
SENTENCES = CATALOGUE | ENGLISH["sentences"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_there_with_the_same_places(language: str) -> None:
    sentences = words_of(language)["sentences"]
    assert {key: places(text) for key, text in sentences.items()} == {k: places(text) for k, text in SENTENCES.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_page_is_there_with_the_same_places(language: str) -> None:
    words = dict(leaves(words_of(language)["view"]))
    assert {at: places(text) for at, text in words.items()} == {
        at: places(text) for at, text in leaves(ENGLISH["view"])
    }


@pytest.mark.parametrize("language", sorted(["en", *LANGUAGES]))
def test_a_step_is_called_the_same_above_the_map_and_below_it(language: str) -> None:
    """The node said "skipped" where its own strip of steps said "forecast"."""
    view = words_of(language)["view"]
    assert {kind: view["kinds"][kind] for kind in ("full", "skipped")} == {
        kind: view["strip"]["cells"][kind] for kind in ("full", "skipped")
    }


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_numbers_have_a_format_that_the_page_knows(language: str) -> None:
    parts = [part for text in CATALOGUE.values() for part in Formatter().parse(text)]
    lists = {name for _, name, form, _ in parts if name and " " in form}
    told = [part for _, text in leaves(words_of(language)) for part in Formatter().parse(text)] + parts
    forms = [form for _, name, form, _ in told if name and name not in lists]
    assert [form for form in forms if not FORMATS.fullmatch(form)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_in_its_language(language: str) -> None:
    """But for those that are a name, or places alone."""
    said = {key: Formatter().vformat(text, (), Blanks()) for key, text in words_of(language)["sentences"].items()}
    plain = {key for key, text in said.items() if not re.search(SCRIPTS[language], text)}
    assert {key for key in plain if re.search("[A-Za-z]{3}", said[key])} == NAMES


# Letters and words of the mainland that Taiwan writes and says otherwise: what a copy of `zh` would have left.
SIMPLIFIED = "为这个来时说过还进关开运质视频题网络设认让较页图块层单计预测误显内节点种缓键错读写类权针对华"
OF_THE_MAINLAND = (
    "視頻",
    "質量",
    "內存",
    "緩存",
    "採樣",
    "默認",
    "圖像",
    "文件",
    "信息",
    "運行",
    "噪聲",
    "屏幕",
    "調用",
    "加載",
)


def test_taiwan_reads_its_own_chinese() -> None:
    """Letters and usage of Taiwan, in all that is said."""
    places = [ROOT / "web" / "words" / "zh-TW.js", *(ROOT / "locales" / "zh-TW").iterdir()]
    texts = [path.read_text(encoding="utf-8") for path in (*places, *(ROOT / "web" / "docs").glob("*/zh-TW.md"))]
    assert len(texts) == len(PAGES) + 4
    said = "".join(texts)
    assert [letter for letter in SIMPLIFIED if letter in said] == []
    assert [word for word in OF_THE_MAINLAND if word in said] == []


class Blanks(dict):
    """A text without format for every place."""

    def __missing__(self, name: str) -> Blank:
        return Blank()


class Blank:
    def __format__(self, form: str) -> str:
        return ""


# --- sentences are made from the catalogue


def calls_of_say() -> Iterator[tuple[str, ast.Call]]:
    for file in SPEAKING:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                yield f"{file.name}:{node.lineno}", node


def test_every_entry_of_the_catalogue_is_said_and_no_other() -> None:
    said = {ast.literal_eval(call.args[0]) for _, call in calls_of_say()}
    assert said == CATALOGUE.keys()


def test_every_place_gets_its_value() -> None:
    """Where values come in a dict, those that are named are among the places."""
    for where, call in calls_of_say():
        wanted, given = places(CATALOGUE[call.args[0].value]), {word.arg for word in call.keywords}
        assert (given - {None} <= wanted) if None in given else (given == wanted), where


@pytest.mark.parametrize(
    "path",
    [file for file in SPEAKING if file.name not in IN_ENGLISH],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_no_sentence_stands_outside_of_the_catalogue(path: Path) -> None:
    """But for those of errors, of the log and of schemas."""
    tree = ast.parse(path.read_text())
    known = {id(part) for node in ast.walk(tree) if is_told_elsewhere(node) for part in ast.walk(node)}
    texts = (node for node in ast.walk(tree) if id(node) not in known and isinstance(node, ast.Constant))
    assert {text.value for text in texts if is_sentence(text.value)} - BRANDS == set()


def is_sentence(value: object) -> bool:
    return isinstance(value, str) and len(re.findall(r"\b[A-Za-z]{2,}\b", value)) > MOST_WORDS and " " in value.strip()


def is_told_elsewhere(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)  # a docstring
    if isinstance(node, ast.Raise):
        return isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func) != "Unaccelerated"
    if isinstance(node, ast.ClassDef):
        return "Enum" in map(ast.unparse, node.bases)  # values that nobody reads
    if isinstance(node, ast.FunctionDef):
        return node.name == "define_schema" or node.name.endswith(("_input", "_inputs"))
    return isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("log.", "wire_of"))


# --- nodes and their help pages


def nodes_in(language: str) -> dict:
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_input_and_output_is_there(language: str) -> None:
    """After a change of a schema, add or take away the same entries here."""
    told = dict(leaves(nodes_in(language)))
    assert told.keys() == dict(leaves(nodes_in("en"))).keys()
    prose = {at: text for at, text in told.items() if at.endswith(("tooltip", "description"))}
    assert [at for at, text in prose.items() if not re.search(SCRIPTS[language], text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_holds_what_the_page_would_fill_in(language: str) -> None:
    """The host's page formats these texts, in which braces, @ and | stand for something else."""
    assert [at for at, text in leaves(nodes_in(language)) if re.search(r"[{}@|]", text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_setting_is_there(language: str) -> None:
    """The host looks for a setting's name under its id, with _ for each dot."""
    ids = re.findall(r'^  "(Jano\.\w+)": \[', (ROOT / "web" / "settings.js").read_text(), re.MULTILINE)
    told = json.loads((ROOT / "locales" / language / "settings.json").read_text(encoding="utf-8"))
    assert [name.replace(".", "_") for name in ids] == list(told)
    assert [at for at, text in leaves(told) if not re.search(SCRIPTS[language], text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_help_is_found_in_every_language(page: Path) -> None:
    """The host asks for docs/<Node>/<locale>.md, and then for docs/<Node>.md: English has both, so that nothing is
    missing in the console. After a change of an input, tell the same in each language."""
    folder = page.with_suffix("")
    text = page.read_text(encoding="utf-8")
    if os.environ.get("JANO_WRITE_CONTRACT"):
        (folder / "en.md").write_text(text, encoding="utf-8")
    assert {file.stem for file in folder.iterdir()} == {"en", *LANGUAGES}
    assert (folder / "en.md").read_text(encoding="utf-8") == text
    for language in LANGUAGES:
        translated = (folder / f"{language}.md").read_text(encoding="utf-8")
        assert emphasised(translated) == emphasised(text)
        assert translated.splitlines()[0] == f"# {nodes_in(language)[page.stem]['display_name']}"


def emphasised(text: str) -> set[str]:
    """Names of inputs in bold, headings, rows of tables and addresses: what a translation has as well."""
    kinds = {"headings": r"^## ", "rows": r"^\| ", "items": r"^- "}
    counts = {f"{len(re.findall(kind, text, re.MULTILINE))} {name}" for name, kind in kinds.items()}
    return counts | set(re.findall(r"\*\*([a-z_]+)\*\*", text)) | set(re.findall(r"https?://[\w./-]+", text))


# --- numbers are written in one way


def texts_in(language: str) -> Iterator[tuple[str, str]]:
    """All that is read in a language, with where it stands; English is also what goes with the pack."""
    yield from leaves(words_of(language), language)
    for file in sorted((ROOT / "locales" / language).glob("*.json")):
        yield from leaves(json.loads(file.read_text(encoding="utf-8")), file.name)
    for page in sorted((ROOT / "web" / "docs").glob(f"*/{language}.md")):
        yield page.parent.name, page.read_text(encoding="utf-8")
    if language == "en":
        yield from CATALOGUE.items()
        files = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "templates/*.py", "nodes/*.py")
        for file in (file for pattern in files for file in sorted(ROOT.glob(pattern))):
            yield file.name, file.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_a_percentage_is_written_in_one_way(language: str) -> None:
    """In English with a space, in the others without one; as jano/show/numbers.py and web/numbers.js do."""
    is_spaced = words_of(language)["view"]["numbers"]["per_cent"] == "{share} %"
    assert is_spaced == (language == "en")
    other = r"[\d}]%" if is_spaced else r"[\d}] %"
    assert [(at, found) for at, text in texts_in(language) for found in re.findall(rf".*{other}.*", text)] == []


@pytest.mark.parametrize(
    "path", [*SPEAKING, *(ROOT / "flash_vaed").glob("*.py"), ROOT / "bench" / "mine.py"], ids=lambda path: path.name
)
def test_no_percentage_is_made_by_a_format(path: Path) -> None:
    """ "{share:.0%}" has no space, and says 0% of what is little, and 100% of nearly all."""
    formats = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FormattedValue))
    specs = (ast.unparse(node.format_spec) for node in formats if node.format_spec is not None)
    assert [spec for spec in specs if "%" in spec] == []


# Of each language: steps and seconds, or time.
COUNTED = {
    "en": ("half of them", "seconds"),
    "zh": ("一半的步", "秒"),
    "zh-TW": ("一半的步", "秒"),
    "ja": ("ステップ", "秒"),
    "ko": ("스텝", "시간"),
}


@pytest.mark.parametrize("language", COUNTED)
def test_a_target_is_said_to_count_steps_and_not_seconds(language: str) -> None:
    tooltip = nodes_in(language)["JanoScheduler"]["inputs"]["target_speedup"]["tooltip"]
    help_page = (ROOT / "web" / "docs" / "JanoScheduler" / f"{language}.md").read_text(encoding="utf-8")
    (item,) = re.findall(r"^- \*\*target_speedup\*\*.*(?:\n  .*)*", help_page, re.MULTILINE)
    for text in (tooltip, item):
        assert [word for word in COUNTED[language] if word not in text] == []


OF_WHAT = ("of the compute", "of the picture's strength", "of the tokens")


def test_a_share_says_of_what_it_is() -> None:
    """Three percentages stood beside one verdict, of the compute, of a step and of a region."""
    view = ENGLISH["view"]
    told = [view["computed"], view["headline"]["of_the_compute"], CATALOGUE["of_the_compute"], view["map"]["largest"]]
    told += [view["map"]["none"], view["strip"]["moved"], view["strip"]["tokens"], view["chart"]["cost"]]
    told += [view["chart"]["cost_was"], OF_ERRORS]
    assert [text for text in told if not any(words in text for words in OF_WHAT)] == []
    assert view["chart"]["cost"] == OF_ERRORS  # the page draws the same chart


# --- what is made of them


def said_in(language: str, told: object) -> object:
    """A cell of a table as web/words.js speaks it."""
    if isinstance(told, list):
        return [said_in(language, part) for part in told]
    if not isinstance(told, Sentence) or not told.key:
        return told
    values = {name: said_in(language, value) for name, value in told.values.items()}
    return Template().vformat(words_of(language)["sentences"][told.key], (), values)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_has_no_english_but_names(language: str) -> None:
    """Titles of its rows, reasons, notes and advice, of any run."""
    random, names = Random(17), {"Flux", "MiB", "auto", "fast", "token"}
    for report in (any_report(random) for _ in range(100)):
        report.fallbacks, report.notes = [say("compiled")], [say("went_back")]
        report.advice = say("advise_fast")
        cells = " ".join(str(said_in(language, cell)) for row in table(report).told for cell in row)
        assert set(re.findall(r"[A-Za-z]{3,}", cells)) <= names
