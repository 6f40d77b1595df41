"""What is sent to the page while a model samples."""

from __future__ import annotations

import base64
import json
import sys
import types
import zlib

import numpy
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from comfyui_jano.jano.adapters.progress import Told, packed_bits, packed_bytes, tell_end, tell_step, whole_run
from comfyui_jano.jano.adapters.settings import report_of
from comfyui_jano.jano.levels.grid import TokenGrid
from comfyui_jano.jano.levels.map import LevelMap
from comfyui_jano.jano.show.error_map import ErrorMap, codes_of
from comfyui_jano.jano.show.report import RunReport, StepClass, StepRecord
from comfyui_jano.jano.whole import engine
from comfyui_jano.jano.whole.errors import Measured, worst_share_of
from comfyui_jano.tests.host.test_trained_flux import said
from comfyui_jano.tests.host.tiny import sample, with_scheduler

GRID = TokenGrid((1, 2, 3), (1, 1, 1), (1, 1, 1))


class FakeServer:
    """As much of PromptServer as is used; `client_id` None when nobody looks."""

    def __init__(self, client_id: str | None = "page") -> None:
        self.client_id, self.last_prompt_id = client_id, "prompt"
        self.sockets = {"page": object()}
        self.sent: list[tuple[str, dict, str]] = []

    def send_sync(self, event: str, data: dict, sid: str) -> None:
        self.sent.append((event, json.loads(json.dumps(data)), sid))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    return install(FakeServer(), monkeypatch)


