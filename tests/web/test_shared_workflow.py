"""A workflow that somebody else made: whatever lies in its saved runs, it loads, asks nobody and freezes nothing."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

import pytest
from comfyui_jano.host.server import PACKS, Server
from comfyui_jano.tests.web.editor import Editor
from PIL import Image

BEACON = "jano-beacon"  # in every address that a record asks to be fetched
SUMMARY = "Jano: accelerated, 60% of the token-steps computed."
SIDE = 8  # of the valid record's grid
PNG = b"\x89PNG\r\n\x1a\n"


def packed(values: bytes) -> str:
    return base64.b64encode(zlib.compress(values, 9)).decode("ascii")


def data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def picture(kind: str, colour: str = "white") -> str:
    file = BytesIO()
    Image.new("RGB", (16, 16), colour).save(file, kind)
    return data_url(f"image/{kind.lower()}", file.getvalue())


def huge_picture() -> str:
    """A PNG of a few kB that says of itself, and truly, that it has 20 000 x 20 000 pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(2501), 9)
    return data_url("image/png", PNG + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def record(**changes: object) -> dict:
    """A run as 0.1.0 saved it."""
    kinds = ["full", "full", "store", "active", "skipped", "full"]
    valid = {
        "version": 1,
        "grid": [1, SIDE, SIDE],
        "num_steps": len(kinds),
        "levels": packed(bytes(1 + index % 3 for index in range(SIDE * SIDE))),
        "steps": [{"kind": kind, "computed": packed(b"\xf0" * SIDE) if kind == "active" else None} for kind in kinds],
        "picture": picture("JPEG"),
        "computed_fraction": 0.6,
        "speedup": 1.5,
        "summary": SUMMARY,
        "verdict": "accelerated",
        "fallbacks": [],
        "level_share": {"static": 0.3, "moderate": 0.4, "active": 0.3},
    }
    return valid | changes


def told(**changes: object) -> dict:
    """A sentence as 0.2.0 saved it."""
    return {"text": SUMMARY, "key": "run_stopped", "values": {"step": 3, "count": 20}} | changes


def nested(depth: int) -> dict:
    return told(values={"step": nested(depth - 1) if depth else 1, "count": 20})


def measured(**changes: object) -> dict:
    """A run whose errors were mapped: regions of three tokens a side, the last ones smaller."""
    errors = packed(bytes(range(100, 109)))
    steps = [
        {"kind": "full", "computed": None, "seconds": 0.5},
        {"kind": "skipped", "computed": None, "seconds": 0.001},
        {"kind": "full", "computed": None, "seconds": 0.5, "error": 0.02, "errors": errors},
    ]
    mapped = {
        "steps": steps,
        "num_steps": 3,
        "levels": None,
        "regions": [1, 3, 3],
        "region": [1, 3, 3],
        "errors": errors,
    }
    return record(**{**mapped, **changes})


PICTURES = [
    f"http://{BEACON}.test/a.png",
    f"//{BEACON}.test/a.png",
    f"/api/view?filename={BEACON}.png",
    f"/api/{BEACON}",
    f"view?filename={BEACON}",
    data_url("image/svg+xml", f'<svg xmlns="http://www.w3.org/2000/svg"><image href="/api/{BEACON}"/></svg>'.encode()),
    data_url("text/html", b"<script>alert(1)</script>"),
    data_url("image/png", b"no picture"),
    data_url("image/jpeg", b"\xff\xd8\xff\xff\xff\xc0\x00\x11"),
    data_url("image/webp", b"RIFF\0\0\0\0WEBPVP8X" + bytes(20)),
    "data:image/png;base64,%%%",
    picture("PNG")[:40],
    picture("PNG") + "A" * 200_000,
    huge_picture(),
    7,
    {"src": f"/api/{BEACON}"},
]
UNFIT: list[object] = [
    *(None, True, 7, "x", [], {}, [[]], {"version": 1}),
    *(record(version=version) for version in (2, "1", None)),
    *(record(num_steps=count) for count in (10**6, 10**400, -1, 2.5, "6", None, [], {})),
    *(record(grid=grid) for grid in ([1, 8000, 8000], [10**9, 1, 1], [8, 8], [1, 8, 8, 8], [1, -8, -8], [1, 0, 8])),
    *(record(grid=grid) for grid in ([1, "8", 8], [1, 2.5, 8], "888", {"length": 3}, 7, [None, None, None])),
    *(record(levels=levels) for levels in (7, {}, [], "%%", "<b>", "A" * 200_000)),
    *(record(steps=steps) for steps in ([None], [7], [[]], [{}], "steps", {"length": 10**9}, None, 7)),
    *(record(steps=[{"kind": kind}]) for kind in (None, 7, "", "fixed inset-0", "full jano-x", "constructor", {})),
    *(record(steps=[{"kind": "full", "computed": computed}]) for computed in (7, {}, [], "%%")),
    record(steps=[{"kind": "full"}] * 100),
    record(num_steps=10_000, steps=[{"kind": "full", "computed": "A" * 50}] * 10_000),
    *(record(picture=unfit) for unfit in PICTURES),
    *(record(computed_fraction=share) for share in ("0.6", -1, 2, [])),
    *(record(speedup=times) for times in ("1.5", -1, 0, {})),
    *(record(summary=text) for text in (None, 7, [], {}, ["a"], "x" * 200_000)),
    *(record(verdict=text) for text in (7, [])),
    *(record(fallbacks=reasons) for reasons in ("x", [7], {}, [None])),
    *(record(level_share=share) for share in ([], "x", {"static": "0.3"}, {"active": 7})),
    *(record(spoken=spoken) for spoken in ("x", 7, [], {}, {"summary": None}, {"summary": "a", "html": "b"})),
    *(record(spoken={"summary": summary}) for summary in ([], True, "x" * 5000, {}, {"text": "a"})),
    *(record(spoken={"summary": told(key=key)}) for key in (7, None, {}, "__proto__", "a b", "a" * 50)),
    *(record(spoken={"summary": told(values=values)}) for values in (None, 7, "a", [], {"__html": "a"}, {"a b": 1})),
    *(record(spoken={"summary": told(values={"steps": value})}) for value in (None, True, {}, [[1]], [None], {"a": 1})),
    record(spoken={"summary": told(values={"steps": ["a"] * 1000})}),
    record(spoken={"summary": told(values={f"a{number}": 1 for number in range(100)})}),
    record(spoken={"summary": nested(30)}),
    record(spoken={"summary": "a", "fallbacks": "a"}),
    record(spoken={"summary": "a", "notes": [{"text": "a"}]}),
    *(measured(regions=regions) for regions in ([1, 3, 4], [1, 8, 8], [0, 3, 3], [1, 3], "133", None, {}, 7)),
    *(measured(region=region) for region in ([1, 0, 3], [1, 1, 1], [1, 3, 3.5], None, "133", [10**9] * 3)),
    *(measured(grid=grid) for grid in (None, [1, 90, 90])),
    measured(grid=[1, 1024, 1024], regions=[1, 1024, 1024], region=[1, 1, 1]),
    *(measured(errors=errors) for errors in (7, {}, [], "%%", "A" * 200_000)),
    *(measured(steps=[{"kind": "full", name: value}]) for name in ("seconds", "error") for value in ("1", -1, [], {})),
    *(measured(steps=[{"kind": "full", "errors": errors}]) for errors in (7, {}, [], "%%")),
    *(record(node=node) for node in (10**6, "7:7", {}, -1)),  # of another node than the one that it lies in
]
FIT = [
    record(),
    record(summary=f'<img src="/api/{BEACON}" onerror="window.janoHacked = 1"><b>bold</b>'),
    record(num_steps=10_000),
    record(spoken={"summary": told(key="constructor")}),  # of another version: as it was in English
    record(spoken={"summary": told(values={"steps": [1, "<b>", told()]}), "fallbacks": ["a"], "notes": [told()]}),
    measured(),
    measured(errors=packed(bytes(5))),  # of another size: shown without it
    measured(errors=packed(bytes(100_000_000))),
    measured(errors=None),
    record(num_steps=4000, steps=[{"kind": "full", "computed": None}] * 3000),  # as large as 0.1.0 saved them
    record(picture=picture("PNG")),
    record(picture=picture("WEBP")),
    record(picture=picture("PNG")[:60]),  # has a header and no more: shown without it
    record(picture=None, levels=packed(bytes(1)), steps=[{"kind": "active", "computed": packed(b"")}] * 6),
    record(levels=packed(bytes([255] * SIDE * SIDE))),
    record(levels=packed(bytes(100_000_000))),
    {**record(grid=None, levels=None, steps=[], picture=None, speedup=None, level_share={}), "constructor": {}},
]
COUNT_INFLATED = """() => {
  window.janoInflated = 0;
  const Real = window.DecompressionStream;
  window.DecompressionStream = function (format) {
    const { readable, writable } = new Real(format);
    const count = (chunk, controller) => { janoInflated += chunk.length; controller.enqueue(chunk); };
    return { writable, readable: readable.pipeThrough(new TransformStream({ transform: count })) };
  };
}"""
# Any record that passes must be one that the view can show and be worked with; one that does not is null.
FUZZ = """async ({ valid, junk }) => {
  const { RunRecord } = await import('/extensions/jano/run_record.js');
  const { RunView } = await import('/extensions/jano/run_view.js');
  const { wordsFor } = await import('/extensions/jano/words.js');
  const view = new RunView(wordsFor('zh'), () => {});
  let seed = 7;
  const random = (count) => (seed = (seed * 48271) % 2147483647) % count;
  const mutate = (value) => {
    if (random(3) === 0 || value === null || typeof value !== 'object') return junk[random(junk.length)];
    const keys = Object.keys(value);
    if (!keys.length) return junk[random(junk.length)];
    const copy = Array.isArray(value) ? [...value] : { ...value };
    const key = keys[random(keys.length)];
    if (random(8) === 0) delete copy[key];
    else copy[key] = mutate(copy[key]);
    return copy;
  };
  const counts = { fit: 0, unfit: 0 };
  for (let round = 0; round < 400; round++) {
    let saved = structuredClone(valid);
    for (let times = 1 + random(2); times; times--) saved = mutate(saved);
    const record = RunRecord.from(saved, 1);
    counts[record ? 'fit' : 'unfit']++;
    view.load(record);
    for (const key of ['ArrowLeft', 'Home', 'End', 'Escape']) view.strip.onKey(new KeyboardEvent('keydown', { key }));
    if (!record) continue;
    view.choose(view.strip.stepAt({ clientX: 3 }));
    view.setMode(4);
    await Promise.all([record.levels?.length, record.computed(0), record.mapsErrors && record.errors(null)]);
    if (view.strip.cells.childElementCount > 200) throw new Error('too many cells');
    if (JSON.stringify(record.saved()).length > 150000) throw new Error('too large');
    if (RunRecord.from(record.saved(), 1) === null) throw new Error('what was read cannot be read again');
  }
  return counts;
}"""
JUNK = [None, 0, -1, 1e9, 1e300, 0.5, 7, "", "full", "A" * 300, [], {}, [None], [1, 2, 3], {"kind": "full"}, True]


@pytest.fixture(scope="module")
def default_server(tmp_path_factory: pytest.TempPathFactory, host: object) -> Iterator[Server]:
    """ComfyUI as most people start it: its pages may load pictures from anywhere."""
    with Server(host, tmp_path_factory.mktemp("default"), PACKS, api_nodes=True) as server:
        yield server


@pytest.fixture(scope="module", params=["default", "closed"])
def reader(request: pytest.FixtureRequest, default_server: Server, web_server: Server, keep_editor: object) -> Editor:
    """The editor at ComfyUI's default flags, and at those that forbid what comes from elsewhere.

    The servers come before what opens pages on them, so that they outlive these.
    """
    return keep_editor(default_server if request.param == "default" else web_server)


def workflow(records: list[object]) -> dict:
    """A Jano Scheduler for each record, and behind each a KSampler whose seed tells which."""
    nodes = []
    for index, saved in enumerate(records):
        place = {"pos": [400 * (index % 20), 700 * (index // 20)], "size": [300, 500], "flags": {}, "mode": 0}
        scheduler = {"id": 2 * index + 1, "type": "JanoScheduler", "widgets_values": ["fast", 0.3]}
        sampler = {"id": 2 * index + 2, "type": "KSampler", "widgets_values": [1000 + index, "fixed", 7, 2.5, "heun"]}
        nodes += [{**scheduler, **place, "properties": {"jano_run": saved}}, {**sampler, **place, "properties": {}}]
    return {"last_node_id": 2 * len(records), "last_link_id": 0, "nodes": nodes, "links": [], "version": 0.4}


# Each alone, before what freezes a page that takes it: a page that hangs tells nothing of the others.


@pytest.mark.parametrize("address", PICTURES[:5])
def test_no_address_in_a_record_is_asked_for(reader: Editor, address: str) -> None:
    asked = []
    reader.page.on("request", lambda request: asked.append(request.url))
    reader.load(workflow([record(picture=address)]))
    reader.page.wait_for_function("() => app.graph.nodes.length === 2")
    reader.page.wait_for_timeout(500)  # time for what must not happen
    assert [url for url in asked if BEACON in url] == []


def test_a_record_that_cannot_be_read_costs_the_nodes_behind_nothing(reader: Editor) -> None:
    in_mid_run = record(steps=[None], summary=None)  # its line tells of its last step
    reader.load(workflow([in_mid_run, record()]))
    reader.page.wait_for_function("() => app.graph.nodes.length === 4")
    seeds = reader.page.evaluate(
        "() => app.graph.nodes.filter(({ type }) => type === 'KSampler').map(({ widgets }) => widgets[0].value)"
    )
    assert seeds == [1000, 1001]


def test_what_does_not_fit_is_dropped_and_the_workflow_loads(reader: Editor) -> None:
    asked = []
    page = reader.page
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(COUNT_INFLATED)
    reader.load(workflow([*UNFIT, *FIT]))
    page.wait_for_function("count => app.graph.nodes.length === count", arg=2 * len(UNFIT + FIT))
    page.evaluate("app.canvas.ds.scale = 0.3; app.canvas.ds.offset = [50, 50]; app.canvas.setDirty(true, true)")
    page.wait_for_timeout(1500)  # time for all that must not happen
    reader.shot("shared")
    states = page.evaluate(
        """() => app.graph.nodes.map(({ type, widgets, properties }) => [
            type, widgets[0].value, widgets[1].value, properties.jano_run ?? null,
            widgets.at(-1).element?.querySelector('.jano-line')?.textContent,
        ])"""
    )
    schedulers, samplers = ([state for state in states if state[0] == kind] for kind in ("JanoScheduler", "KSampler"))
    assert [state[1] for state in samplers] == [1000 + index for index in range(len(UNFIT + FIT))]
    assert {tuple(state[1:3]) for state in schedulers} == {("fast", 0.3)}
    dropped, shown = schedulers[: len(UNFIT)], schedulers[len(UNFIT) :]
    kept = [json.dumps(UNFIT[index])[:200] for index, state in enumerate(dropped) if state[3] is not None]
    assert kept == []
    assert {state[4] for state in dropped} == {"The run appears here while sampling."}
    assert [state[4] for state in shown] == [saved["summary"] for saved in FIT]  # as text, whatever is in it
    assert page.evaluate("document.querySelectorAll('.jano-run img, .jano-run b').length") == 0
    assert page.evaluate("document.querySelectorAll('.jano-strip > span').length") < 1000
    assert page.evaluate("window.janoHacked") is None
    assert [url for url in asked if BEACON in url] == []
    assert page.evaluate("janoInflated") < 4_000_000  # of the 100 MB that one of them unfolds to


def test_a_run_of_the_first_version_is_drawn_from_its_bytes(reader: Editor) -> None:
    """Levels and picture both, the picture of each kind."""
    reader.load(workflow([record(picture=picture(kind, "lime")) for kind in ("JPEG", "PNG", "WEBP")]))
    reader.page.wait_for_function(
        """() => {
            const canvases = [...document.querySelectorAll('.jano-map')].slice(-3);
            return canvases.length === 3 && canvases.every((canvas) => {
                const { data } = canvas.getContext('2d').getImageData(3 + 64, 3, 1, 1);  // a moderate token: amber
                return data[1] > 200 && data[0] > 60 && data[0] < 160;  // over lime
            });
        }"""
    )
    reader.shot("first_version")


def test_no_mutation_of_a_record_gets_through_that_the_view_cannot_show(reader: Editor) -> None:
    for valid in (record(), record(spoken={"summary": told()}), measured()):
        counts = reader.page.evaluate(FUZZ, {"valid": valid, "junk": JUNK})
        assert counts["fit"] > 15
        assert counts["unfit"] > 150


LARGE = """async (seed) => {
  const { RunRecord } = await import('/extensions/jano/run_record.js');
  const record = RunRecord.from(seed, 1);
  const noise = Array.from({ length: 30_000 }, (_, index) => 'ABCDEFGH'[(index * 7919) % 8]).join('');
  for (const step of record.data.steps) step.errors = noise;
  record.data.steps.push(...Array.from({ length: 5 }, () => ({ ...record.data.steps[0] })));
  record.data.num_steps = 20;
  return record.saved();
}"""


def test_of_a_large_run_the_maps_of_its_steps_go_first(reader: Editor) -> None:
    saved = reader.page.evaluate(LARGE, measured())
    assert len(json.dumps(saved)) < 150_000
    assert saved["errors"] == measured()["errors"]
    assert saved["picture"] is not None
    assert [step.get("errors") for step in saved["steps"]] == [None] * 8
    assert saved["steps"][2]["error"] == 0.02


STATES = """async (saved) => {
  const { RunRecord } = await import('/extensions/jano/run_record.js');
  const of = (changes) => RunRecord.from({ ...saved, ...changes }, 1).state;
  const [failed, stopped] = [true, false].map((hasFailed) => {
    const record = new RunRecord('prompt', 1);
    record.stop(hasFailed);
    return record;
  });
  const again = RunRecord.from(failed.saved(), 1);
  return [
    of({}), of({ fallbacks: ['of this'] }), of({ verdict: 'native' }), of({ verdict: 'analysed' }),
    failed.state, stopped.state, again?.state ?? '',
  ];
}"""


def test_the_state_that_a_title_tells(reader: Editor) -> None:
    """A failure is of the page alone: a workflow that is loaded again has not failed."""
    states = reader.page.evaluate(STATES, record())
    assert states == ["accelerated", "partly", "native", "", "error", "", ""]
