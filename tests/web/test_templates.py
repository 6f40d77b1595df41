"""Templates after a run, as a person sees them: nothing outgrows its place, all is read, in any theme and colour."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from comfyui_jano.tests.stand_ins import small_workflow, workflow_file
from comfyui_jano.tests.web.editor import Editor
from comfyui_jano.tests.web.test_editor import BOXES, covered

RUN = (
    "Flux text to image",
    "Tune and compare",
    "By regions, as published",
    "Every quality of one seed",
    "Wan 2.1 text to video",
    "Wan 2.2 image to video",
)
GROUPS = "() => app.graph.groups.map((group) => [group.title, ...group.pos, ...group.size])"
# Whether every picture and clip of a result is there: nodes grow for them.
LOADED = """() => {
  const nodes = app.graph.nodes.flatMap((node) => node.imgs ?? []);
  return [...nodes, ...document.images].every((image) => image.complete)
    && [...document.querySelectorAll('video')].every((clip) => clip.readyState > 0);
}"""
BEHIND = "Runs appear here or on the Accelerator."
LETTERS = 8.0  # pixels on the screen of a window of 1500 x 900, where the host's own are 6 to 8
# Of everything that Jano says on the page: its text, and the height of its letters as they are seen.
SEEN = """() => {
  const says = '.jano-big, .jano-line, .jano-caption, .jano-mark, .jano-entry, '
    + '.jano-table span, .jano-axis, .jano-chart b';
  const isSeen = (element) => element.checkVisibility() && element.textContent && element.getClientRects().length;
  return [...document.querySelectorAll(says)].filter(isSeen).map((element) =>
    [element.textContent, parseFloat(getComputedStyle(element).fontSize) * app.canvas.ds.scale]);
}"""
# Words of the names in tables that lie on more than one line: they were broken.
BROKEN = """() => [...document.querySelectorAll('.jano-table b, .jano-table .jano-heading > *')].flatMap((cell) => {
  const text = cell.firstChild;
  return [...(text?.data ?? '').matchAll(/\\S+/g)].filter(({ 0: word, index }) => {
    const range = document.createRange();
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    return cell.checkVisibility() && new Set([...range.getClientRects()].map(({ top }) => top)).size > 1;
  }).map(([word]) => word);
})"""
# Lines of a Report's table that are seen in part, above the chart.
CUT = """() => [...document.querySelectorAll('.jano-report > .jano-table')].flatMap((table) => {
  const { bottom } = table.getBoundingClientRect();
  return [...table.querySelectorAll('b, span')].flatMap((cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return [...range.getClientRects()].filter((line) => line.top < bottom - 2 && line.bottom > bottom + 2);
  }).map(({ top }) => top);
})"""
# Captions that are seen in part.
CROWDED = """() => [...document.querySelectorAll('.jano-caption')]
  .filter((caption) => caption.checkVisibility() && caption.scrollHeight > caption.clientHeight + 1)
  .map((caption) => caption.textContent)"""
THEMES = ("dark", "light", "solarized", "arc", "nord", "github")
# The least contrast of what has a meaning: text with what lies under it, and the edges of cells with their ground.
CONTRASTS = """() => {
  const paint = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const bytes = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, below, share) => below.map((part, index) => part + share * (top[index] - part));
  const ground = (element) => {
    const [red, green, blue, alpha] = bytes(getComputedStyle(element).backgroundColor);
    const below = alpha < 255 && element.parentElement ? ground(element.parentElement) : [0, 0, 0];
    return over([red, green, blue], below, alpha / 255);
  };
  const clear = (element) => (element ? getComputedStyle(element).opacity * clear(element.parentElement) : 1);
  const light = (colour) => {
    const linear = colour.map((part) => (part <= 10 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const found = {};
  const note = (name, element, colour, below) => {
    const seen = over(bytes(colour).slice(0, 3), below, clear(element));
    found[name] = Math.min(found[name] ?? 21, contrast(seen, below));
  };
  const texts = '.jano-big, .jano-line, .jano-more, .jano-caption, .jano-mark, .jano-entry, .jano-table b, '
    + '.jano-table span, .jano-chart b, .jano-axis, .jano-compare .jano-stage > span, .jano-run button';
  for (const element of document.querySelectorAll(texts)) {
    const name = element.className || element.tagName;
    if (element.checkVisibility()) note(name, element, getComputedStyle(element).color, ground(element));
  }
  const cells = '.jano-strip > [class^=jano]:not(.jano-chosen), .jano-cells i:not(.jano-cost, .jano-limit)';
  for (const cell of document.querySelectorAll(cells)) {
    const [edge] = getComputedStyle(cell).boxShadow.match(/^(rgba?|color)\\([^)]*\\)/);
    note(`edge of ${cell.className}`, cell, edge, ground(cell.parentElement));
  }
  for (const dot of document.querySelectorAll('.jano-cells .jano-cost')) {
    note('cost', dot, getComputedStyle(dot).backgroundColor, ground(dot.parentElement));
  }
  for (const line of document.querySelectorAll('.jano-cells .jano-limit')) {
    note('tolerance', line, getComputedStyle(line).borderBottomColor, ground(line.parentElement));
  }
  return found;
}"""
# Whether every panel is dark in dark themes and light in the light one.
FOLLOWS = """() => {
  const isDark = document.documentElement.classList.contains('dark-theme');
  const panels = document.querySelectorAll('.jano-panel, .jano-chart, .jano-compare .jano-stage');
  return [...panels].every((panel) => {
    const [red, green, blue] = getComputedStyle(panel).backgroundColor.match(/[\\d.]+/g).map(Number);
    return (red + green + blue) / 3 < 128 === isDark;
  });
}"""
# Colours do not fade into each other from here on; and one that was chosen is seen.
AT_ONCE = "* { transition: none !important; }"
DRAWN = "() => new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))"
COLOURS = "() => [null, ...Object.keys(LGraphCanvas.node_colors)]"
COLOUR = """name => {
  for (const node of app.graph.nodes) node.setColorOption(name && LGraphCanvas.node_colors[name]);
  app.canvas.setDirty(true, true);
}"""
TEXT, GRAPHIC = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11


def outgrown(boxes: list[list], groups: list[list]) -> list[str]:
    """Nodes that lie in no group as a whole; the note stands beside them."""
    return [
        kind
        for kind, x, y, width, height in boxes
        if kind != "MarkdownNote"
        and not any(
            left <= x and top <= y and x + width <= left + wide and y + height <= top + high
            for _, left, top, wide, high in groups
        )
    ]


def test_after_a_run_nothing_outgrows_its_place_and_all_can_be_read(desk: Editor) -> None:
    editor = desk
    for title in RUN:
        editor.load(small_workflow(workflow_file(title)))
        editor.run()
        editor.page.wait_for_function(LOADED)
        boxes, groups = editor.settled(BOXES), editor.page.evaluate(GROUPS)
        assert covered(boxes) == [], title
        assert outgrown(boxes, groups) == [], title
        editor.fit()
        editor.shot(f"run_{title}")
        seen = editor.page.evaluate(SEEN)
        assert (BEHIND in [text for text, _ in seen]) is (title == "By regions, as published")
        assert len(seen) > 5
        assert [text for text, letters in seen if letters < LETTERS] == [], title
        assert [editor.page.evaluate(wrong) for wrong in (BROKEN, CUT, CROWDED)] == [[], [], []], title


@pytest.mark.parametrize("vue", [True], ids=["vue"])
@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Tune and compare", {"cost", "tolerance", "edge of jano-skipped"}),
        ("By regions, as published", {"edge of jano-active", "edge of jano-moderate", "edge of jano-store"}),
    ],
)
def test_in_every_theme_and_on_every_colour_of_a_node_all_is_seen(
    desk_of: Callable[[bool], Editor], vue: bool, title: str, shown: set[str]
) -> None:
    """Measured in Nodes 2.0, where the page itself knows a node's colour; the canvas paints the same ones."""
    editor = desk_of(vue)
    editor.load(small_workflow(workflow_file(title)))
    editor.run()
    editor.settled(BOXES)
    style = editor.page.add_style_tag(content=AT_ONCE)
    measured = {}
    for theme in THEMES:
        editor.page.evaluate("theme => app.extensionManager.setting.set('Comfy.ColorPalette', theme)", theme)
        for colour in editor.page.evaluate(COLOURS):
            editor.page.evaluate(COLOUR, colour)
            editor.page.evaluate(DRAWN)
            measured |= {(theme, colour, name): value for name, value in editor.page.evaluate(CONTRASTS).items()}
        editor.shot(f"theme_{theme}_{title}")
        assert editor.page.evaluate(FOLLOWS), theme
    style.evaluate("style => style.remove()")
    assert {name for _, _, name in measured} >= {"jano-big", "B", "edge of jano-full", *shown}
    least = {at: GRAPHIC if at[2].startswith(("edge", "cost", "tolerance")) else TEXT for at in measured}
    assert {at: value for at, value in measured.items() if value < least[at]} == {}
