"""A few calls to a running ComfyUI: queue a prompt, wait for it, fetch what it made."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

Prompt = Mapping[str, Mapping[str, Any]]  # API format: node id -> class_type, inputs
POLL_SECONDS = 0.1
ANSWER_SECONDS = 60.0


class PromptError(RuntimeError):
    """A prompt that was refused or failed; the text names the node and repeats what it said."""


class PromptInterruptedError(PromptError):
    """A prompt that was interrupted."""


class ServerLostError(RuntimeError):
    """The server does not answer."""


class Client:
    """Talks to the ComfyUI at ``url``, past any proxy."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def queue(self, prompt: Prompt) -> str:
        """Queue a prompt and return its id. PromptError with each node's complaint if it is not valid."""
        try:
            answer = self._ask("/prompt", {"prompt": prompt})
        except urllib.error.HTTPError as refusal:
            raise PromptError(refusal_text(json.loads(refusal.read()))) from None
        return json.loads(answer)["prompt_id"]

    def wait(self, prompt_id: str, timeout: float = 600.0, tick: Callable[[float], None] | None = None) -> dict:
        """The outputs of a queued prompt, {node id: {"images": [...], ...}}, once it is done.

        ``timeout`` in seconds; ``tick`` is called with the seconds waited so far, ten times a second.
        PromptError with the node's error text, PromptInterruptedError, TimeoutError, ServerLostError.
        """
        started = time.monotonic()
        while not (entry := self.history(prompt_id)):
            waited = time.monotonic() - started
            if waited > timeout:
                raise TimeoutError(f"the prompt {prompt_id} is not done after {timeout:.0f} s")
            if tick:
                tick(waited)
            time.sleep(POLL_SECONDS)
        raise_failure(entry["status"])
        return entry["outputs"]

    def run(self, prompt: Prompt, timeout: float = 600.0, tick: Callable[[float], None] | None = None) -> dict:
        """Queue a prompt and wait for its outputs; see ``wait``."""
        return self.wait(self.queue(prompt), timeout, tick)

    def interrupt(self) -> None:
        """Stop the prompt that is running now; without one, nothing happens."""
        self._ask("/interrupt", {})

    def history(self, prompt_id: str) -> dict | None:
        """What the server keeps of a finished prompt (outputs, status), None while it is queued or running."""
        return self.get_json(f"/history/{prompt_id}").get(prompt_id)

    def seconds(self, prompt_id: str) -> float:
        """How long a finished prompt ran, by the server's own clock."""
        times = {event: data["timestamp"] for event, data in self.history(prompt_id)["status"]["messages"]}
        return (max(times.values()) - times["execution_start"]) / 1000

    def object_info(self) -> dict:
        """What the server knows about every node: inputs, outputs, names."""
        return self.get_json("/object_info")

    def image(self, ref: Mapping[str, str]) -> bytes:
        """The file behind an entry of the outputs, {"filename", "subfolder", "type"}: its bytes as saved."""
        return self._ask("/view?" + urllib.parse.urlencode(ref))

    def get_json(self, path: str) -> Any:
        """GET a path such as /system_stats. ServerLostError where nothing answers."""
        return json.loads(self._ask(path))

    def fetch(self, path: str) -> bytes:
        """GET a path and return the body. HTTPError for a refusal, ServerLostError where nothing answers."""
        return self._ask(path)

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        """GET, or POST with a body. HTTPError passes through; no answer at all is a ServerLostError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        try:
            with self._opener.open(request, timeout=ANSWER_SECONDS) as answer:
                return answer.read()
        except urllib.error.HTTPError:
            raise
        except OSError as error:
            raise ServerLostError(self._lost(error)) from None

    def _lost(self, error: OSError) -> str:
        return f"no answer from {self.url}: {error}"


def raise_failure(status: Mapping[str, Any]) -> None:
    """Raise what went wrong according to the status of a finished prompt; nothing if it succeeded."""
    messages = dict(status["messages"])
    if "execution_interrupted" in messages:
        data = messages["execution_interrupted"]
        raise PromptInterruptedError(f"interrupted in node {data['node_id']} ({data['node_type']})")
    if "execution_error" in messages:
        data = messages["execution_error"]
        where = f"node {data['node_id']} ({data['node_type']})"
        trace = "".join(data.get("traceback", []))
        raise PromptError(f"{where}: {data['exception_type']}: {data['exception_message'].strip()}\n{trace}")
    if status["status_str"] != "success":
        raise PromptError(f"the server says {status['status_str']} and no more")


def refusal_text(answer: Mapping[str, Any]) -> str:
    """One line for the prompt and one for each node that the server found wrong with it."""
    lines = [_complaint(answer["error"])]
    for node_id, node in answer.get("node_errors", {}).items():
        lines += [f"node {node_id} ({node['class_type']}): {_complaint(error)}" for error in node["errors"]]
    return "\n".join(lines)


def _complaint(error: Mapping[str, str]) -> str:
    return ": ".join(part for part in (error["message"], error["details"]) if part)
