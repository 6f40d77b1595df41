"""Which node of the running prompt shows a run.

The host keeps what a loader made and hands it to every loader with the same inputs: a MODEL may carry the id of a node
that is gone, or that is another one by now. A loader is therefore found again, from the sampler that runs.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator

from .settings import JanoSettings, Loader


def node_to_show(settings: JanoSettings) -> str | None:
    """The id of the node that shows the run which begins now; the one that it was made by, outside of a prompt."""
    if settings.loader is None:
        return settings.node_id
    found = (node_id for node_id, node in _nodes_before_this() if _is_like(settings.loader, node))
    return next(found, settings.node_id)


def executing_context() -> object | None:
    """The host's word for the prompt (`prompt_id`) and the node (`node_id`) that run now.

    Its modules are looked up, not imported: without them there is no prompt.
    """
    utils = sys.modules.get("comfy_execution.utils")
    return utils and utils.get_executing_context()


def _is_like(loader: Loader, node: dict) -> bool:
    """Whether a node of the prompt may be this loader; an input that another node gives may be the same, and one that
    an older workflow does not have is the default."""
    given = node["inputs"]
    same = (given.get(name, value) == value or _is_link(given[name]) for name, value in loader.inputs)
    return node["class_type"] == loader.class_type and all(same)


def _nodes_before_this() -> Iterator[tuple[str, dict]]:
    """(id, node) of all that the node which runs now depends on, the nearest first."""
    context, progress = executing_context(), sys.modules.get("comfy_execution.progress")
    if context is None or progress is None:
        return
    prompt = progress.get_progress_state().dynprompt
    waiting, seen = deque([context.node_id]), set()
    while waiting:
        node_id = waiting.popleft()
        if node_id in seen or not prompt.has_node(node_id):
            continue
        seen.add(node_id)
        node = prompt.get_node(node_id)
        yield node_id, node
        waiting.extend(value[0] for value in node["inputs"].values() if _is_link(value))


def _is_link(value: object) -> bool:
    """Whether an input is another node's output: its id, and which one."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
