"""Runs are drawn on the node that the user sees, in the host's executor and whatever it kept of prompts before."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import comfy.sd
import comfy.utils
import execution
import folder_paths
import pytest
import torch
from comfy_api.latest import io
from comfyui_jano.nodes.model_loader import JanoModelLoader
from comfyui_jano.nodes.report import JanoReport
from comfyui_jano.nodes.tune import JanoAnalyzer, JanoScheduler
from comfyui_jano.tests.host import tiny

import nodes

SIZES = {"lru": 10, "ram": 1.0, "ram_inactive": 1.0}
FILE, OTHER_FILE = "tiny.safetensors", "other.safetensors"


class Prompt(io.ComfyNode):
    """Conditioning for the tiny models."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema("Prompt", inputs=[io.Int.Input("seed")], outputs=[io.Conditioning.Output()])

    @classmethod
    def execute(cls, seed: int) -> io.NodeOutput:
        return io.NodeOutput(tiny.conditioning(seed))


class Noisy(io.ComfyNode):
    """A latent to begin with; `after` only says what comes first."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [io.Int.Input("channels"), io.Latent.Input("after", optional=True)]
        return io.Schema("Noisy", inputs=inputs, outputs=[io.Latent.Output()])

    @classmethod
    def execute(cls, channels: int, after: object = None) -> io.NodeOutput:
        return io.NodeOutput({"samples": torch.zeros(1, channels, 8, 8)})


class FakeServer:
    """As much of PromptServer as the executor and the pack use."""

    client_id, last_node_id, last_prompt_id = "page", None, None

    def __init__(self) -> None:
        self.sockets = {"page": object()}
        self.sent: list[tuple[str, str]] = []

    def send_sync(self, event: str, data: object, sid: str | None = None) -> None:
        if event == "jano.end":
            self.sent.append(data["node"])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake, module = FakeServer(), types.ModuleType("server")
    module.PromptServer = types.SimpleNamespace(instance=fake)
    monkeypatch.setitem(sys.modules, "server", module)
    return fake


@pytest.fixture
def loads(tmp_path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pack's nodes and two model files as the host knows them; the files that were read."""
    for node in (Prompt, Noisy, Quality, JanoModelLoader, JanoAnalyzer, JanoScheduler, JanoReport):
        monkeypatch.setitem(nodes.NODE_CLASS_MAPPINGS, node.GET_SCHEMA().node_id, node)
    for name in (FILE, OTHER_FILE):
        comfy.utils.save_torch_file(tiny.flux().model.diffusion_model.state_dict(), str(tmp_path / name))
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "diffusion_models", ([str(tmp_path)], {".safetensors"}))
    read, load = [], comfy.sd.load_diffusion_model

    def loaded(path: str, **options: object) -> object:
        read.append(path.rpartition("/")[2])
        return load(path, **options)

    monkeypatch.setattr(comfy.sd, "load_diffusion_model", loaded)
    return read


@pytest.fixture(params=["RAM_PRESSURE", "CLASSIC", "LRU"])
def run(request: pytest.FixtureRequest, server: FakeServer) -> Callable[[dict], list[str]]:
    """Execute a prompt; returns the nodes that were drawn on, in this order."""
    executor = execution.PromptExecutor(server, execution.CacheType[request.param], SIZES)

    def execute(prompt: dict) -> list[str]:
        server.sent.clear()
        ends = [node_id for node_id, node in prompt.items() if node["class_type"] == "JanoReport"]
        with ThreadPoolExecutor(1) as pool:  # the browser tests leave a loop in this thread
            pool.submit(executor.execute, prompt, "a prompt", {"client_id": "page"}, ends).result()
        assert executor.success, executor.status_messages
        return list(server.sent)

    return execute


def node(class_type: str, **inputs: object) -> dict:
    return {"class_type": class_type, "inputs": inputs}


def loader(unet_name: str = FILE) -> dict:
    return node("JanoModelLoader", unet_name=unet_name, weight_dtype="default", quality="draft")


def sampled(name: str, model: str, seed: int = 1, after: str | None = None) -> dict:
    """A sampler behind a model, and a report; the nodes' ids begin with `name`."""
    latent = node("Noisy", channels=16, **({"after": [after, 0]} if after else {}))
    options = {"steps": 9, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    links = {"positive": [f"{name}p", 0], "negative": [f"{name}p", 0], "latent_image": [f"{name}l", 0]}
    return {
        f"{name}p": node("Prompt", seed=1),
        f"{name}l": latent,
        f"{name}s": node("KSampler", model=[model, 0], seed=seed, **options, **links),
        f"{name}r": node("JanoReport", model=[model, 0], latent=[f"{name}s", 0]),
    }


SETTINGS = {
    "quality": "draft",
    "static_threshold": 0.4,
    "moderate_threshold": 0.9,
    "static_interval": 2,
    "moderate_interval": 2,
    "active_interval": 1,
    "cooldown": 0.03,
}


def test_a_scheduler_that_was_deleted_and_added_again_is_drawn_on(run: Callable, loads: list[str]) -> None:
    for own in ("2", "15", "16"):
        prompt = {"1": loader(), own: node("JanoScheduler", model=["1", 0], **SETTINGS), **sampled("a", own)}
        assert run(prompt) == [own]
    assert loads == [FILE]


def test_an_analyzer_that_was_deleted_and_added_again_is_drawn_on(run: Callable, loads: list[str]) -> None:
    sizes = dict.fromkeys(("region_t", "region_h", "region_w"), 0)
    for own in ("2", "15"):
        analyzer = node("JanoAnalyzer", model=["1", 0], warmup=0.2, temporal_weight=0.7, score="paper", **sizes)
        prompt = {"1": node("UNETLoader", unet_name=FILE, weight_dtype="default"), own: analyzer, **sampled("a", own)}
        assert run(prompt) == [own]


def test_a_loader_that_was_deleted_and_added_again_is_drawn_on_and_reads_once(run: Callable, loads: list[str]) -> None:
    for seed, own in enumerate(("2", "15", "ap")):
        assert run({own: loader(), **sampled("b", own, seed)}) == [own]
    assert loads == [FILE]


def test_a_pasted_loader_is_drawn_on_and_reads_once(run: Callable, loads: list[str]) -> None:
    prompt = {"2": loader(), "15": loader(), **sampled("a", "2"), **sampled("b", "15", seed=2, after="as")}
    assert run(prompt) == ["2", "15"]
    assert loads == [FILE]


def test_two_loaders_that_changed_places_are_told_apart(run: Callable, loads: list[str]) -> None:
    for seed, (high, low) in enumerate((("1", "2"), ("2", "1"))):
        prompt = {high: loader(), low: loader(OTHER_FILE)}
        prompt |= {**sampled("a", high, seed), **sampled("b", low, seed, after="as")}
        assert run(prompt) == [high, low]
    assert loads == [FILE, OTHER_FILE]


def test_a_file_that_another_node_names_is_drawn_on(run: Callable, loads: list[str]) -> None:
    for seed, own in enumerate(("2", "15")):
        named = {**loader(), "inputs": {**loader()["inputs"], "quality": ["q", 0]}}
        assert run({"q": node("Quality"), own: named, **sampled("a", own, seed)}) == [own]
    assert loads == [FILE]


class Quality(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema("Quality", outputs=[io.String.Output()])

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput("draft")
