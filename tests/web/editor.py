"""ComfyUI's editor in a browser page, as a person works it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page

SECONDS = 1000
PATIENCE = 120 * SECONDS  # a busy machine with two cores draws slowly
# What the host's own page says without any pack: files that a fresh user has not got yet, its own warnings.
NOT_OURS = ("Failed to load resource", "graph accessed before initialization", "Content Security Policy", "Fetch API")
KNOWN_USER = {"Comfy.TutorialCompleted": True}  # a new one is greeted by pictures of all of the host's templates
OWN_SETTINGS = """async () => {
  for (const id of Object.keys(app.ui.settings.settingsLookup).filter((id) => id.startsWith('Jano.')))
    await app.extensionManager.setting.set(id, true);
  await app.extensionManager.setting.set('Comfy.ColorPalette', 'dark');
}"""
READY = "() => window.app?.graph && window.app.extensionManager && !document.querySelector('#splash-loader')"
# Before the page's own scripts: when the map was first drawn, and when the server said that the run was over.
WATCH = """
window.janoSeen = { drawn: null, done: null, steps: 0 };
window.janoWatch = () => {
  const seen = window.janoSeen = { drawn: null, done: null, steps: 0 };
  const api = window.comfyAPI.api.api;
  api.addEventListener('execution_success', () => { seen.done ??= performance.now(); }, { once: true });
  const look = () => {
    const canvas = document.querySelector('.jano-map');
    const lit = document.querySelectorAll('.jano-strip > [class^=jano-]').length;
    if (lit) seen.steps = Math.max(seen.steps, seen.done ? 0 : lit);
    if (lit && canvas?.width > 300 && !seen.done) seen.drawn ??= performance.now();
    if (!seen.done) setTimeout(look, 30);
  };
  look();
};
"""


class Editor:
    """A page with the editor open on a server; `complaints` collects what its console says against us."""

    def __init__(self, page: Page, url: str, shots: Path, vue: bool) -> None:
        self.page, self.url, self.shots, self.vue = page, url, shots, vue
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.add_init_script(WATCH)
        self.open()
        page.evaluate(OWN_SETTINGS)  # the server keeps what another test has chosen

    def _on_console(self, message: ConsoleMessage) -> None:
        where = message.location.get("url", "")
        ours = "jano" in f"{message.text} {where}".lower()
        if message.type == "error" and (ours or not any(mark in message.text for mark in NOT_OURS)):
            self.complaints.append(f"{message.text} ({where})")

    def open(self) -> None:
        """Load the page (again) and wait until the editor stands."""
        chosen = {"Comfy.VueNodes.Enabled": self.vue, **KNOWN_USER}
        self.page.request.post(f"{self.url}/api/settings", data=chosen)  # the server keeps one for all pages
        self.page.goto(self.url)
        self.page.wait_for_function(READY)
        self.page.wait_for_timeout(1 * SECONDS)
        self.close_dialogs()

    def close_dialogs(self) -> None:
        """Whatever lies over the page."""
        for _ in range(3):
            self.page.keyboard.press("Escape")
            self.page.wait_for_timeout(200)

    def tidy(self) -> None:
        """As a page that was just opened, but for the workflows that are open in it."""
        self.page.keyboard.press("Escape")
        self.page.emulate_media(reduced_motion="no-preference")
        self.page.evaluate(OWN_SETTINGS)

    def shot(self, name: str) -> None:
        self.shots.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self.shots / f"{name}_{'vue' if self.vue else 'canvas'}.png", timeout=PATIENCE)

    def load(self, workflow: dict) -> None:
        self.page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
        self.page.wait_for_timeout(0.4 * SECONDS)
        self.page.keyboard.press("Escape")

    def look_at(self, node_id: int | str) -> None:
        """Zoom so that a node fills a good part of the page."""
        self.page.evaluate(
            """id => {
                const node = app.graph.getNodeById(id), { ds } = app.canvas;
                ds.scale = 1;
                ds.offset = [260 - node.pos[0], 140 - node.pos[1]];
                app.canvas.setDirty(true, true);
            }""",
            node_id,
        )
        self.page.wait_for_timeout(0.4 * SECONDS)

    def run(self) -> dict[str, Any]:
        """Press Run and wait until the server is done; says when the map was first drawn and when it was done."""
        self.page.evaluate("janoWatch()")
        self.page.get_by_test_id("queue-button").first.click()
        self.page.wait_for_function("() => janoSeen.done")
        return self.page.evaluate("janoSeen")

    def settled(self, expression: str) -> Any:
        """What JavaScript says once it says it for the second time: pictures load and nodes grow after a result."""
        before = None
        while before != (now := self.page.evaluate(expression)):
            before = now
            self.page.wait_for_timeout(0.4 * SECONDS)
        return now

    def fit(self) -> None:
        """Fit view, and wait until the page has come there."""
        self.page.evaluate("app.extensionManager.command.execute('Comfy.Canvas.FitView')")
        self.settled("[app.canvas.ds.scale, ...app.canvas.ds.offset]")

    def node(self, expression: str, node_id: int | str) -> Any:
        """Evaluate JavaScript on `node`."""
        return self.page.evaluate(f"id => {{ const node = app.graph.getNodeById(id); return {expression}; }}", node_id)

    def wait_for_node(self, expression: str, node_id: int | str) -> None:
        self.page.wait_for_function(
            f"id => {{ const node = app.graph.getNodeById(id); return {expression}; }}", arg=node_id
        )

    def drag_link(self, output: tuple[int, int], into: tuple[int, int]) -> None:
        """Draw a link by mouse between two slots, each a node id and a slot number."""
        place = """([id, slot, isInput]) => {
            const [x, y] = app.graph.getNodeById(id).getConnectionPos(isInput, slot);
            const { scale, offset } = app.canvas.ds;
            const { left, top } = app.canvas.canvas.getBoundingClientRect();
            return [left + (x + offset[0]) * scale, top + (y + offset[1]) * scale];
        }"""
        mouse = self.page.mouse
        mouse.move(*self.page.evaluate(place, [*output, False]))
        mouse.down()
        mouse.move(*self.page.evaluate(place, [*into, True]), steps=8)
        mouse.up()

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()

    def pixels(self) -> list[int]:
        """Every 997th pixel of the first level map, as 0xRRGGBB: enough to tell pictures apart."""
        return self.page.evaluate(
            """() => {
                const canvas = document.querySelector('.jano-map');
                const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                const found = [];
                for (let i = 0; i < data.length; i += 4 * 997) {
                    found.push(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
                }
                return found;
            }"""
        )
