"""A workflow as ComfyUI's editor saves it, turned into the prompt that its API takes; a node's values as it saves them.

The saved form names neither its widgets nor their order: /object_info does. Subgraphs are not understood.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MUTED, BYPASSED = 2, 4
NOTES = ("Note", "MarkdownNote")
REROUTE = "Reroute"
PRIMITIVE = "PrimitiveNode"
DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
WIDGET_TYPES = frozenset(("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COLOR", DYNAMIC_COMBO))
SEED_NAMES = ("seed", "noise_seed")
SEED_CONTROLS = ("fixed", "increment", "decrement", "randomize", "increment-wrap")


@dataclass(frozen=True)
class Link:
    """Where a connection of the graph starts."""

    node_id: str
    slot: int


@dataclass(frozen=True)
class Graph:
    """The nodes and the links of a saved workflow by id, and what the server knows about node types."""

    nodes: Mapping[str, Mapping[str, Any]]
    links: Mapping[int, Link]
    object_info: Mapping[str, Any]


def to_prompt(workflow: Mapping[str, Any], object_info: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The API prompt of a saved workflow: {node id: {"class_type", "inputs", "_meta"}}.

    As in the editor, muted nodes and notes are left out, and bypassed nodes, reroutes and primitives are resolved to
    what feeds them. ValueError names a node whose type the server does not know.
    """
    graph = read_graph(workflow, object_info)
    return {node_id: _prompt_node(graph, node) for node_id, node in graph.nodes.items() if _is_sent(node)}


def read_graph(workflow: Mapping[str, Any], object_info: Mapping[str, Any]) -> Graph:
    """Index a workflow's nodes and links. ValueError for one that uses subgraphs."""
    if workflow.get("definitions", {}).get("subgraphs"):
        raise ValueError("this workflow uses subgraphs: unpack them in the editor and save it again")
    links = dict(_read_link(link) for link in workflow["links"])
    return Graph({str(node["id"]): node for node in workflow["nodes"]}, links, object_info)


