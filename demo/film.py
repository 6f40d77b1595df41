"""The moving picture of the node in README: a real run of the tiny Flux in a real browser, as a reader would see it.

python demo/film.py writes assets/node.webp. Needs what `make test` installs (Playwright and a Chromium).
"""

from __future__ import annotations

import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
# Behind everything else: the repository's folder `nodes` must not hide the host's module of that name.
sys.path[:] = [*sys.path[1:], str(ROOT)]

from host.pack import import_pack  # noqa: E402

graphs = import_pack("demo.graphs")

WIDE = 480  # pixels
EVERY, LAST = 160, 4000  # milliseconds: between two pictures, and how long the result stands
MOST = 40  # pictures
SIDE = 512  # pixels: the largest that the tiny Flux was trained on


def scene(editor: object) -> tuple[dict, int]:
    """The template with the tiny Flux, drawing what `make demo` draws, and the id of its Jano node."""
    workflow, scheduler = editor.flux_workflow(SIDE)
    chosen = graphs.SCENES["flux"]
    for node in workflow["nodes"]:
        values = node["widgets_values"]
        if node["type"] == "KSampler":
            values[0], values[2:4] = chosen.sampler["seed"], [chosen.sampler["steps"], chosen.sampler["cfg"]]
        if node["type"] == chosen.prompt_node:
            values[0] = chosen.text
        if node["type"] == "ConditioningZeroOut":  # the negative prompt that the model knows is an empty one
            node.update(type=chosen.prompt_node, inputs=[], widgets_values=[""])
            workflow["links"] = [link for link in workflow["links"] if link[3] != node["id"]]
    return workflow, scheduler


def film() -> list[Image.Image]:
    """The node from before its run to its result."""
    from playwright.sync_api import sync_playwright

    import_pack("bench.host").enter("cpu", torch_attention=False)  # the stand-ins are made of the host's own classes
    host, server, browser = (import_pack(f"host.{name}") for name in ("location", "server", "browser"))
    stand_ins, editor = import_pack("tests.stand_ins"), import_pack("tests.web.editor")
    workflow, scheduler = scene(import_pack("tests.web.test_live_map"))
    chosen = host.chosen_host()
    with tempfile.TemporaryDirectory() as base, sync_playwright() as playwright:
        running = server.Server(chosen, Path(base), server.PACKS, options=["--preview-method", "latent2rgb"])
        stand_ins.write_files(running.base)
        path = browser.find_browser(chosen.python)
        with running, playwright.chromium.launch(executable_path=str(path), args=list(browser.OPTIONS)) as chromium:
            page = chromium.new_page(viewport={"width": 1100, "height": 900}, device_scale_factor=2)
            shown = editor.Editor(page, running.url, Path(base), vue=False)
            shown.load(workflow)
            shown.look_at(scheduler)
            return frames(shown, scheduler)


def frames(shown: object, scheduler: int) -> list[Image.Image]:
    """Pictures while it samples; every one shows the node alone, in the size that it has in the end."""
    page, taken = shown.page, []
    page.evaluate("janoWatch()")
    page.get_by_test_id("queue-button").first.click()
    while not page.evaluate("() => janoSeen.done"):
        taken.append(page.screenshot())
        page.wait_for_timeout(EVERY)
    page.wait_for_timeout(1500)
    taken.append(page.screenshot())
    box = shown.node("[node.pos[0], node.pos[1] - 30, node.size[0], node.size[1] + 30]", scheduler)
    offset = page.evaluate("() => app.canvas.ds.offset")
    left, top = page.evaluate(
        "() => { const { left, top } = app.canvas.canvas.getBoundingClientRect(); return [left, top]; }"
    )
    x, y = left + box[0] + offset[0] - 10, top + box[1] + offset[1] - 10
    area = [round(2 * value) for value in (x, y, x + box[2] + 20, y + box[3] + 20)]
    return [Image.open(BytesIO(picture)).convert("RGB").crop(area) for picture in taken]


def main() -> None:
    """Command line."""
    taken = film()
    chosen = [*taken[:-1][:: max(1, len(taken) // MOST)], taken[-1]]
    small = [picture.resize((WIDE, round(WIDE * picture.height / picture.width))) for picture in chosen]
    times = [EVERY] * (len(small) - 1) + [LAST]
    target = ROOT / "assets" / "node.webp"
    small[0].save(target, save_all=True, append_images=small[1:], duration=times, loop=0, quality=80, method=6)
    small[-1].save(ROOT / "build" / "node_last.png")
    print(target, target.stat().st_size, len(small))


if __name__ == "__main__":
    main()