def install(fake: object, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    module = types.ModuleType("server")
    module.PromptServer = types.SimpleNamespace(instance=fake)
    monkeypatch.setitem(sys.modules, "server", module)
    return fake


def report() -> RunReport:
    """Two steps of six tokens; the second computed the first row."""
    mask = torch.tensor([[[True, True, True], [False, False, False]]])
    steps = [
        StepRecord(0, 1.0, StepClass.STORE, 6, 6, 1, 2.0),
        StepRecord(1, 0.5, StepClass.ACTIVE, 3, 6, 1, 1.0, computed=mask),
    ]
    levels = LevelMap(GRID, torch.tensor([3, 3, 3, 1, 1, 2], dtype=torch.uint8), torch.zeros(6))
    return RunReport("Flux", 4, 6, steps, level_map=levels)


def unpacked(text: str) -> list[int]:
    return list(zlib.decompress(base64.b64decode(text)))


def test_a_step_is_told_to_the_page_that_queued_it(server: FakeServer) -> None:
    tell_step("1:7", report(), GRID, Told())
    ((event, data, sid),) = server.sent
    assert (event, sid) == ("jano.step", "page")
    levels, computed = data.pop("levels"), data.pop("computed")
    assert unpacked(levels) == [3, 3, 3, 1, 1, 2]
    assert unpacked(computed) == [0b11100000]
    assert data == {
        "node": "1:7",
        "prompt_id": "prompt",
        "evaluations": 2,
        "step": 1,
        "num_steps": 4,
        "step_class": "active",
        "classes": {"0": "store", "1": "active"},
        "computed_fraction": 0.75,
        "speedup": 1.333,
        "measures": {
            "0": {"seconds": 2.0, "share": None, "error": None, "errors": None},
            "1": {"seconds": 1.0, "share": 0.5, "error": None, "errors": None},
        },
        "grid": [1, 2, 3],
        "regions": None,
        "region": None,
    }


def measured() -> RunReport:
    """The same, computed, forecast and computed again: the forecast moved the second region by 4 %."""
    made = report()
    made.maps = "errors"
    error_map = ErrorMap.of(GRID, torch.tensor([0.0, 0.04, 0.0, 0.0, 0.0, -1.0]))
    made.steps[1] = StepRecord(1, 0.5, StepClass.SKIPPED, 0, 6, 1, 0.5)
    made.steps.append(StepRecord(2, 0.3, StepClass.FULL, 6, 6, 1, 1.0, picture_error=0.02, error_map=error_map))
    return made


def test_errors_are_told_in_place_of_levels_and_once(server: FakeServer) -> None:
    made, told = measured(), Told()
    tell_step("7", made, GRID, told)
    tell_step("7", made, GRID, told)
    first, second = (data for _, data, _ in server.sent)
    assert (first["levels"], first["regions"], first["region"]) == (None, [1, 2, 3], [1, 1, 1])
    assert set(first["measures"]) == {"0", "1", "2"}
    assert first["measures"]["2"]["error"] == 0.02
    assert unpacked(first["measures"]["2"]["errors"]) == made.steps[2].error_map.codes.tolist()
    assert second["measures"] == {}


def test_where_levels_decide_nothing_none_are_told(server: FakeServer) -> None:
    made = report()
    made.maps = ""
    tell_step("7", made, GRID, Told())
    data = server.sent[0][1]
    assert (data["levels"], data["regions"], data["region"]) == (None, None, None)


def test_the_end_has_the_errors_of_the_whole_run(server: FakeServer) -> None:
    tell_end("7", measured())
    tell_end("7", report())
    errors = [data["errors"] for _, data, _ in server.sent]
    assert unpacked(errors[0]) == measured().steps[2].error_map.codes.tolist()
    assert errors[1] is None


def test_who_heard_nothing_is_told_the_whole_run(server: FakeServer) -> None:
    made = report()
    assert whole_run(made) is None  # no node shows it
    made.node_id = "1:7"
    told = whole_run(made)
    tell_end("1:7", made)
    end = server.sent[0][1]
    assert told["node"] == end["node"]
    assert told["end"] == {name: value for name, value in end.items() if name not in ("node", "prompt_id", "sampler")}
    assert [one["computed"] is None for one in told["step"]["measures"].values()] == [True, False]
    assert told["step"]["levels"] is not None
    made.level_map = None  # without a map only what is said of it
    assert whole_run(made)["step"] is None
    assert server.sent[1:] == []


def test_what_a_page_was_told_is_told_again_to_another(server: FakeServer) -> None:
    """A page that was loaded again in the middle of a run has another socket, and knows nothing."""
    made, told = report(), Told()
    for socket in (server.sockets["page"], server.sockets["page"], object()):
        server.sockets["page"] = socket
        tell_step("7", made, GRID, told)
    assert [data["levels"] is not None for _, data, _ in server.sent] == [True, False, True]
    assert [len(data["classes"]) for _, data, _ in server.sent] == [2, 0, 2]


def test_without_a_map_none_is_sent(server: FakeServer) -> None:
    made = report()
    made.level_map, made.steps[-1].computed = None, None
    tell_step("7", made, GRID, Told())
    assert (server.sent[0][1]["levels"], server.sent[0][1]["computed"]) == (None, None)


def test_the_end_says_why_it_was_native(server: FakeServer) -> None:
    tell_end("7", RunReport("Flux", 4, fallbacks=["of this"]))
    ((event, data, _),) = server.sent
    assert event == "jano.end"
    assert (data["verdict"], data["fallbacks"]) == ("native", ["of this"])
    assert "because of this" in data["summary"]


@pytest.mark.parametrize(
    "tell", [lambda node: tell_step(node, report(), GRID, Told()), lambda node: tell_end(node, report())]
)
def test_nobody_is_told_without_a_node_a_server_or_a_page(tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "server", raising=False)
    tell("7")
    install(None, monkeypatch)
    tell("7")
    for fake, node in ((FakeServer(client_id=None), "7"), (FakeServer("closed"), "7"), (FakeServer(), None)):
        install(fake, monkeypatch)
        tell(node)
        assert fake.sent == []


def test_a_broken_server_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    broken = types.SimpleNamespace(client_id="page", sockets={"page": object()}, send_sync=lambda *_: 1 / 0)
    install(broken, monkeypatch)
    tell_step("7", report(), GRID, Told())
    assert "cannot show the run (ZeroDivisionError" in caplog.text


def test_a_large_clip_stays_small() -> None:
    """A map of regions of 4 by 4 tokens over Wan's 81 frames at 480p."""
    regions = torch.randint(1, 4, (21, 8, 13), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    levels = regions.repeat_interleave(4, 1).repeat_interleave(4, 2)[:, :30, :52]
    assert len(packed_bytes(levels.flatten())) < 4000
    assert len(packed_bits(levels == 3)) < 3000
    assert numpy.array_equal(numpy.array(unpacked(packed_bytes(levels)), dtype=numpy.uint8), levels.flatten().numpy())


def test_sampling_tells_every_step_and_the_end(flux: ModelPatcher, server: FakeServer) -> None:
    sample(with_scheduler(flux, "custom", node_id="5"))
    steps = [data for event, data, _ in server.sent if event == "jano.step"]
    assert [data["step"] for data in steps] == list(range(12))
    assert {data["node"] for data in steps} == {"5"}
    assert sum(data["levels"] is not None for data in steps) == 1  # what the page knows is not told again
    partial = [data for data in steps if data["step_class"] in ("moderate", "active")]
    assert partial
    assert all(data["computed"] for data in partial)
    assert [event for event, _, _ in server.sent][-1] == "jano.end"
    assert server.sent[-1][1]["verdict"] == "accelerated"


@pytest.mark.parametrize("sampler", ["euler", "heun"])
def test_what_is_sent_is_what_was_measured_and_changes_nothing(
    trained: ModelPatcher, server: FakeServer, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    """Region by region as the engine saw it, weighed as the control weighs all of it; not a bit of the picture differs
    from that of a run that nobody looks at."""
    seen = []

    def watched(*args: object) -> Measured:
        seen.append(worst_share_of(*args))
        return seen[-1]

    monkeypatch.setattr(engine, "worst_share_of", watched)
    model = with_scheduler(trained, "fast", node_id="5")
    prompt = {"positive": said("green tree, day sky"), "negative": said(""), "size": (16, 16)}
    looked_at = sample(model, 14, 4.0, sampler, **prompt)
    steps = report_of(model, looked_at).steps
    by_share = {one.share: one.regions for one in seen}
    found = {}
    for event, data, _ in server.sent:
        found |= data.get("measures", {}) if event == "jano.step" else {}
    mapped = {int(step): one for step, one in found.items() if one["errors"]}
    assert mapped
    for step, one in mapped.items():
        record = steps[step]
        expected = by_share[record.forecast_error] * record.picture_error / record.forecast_error
        assert unpacked(one["errors"]) == codes_of(expected).tolist()
        assert steps[step - 1].step_class is StepClass.SKIPPED
    monkeypatch.delitem(sys.modules, "server")
    assert torch.equal(sample(with_scheduler(trained, "fast"), 14, 4.0, sampler, **prompt), looked_at)


def test_by_level_nothing_is_mapped_but_levels(flux: ModelPatcher, server: FakeServer) -> None:
    sample(with_scheduler(flux, "custom", node_id="5"))
    steps = [data for event, data, _ in server.sent if event == "jano.step"]
    assert {data["regions"] is None for data in steps} == {True}
    assert not any(one["errors"] for data in steps for one in data["measures"].values())
    assert server.sent[-1][1]["errors"] is None