def widget_values(node: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    """A saved node's widget values by name, from their positions."""
    saved = node.get("widgets_values") or []
    if isinstance(saved, Mapping):
        return dict(saved)
    linked_widgets = {slot["name"] for slot in node.get("inputs", []) if slot.get("widget")}
    rest = list(saved)
    values: dict[str, Any] = {}
    for name, spec in input_specs(info):
        if name in linked_widgets or is_widget(spec):
            _take(name, spec, rest, values)
    return values


def _read_link(link: Sequence[Any] | Mapping[str, Any]) -> tuple[int, Link]:
    """Older files keep a link as [id, from node, from slot, to node, to slot, type], newer ones by names."""
    if isinstance(link, Mapping):
        return link["id"], Link(str(link["origin_id"]), link["origin_slot"])
    return link[0], Link(str(link[1]), link[2])


def _is_sent(node: Mapping[str, Any]) -> bool:
    return node["type"] not in (*NOTES, REROUTE, PRIMITIVE) and node.get("mode", 0) not in (MUTED, BYPASSED)


def _prompt_node(graph: Graph, node: Mapping[str, Any]) -> dict[str, Any]:
    kind = node["type"]
    if kind not in graph.object_info:
        raise ValueError(f"node {node['id']} is a {kind}, which this ComfyUI does not know")
    info = graph.object_info[kind]
    inputs = {name: _literal(value) for name, value in widget_values(node, info).items()}
    for slot in node.get("inputs", []):
        inputs |= _fed(graph, slot)
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": node.get("title") or info["display_name"]}}


def _fed(graph: Graph, slot: Mapping[str, Any]) -> dict[str, Any]:
    """What arrives at an input over its link, {} if nothing does; a widget's own value then stands."""
    source = _source(graph, slot.get("link"))
    if source is None:
        return {}
    node = graph.nodes[source.node_id]
    value = _literal(node["widgets_values"][0]) if node["type"] == PRIMITIVE else [source.node_id, source.slot]
    return {slot["name"]: value}


def _source(graph: Graph, link_id: int | None) -> Link | None:
    """The output that really feeds a link: past reroutes and bypassed nodes, None if it starts nowhere."""
    link = graph.links.get(link_id)
    node = graph.nodes.get(link.node_id) if link else None
    if node is None or node.get("mode", 0) == MUTED:
        return None
    if node["type"] == REROUTE:
        return _source(graph, node["inputs"][0].get("link"))
    if node.get("mode", 0) == BYPASSED:
        return _source(graph, _bypass_link(node, link.slot))
    return link


def _bypass_link(node: Mapping[str, Any], slot: int) -> int | None:
    """The link that takes an output's place when its node is bypassed: the same slot's if the types agree, or
    the first input of that type."""
    kind, inputs = node["outputs"][slot]["type"], node.get("inputs", [])
    candidates = [*inputs[slot : slot + 1], *inputs]
    return next((entry.get("link") for entry in candidates if entry["type"] == kind), None)


def input_specs(info: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    """The (name, specification) of a node type's inputs, as the editor lays them out."""
    return _inputs_in_order(info["input"], info.get("input_order"))


def stored_values(info: Mapping[str, Any], given: Mapping[str, Any]) -> list[Any]:
    """A node's widget values as the editor stores them: by position, what is not given by its default.

    Seeds stay as they are from run to run. The inverse of `widget_values`.
    """
    return [value for name, spec in input_specs(info) if is_widget(spec) for value in _stored(name, spec, given)]


def _stored(name: str, spec: Sequence[Any], given: Mapping[str, Any]) -> Iterator[Any]:
    """The values of one widget and of those that come with it."""
    value = given[name] if name in given else _default(spec)
    yield value
    if spec[0] == DYNAMIC_COMBO:
        chosen = next((option for option in _options(spec)["options"] if option["key"] == value), None)
        for inner, inner_spec in _inputs_in_order(chosen["inputs"]) if chosen else ():
            yield from _stored(f"{name}.{inner}", inner_spec, given)
    elif _has_control(name, spec):
        yield "fixed"


def _default(spec: Sequence[Any]) -> Any:
    options = _options(spec)
    choices = spec[0] if isinstance(spec[0], list) else options.get("options")
    if spec[0] == DYNAMIC_COMBO:
        return choices[0]["key"]
    first = choices[0] if choices else {"STRING": "", "BOOLEAN": False}.get(spec[0], 0)
    return options.get("default", first)


def _inputs_in_order(
    inputs: Mapping[str, Mapping[str, Any]], order: Mapping[str, Sequence[str]] | None = None
) -> Iterator[tuple[str, Sequence[Any]]]:
    """The (name, specification) of required inputs, then of optional ones, as the editor lays them out."""
    for group in ("required", "optional"):
        specs = inputs.get(group, {})
        for name in (order or {}).get(group, specs):
            yield name, specs[name]


def is_widget(spec: Sequence[Any]) -> bool:
    """Whether an input of this specification is set on the node itself, rather than by a link alone."""
    kind = _options(spec).get("widgetType", spec[0])  # of an input that takes several types
    return (isinstance(kind, list) or kind in WIDGET_TYPES) and not _options(spec).get("forceInput")


def _options(spec: Sequence[Any]) -> Mapping[str, Any]:
    return spec[1] if len(spec) > 1 else {}


def _take(name: str, spec: Sequence[Any], rest: list[Any], values: dict[str, Any]) -> None:
    """Move the values of one widget, and of the widgets that come with it, from ``rest`` to ``values``."""
    if not rest:
        return
    values[name] = rest.pop(0)
    if spec[0] == DYNAMIC_COMBO:
        chosen = next((option for option in _options(spec)["options"] if option["key"] == values[name]), None)
        for inner, inner_spec in _inputs_in_order(chosen["inputs"]) if chosen else ():
            if is_widget(inner_spec):
                _take(f"{name}.{inner}", inner_spec, rest, values)
    elif _has_control(name, spec) and rest and rest[0] in SEED_CONTROLS:
        rest.pop(0)


def _has_control(name: str, spec: Sequence[Any]) -> bool:
    """Whether the editor puts a "control after generate" widget behind this one."""
    return bool(_options(spec).get("control_after_generate")) or (spec[0] == "INT" and name in SEED_NAMES)


def _literal(value: Any) -> Any:
    """A list is wrapped, or the server would take it for a link."""
    return {"__value__": value} if isinstance(value, list) else value
