"""A workflow while it is drawn: nodes in columns, columns in groups, groups in rows, links by name.

`Sheet.saved` is the workflow as ComfyUI's editor saves it. Node types come from the server's /object_info.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..host.workflow import input_specs, is_widget, stored_values
from .files import File

TITLE, GAP, MARGIN, HEADING = 30, 20, 14, 36
"""Pixels: a node's title bar, between two nodes of a column, inside a group's border, a group's heading."""
BETWEEN_COLUMNS, BETWEEN_GROUPS = 28, 24
WIDTH, HEIGHT = 2456, 1241
"""What "fit view" shows at a zoom of 0.571 in a window of 1920 x 1080: from there on the canvas draws nodes' text."""
TOP, SLOT, WIDGET = 24, 20, 24
ABOVE, ROW = 14, 28
"""The same in Nodes 2.0, which makes a node larger where it is saved too small, and takes that for an edit."""
OWN_HEIGHTS = {
    "CheckpointLoaderSimple": 126,
    "ControlNetLoader": 86,
    "DualCLIPLoader": 142,
    "FluxKontextMultiReferenceLatentMethod": 86,
    "LTXVAudioVAELoader": 86,
    "LoraLoaderModelOnly": 114,
    "T5TokenizerOptions": 114,
    "VAELoader": 86,
}
"""There, of nodes with a line more or less than their widgets; measured in the page of ComfyUI 0.30.0."""
NOTE = "MarkdownNote"
NOTE_AREA, NOTE_WIDEST, NOTE_NARROWEST, NOTE_LEAST = 264_000, 1000, 400, 312
"""Square pixels in which the longest note can be read without scrolling; a line longer than that is hard to follow,
one shorter breaks too often; the least height that Nodes 2.0 gives one."""
GROUP_COLOUR = "#3f789e"  # of the groups in ComfyUI's own templates


@dataclass(frozen=True)
class Output:
    """Where a link begins."""

    node: Node
    slot: int


@dataclass(eq=False)
class Node:
    """A node: its place among the sheet's, its inputs as given (outputs of others or values), and its size."""

    id: int
    kind: str
    info: Mapping[str, Any]
    given: Mapping[str, Any]
    size: tuple[int, int]
    title: str | None = None
    pos: tuple[int, int] = (0, 0)

    def __getitem__(self, name: str) -> Output:
        """An output by its name."""
        return Output(self, list(self.info["output_name"]).index(name))

    def files(self) -> list[File]:
        return [value for value in self.given.values() if isinstance(value, File)]


@dataclass(eq=False)
class Group:
    """Nodes under one heading, in columns."""

    title: str
    columns: list[list[Node]] = field(default_factory=lambda: [[]])
    box: tuple[int, int, int, int] = (0, 0, 0, 0)

    def size(self) -> tuple[int, int]:
        """What it takes: width, height."""
        filled = [column for column in self.columns if column]
        width = sum(widest(column) for column in filled) + BETWEEN_COLUMNS * (len(filled) - 1)
        return width + 2 * MARGIN, HEADING + max(map(tall, filled)) + MARGIN

    def flow(self, height: int) -> None:
        """Break columns that are taller."""
        self.columns = [part for column in self.columns for part in broken(column, height - HEADING - MARGIN)]

    def place(self, x: int, y: int, height: int) -> None:
        self.box = (x, y, self.size()[0], height)
        left = x + MARGIN
        for column in self.columns:
            place_column(column, left, y + HEADING)
            left += widest(column) + BETWEEN_COLUMNS


class Sheet:
    """A template: rows of groups, its note at the top left."""

    def __init__(self, title: str, object_info: Mapping[str, Any]) -> None:
        self.title = title
        self.nodes: list[Node] = []
        self.rows: list[list[Group]] = []
        self.note: Node | None = None
        self._object_info = object_info

    def row(self) -> None:
        """What follows stands below all that was drawn so far."""
        self.rows.append([])

    def group(self, title: str) -> None:
        self.rows[-1].append(Group(title))

    def column(self) -> None:
        self.rows[-1][-1].columns.append([])

    def add(self, kind: str, *, title: str | None = None, size: tuple[int, int] | None = None, **given: Any) -> Node:
        """A node at the end of the current column. `given`: for inputs an Output or a node (its first output), for
        widgets a value or a File; the others keep their defaults."""
        info = self._object_info[kind]
        given = {name: Output(value, 0) if isinstance(value, Node) else value for name, value in given.items()}
        node = Node(len(self.nodes) + 1, kind, info, given, size or (300, body(kind, info)), title)
        unknown = given.keys() - {name for name, _ in input_specs(info)}
        if unknown:
            raise ValueError(f"{kind} has no input {sorted(unknown)}")
        self.nodes.append(node)
        self.rows[-1][-1].columns[-1].append(node)
        return node

    def say(self, text: str) -> None:
        """The note, to which the files are added; it gets the place that the upper row leaves."""
        text = f"{unwrapped(text)}\n\n**Files**\n{self._file_list()}"
        info = {"output_name": (), "input": {"required": {"text": ["STRING", {}]}}}
        self.note = Node(len(self.nodes) + 1, NOTE, info, {"text": text}, (0, 0))

    def _file_list(self) -> str:
        files = dict.fromkeys(file for node in self.nodes for file in node.files())
        return "\n".join(f"- {file_line(file)}" for file in files)

    def lay_out(self) -> None:
        """Give everything its place: the lower row as tall as it is, the upper one in what that leaves of HEIGHT."""
        upper, lower = self.rows
        room = HEIGHT - BETWEEN_GROUPS - height_of(lower)
        for group in upper:
            group.flow(room)
        high = max(height_of(upper), NOTE_LEAST + TITLE)
        beside = WIDTH - BETWEEN_GROUPS - width_of(upper)
        if high > room or beside < NOTE_NARROWEST or width_of(lower) > WIDTH:
            raise ValueError(
                f"{self.title} does not fit: of {room} pixels its upper row takes {high} and leaves {beside} beside it "
                f"for the note; of {WIDTH} the lower row takes {width_of(lower)}"
            )
        self._place_note(high - TITLE, beside)
        place_row(upper, self.note.size[0] + BETWEEN_GROUPS, 0, high)
        place_row(lower, 0, high + BETWEEN_GROUPS, height_of(lower))

    def _place_note(self, height: int, room: int) -> None:
        wide = min(NOTE_AREA // height, NOTE_WIDEST, room)
        self.note.pos, self.note.size = (0, TITLE), (wide, height)

    def saved(self) -> dict[str, Any]:
        """As the editor saves it, version 0.4."""
        self.lay_out()
        links = list(self._links())
        nodes = [saved_node(node, links, place) for place, node in enumerate([*self.nodes, self.note])]
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"jano/workflows/{self.title}")),
            "revision": 0,
            "last_node_id": len(nodes),
            "last_link_id": len(links),
            "nodes": nodes,
            "links": links,
            "groups": [saved_group(place, group) for place, group in enumerate(self._groups(), 1)],
            "config": {},
            "extra": {"ds": {"scale": 0.6, "offset": [140, 140]}},
            "version": 0.4,
        }

    def _groups(self) -> Iterator[Group]:
        return (group for row in self.rows for group in row)

    def _links(self) -> Iterator[list]:
        """[id, from node, from slot, to node, to slot, type], in the order of the nodes that they lead to."""
        number = 0
        for node in self.nodes:
            for slot, (name, _) in enumerate(slots(node)):
                if isinstance(source := node.given.get(name), Output):
                    number += 1
                    kind = source.node.info["output"][source.slot]
                    yield [number, source.node.id, source.slot, node.id, slot, kind]


def unwrapped(text: str) -> str:
    """A paragraph, and a point of a list, in one line each: the editor's notes break lines where the source does."""
    return re.sub(r"(?<!\n)\n *(?=[^\s-])", " ", text.strip())


def file_line(file: File) -> str:
    name = f"[{file.name}]({file.url})" if file.url else f"`{file.name}` (any of yours)"
    return f"{name} in models/{file.folder}"


def body(kind: str, info: Mapping[str, Any]) -> int:
    """A node's height below its title, as tall as both renderers want it: slots, then widgets, texts of several lines
    taller."""
    specs = list(input_specs(info))
    linked = sum(not is_widget(spec) for _, spec in specs)
    widgets = [spec[1] if len(spec) > 1 else {} for _, spec in specs if is_widget(spec)]
    texts = sum(bool(options.get("multiline")) for options in widgets)
    seeds = sum(bool(options.get("control_after_generate")) for options in widgets)
    in_rows, in_lines = SLOT * max(linked, len(info["output_name"])) + 110 * texts, len(widgets) + seeds - texts
    return max(TOP + in_rows + WIDGET * in_lines, OWN_HEIGHTS.get(kind, ABOVE + in_rows + ROW * in_lines))


def slots(node: Node) -> list[tuple[str, Any]]:
    """The inputs that a saved node has an entry for: those that take links only, and widgets that are linked."""
    specs = input_specs(node.info)
    return [(name, spec) for name, spec in specs if not is_widget(spec) or isinstance(node.given.get(name), Output)]


def widest(column: list[Node]) -> int:
    return max(node.size[0] for node in column)


def tall(column: list[Node]) -> int:
    return sum(TITLE + node.size[1] for node in column) + GAP * (len(column) - 1)


def height_of(row: list[Group]) -> int:
    return max(group.size()[1] for group in row)


def width_of(row: list[Group]) -> int:
    return sum(group.size()[0] for group in row) + BETWEEN_GROUPS * (len(row) - 1)


def place_row(row: list[Group], x: int, y: int, height: int) -> None:
    for group in row:
        group.place(x, y, height)
        x += group.box[2] + BETWEEN_GROUPS


def broken(column: list[Node], height: int) -> list[list[Node]]:
    """A column's nodes in as many columns as it takes for none to be taller; a node that is alone may be."""
    parts: list[list[Node]] = [[]]
    for node in column:
        if parts[-1] and tall([*parts[-1], node]) > height:
            parts.append([])
        parts[-1].append(node)
    return parts


def place_column(column: list[Node], x: int, y: int) -> None:
    for node in column:
        node.pos = (x, y + TITLE)
        y += TITLE + node.size[1] + GAP


def saved_group(number: int, group: Group) -> dict[str, Any]:
    look = {"color": GROUP_COLOUR, "font_size": 24, "flags": {}}
    return {"id": number, "title": group.title, "bounding": list(group.box), **look}


def saved_node(node: Node, links: list[list], place: int) -> dict[str, Any]:
    """A node's entry; `links` are all of the sheet's."""
    saved = {
        "id": node.id,
        "type": node.kind,
        "pos": list(node.pos),
        "size": list(node.size),
        "flags": {},
        "order": place,
        "mode": 0,
        "inputs": [saved_input(node, links, slot, *entry) for slot, entry in enumerate(slots(node))],
        "outputs": saved_outputs(node, links),
        "properties": properties(node),
        "widgets_values": stored_values(node.info, plain(node.given)),
    }
    if node.title:
        saved["title"] = node.title
    return saved


def saved_input(node: Node, links: list[list], slot: int, name: str, spec: Any) -> dict[str, Any]:
    link = next((link for link in links if link[3:5] == [node.id, slot]), None)
    kind = "COMBO" if isinstance(spec[0], list) else spec[0]
    widget = {"widget": {"name": name}} if is_widget(spec) else {}
    return {"name": name, "type": kind, **widget, "link": link[0] if link else None}


def saved_outputs(node: Node, links: list[list]) -> list[dict[str, Any]]:
    outputs = zip(node.info["output_name"], node.info.get("output", ()), strict=True)
    return [
        {"name": name, "type": kind, "links": [link[0] for link in links if link[1:3] == [node.id, slot]]}
        for slot, (name, kind) in enumerate(outputs)
    ]


def properties(node: Node) -> dict[str, Any]:
    if node.kind == NOTE:
        return {}
    made: dict[str, Any] = {"Node name for S&R": node.kind}
    made |= {"cnr_id": "jano"} if node.info["python_module"] == "custom_nodes.jano" else {"cnr_id": "comfy-core"}
    offered = [file.entry() for file in node.files() if file.url]
    return made | ({"models": offered} if offered else {})


def plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values among what was given, files by their names."""
    return {
        name: value.name if isinstance(value, File) else value
        for name, value in given.items()
        if not isinstance(value, Output)
    }
