"""Saved workflows turned into prompts: positions to names, and everything the editor resolves before it sends."""

from typing import Any

import pytest
from comfyui_jano.host.workflow import stored_values, to_prompt, widget_values

MUTED, BYPASSED = 2, 4
OBJECT_INFO = {
    "Load": {
        "display_name": "Load Model",
        "input": {"required": {"name": [["a.safetensors", "b.safetensors"], {}]}},
        "input_order": {"required": ["name"]},
    },
    "Sample": {
        "display_name": "Sampler",
        "input": {
            "required": {
                "seed": ["INT", {"control_after_generate": True}],
                "model": ["MODEL"],
                "steps": ["INT", {"default": 20}],
                "sampler": ["COMBO", {"options": ["euler"]}],
            },
            "optional": {"mask": ["MASK"], "strength": ["FLOAT", {}], "wired": ["INT", {"forceInput": True}]},
        },
        # The order of the mapping above is not the editor's.
        "input_order": {"required": ["model", "seed", "steps", "sampler"], "optional": ["mask", "strength", "wired"]},
    },
    "Resize": {
        "display_name": "Resize",
        "input": {
            "required": {
                "how": [
                    "COMFY_DYNAMICCOMBO_V3",
                    {
                        "options": [
                            {"key": "by factor", "inputs": {"required": {"factor": ["FLOAT", {}]}}},
                            {"key": "to size", "inputs": {"required": {"width": ["INT", {}], "image": ["IMAGE"]}}},
                        ]
                    },
                ],
                "sizes": ["COMFY_MULTICOMBO", {}],
                "filter": ["COMBO", {}],
            }
        },
    },
}


def node(node_id: Any, kind: str, values: Any = (), inputs: Any = (), outputs: Any = (), **more: Any) -> dict[str, Any]:
    """A saved node; inputs are (name, type, link id) and outputs types."""
    slots = [{"name": name, "type": type_, "link": link} for name, type_, link in inputs]
    ends = [{"name": type_, "type": type_} for type_ in outputs]
    return {"id": node_id, "type": kind, "widgets_values": values, "inputs": slots, "outputs": ends, "mode": 0} | more


def sampler(link: int | None, **more: Any) -> dict[str, Any]:
    return node(2, "Sample", [7, "randomize", 20, "euler", 0.5], [("model", "MODEL", link)], **more)


def prompt_of(*nodes: dict[str, Any], links: Any = ()) -> dict[str, Any]:
    return to_prompt({"nodes": list(nodes), "links": list(links)}, OBJECT_INFO)


LOAD = node(1, "Load", ["b.safetensors"], outputs=["MODEL"])
LOADED = [1, 1, 0, 2, 0, "MODEL"]


def test_widgets_are_named_in_the_editors_order_and_seed_control_is_dropped() -> None:
    values = widget_values(sampler(None), OBJECT_INFO["Sample"])
    assert values == {"seed": 7, "steps": 20, "sampler": "euler", "strength": 0.5}


def test_a_seed_saved_without_control_keeps_the_positions() -> None:
    values = widget_values({"widgets_values": [7, 20, "euler"]}, OBJECT_INFO["Sample"])
    assert values == {"seed": 7, "steps": 20, "sampler": "euler"}


def test_widgets_saved_by_name_are_taken_as_they_are() -> None:
    assert widget_values({"widgets_values": {"steps": 3}}, OBJECT_INFO["Sample"]) == {"steps": 3}


def test_values_behind_the_last_widget_are_ignored() -> None:
    assert widget_values({"widgets_values": ["a.safetensors", "image", None]}, OBJECT_INFO["Load"]) == {
        "name": "a.safetensors"
    }


@pytest.mark.parametrize(
    ("saved", "inner"),
    [(["by factor", 1.5, "area"], {"how.factor": 1.5}), (["to size", 64, "area"], {"how.width": 64})],
)
def test_a_dynamic_combo_brings_the_widgets_of_its_choice(saved: list, inner: dict[str, Any]) -> None:
    values = widget_values({"widgets_values": saved}, OBJECT_INFO["Resize"])
    assert values == {"how": saved[0], "filter": "area"} | inner


def test_a_type_unknown_here_is_a_widget_if_the_file_says_so() -> None:
    saved = {
        "widgets_values": ["by factor", 2, ["a", "b"], "area"],
        "inputs": [{"name": "sizes", "type": "X", "widget": {"name": "sizes"}}],
    }
    assert widget_values(saved, OBJECT_INFO["Resize"])["sizes"] == ["a", "b"]


def test_a_connected_graph_becomes_a_prompt() -> None:
    assert prompt_of(LOAD, sampler(1, title="Draw"), links=[LOADED]) == {
        "1": {"class_type": "Load", "inputs": {"name": "b.safetensors"}, "_meta": {"title": "Load Model"}},
        "2": {
            "class_type": "Sample",
            "inputs": {"seed": 7, "steps": 20, "sampler": "euler", "strength": 0.5, "model": ["1", 0]},
            "_meta": {"title": "Draw"},
        },
    }


def test_links_saved_by_name_are_understood() -> None:
    link = {"id": 1, "origin_id": 1, "origin_slot": 0, "target_id": 2, "target_slot": 0, "type": "MODEL"}
    assert prompt_of(LOAD, sampler(1), links=[link])["2"]["inputs"]["model"] == ["1", 0]


def test_notes_and_muted_nodes_are_left_out_with_their_links() -> None:
    prompt = prompt_of(LOAD | {"mode": MUTED}, sampler(1), node(3, "Note"), node(4, "MarkdownNote"), links=[LOADED])
    assert list(prompt) == ["2"]
    assert "model" not in prompt["2"]["inputs"]


def test_a_link_to_a_widget_replaces_its_value() -> None:
    count = node(3, "Sample", [1], outputs=["INT"])
    wired = node(2, "Sample", [7, "fixed", 20, "euler"], [("steps", "INT", 9)])
    assert prompt_of(count, wired, links=[[9, 3, 0, 2, 0, "INT"]])["2"]["inputs"]["steps"] == ["3", 0]


def test_a_muted_source_leaves_the_widgets_own_value() -> None:
    count = node(3, "Sample", [1], outputs=["INT"], mode=MUTED)
    wired = node(2, "Sample", [7, "fixed", 20, "euler"], [("steps", "INT", 9)])
    assert prompt_of(count, wired, links=[[9, 3, 0, 2, 0, "INT"]])["2"]["inputs"]["steps"] == 20


def test_a_primitive_gives_its_value() -> None:
    primitive = node(3, "PrimitiveNode", [44, "fixed"], outputs=["INT"])
    wired = node(2, "Sample", [7, "fixed", 20, "euler"], [("steps", "INT", 9)])
    prompt = prompt_of(primitive, wired, links=[[9, 3, 0, 2, 0, "INT"]])
    assert list(prompt) == ["2"]
    assert prompt["2"]["inputs"]["steps"] == 44


def test_reroutes_are_looked_through() -> None:
    reroutes = [node(i, "Reroute", inputs=[("", "*", i)], outputs=["MODEL"]) for i in (3, 4)]
    links = [[3, 1, 0, 3, 0, "*"], [4, 3, 0, 4, 0, "*"], [1, 4, 0, 2, 0, "MODEL"]]
    prompt = prompt_of(LOAD, *reroutes, sampler(1), links=links)
    assert list(prompt) == ["1", "2"]
    assert prompt["2"]["inputs"]["model"] == ["1", 0]


def test_a_bypassed_node_passes_on_its_input_of_the_same_type() -> None:
    inputs = [("image", "IMAGE", None), ("model", "MODEL", 3)]
    patch = node(3, "Unknown", inputs=inputs, outputs=["MODEL"], mode=BYPASSED)
    prompt = prompt_of(LOAD, patch, sampler(1), links=[[3, 1, 0, 3, 1, "MODEL"], [1, 3, 0, 2, 0, "MODEL"]])
    assert list(prompt) == ["1", "2"]
    assert prompt["2"]["inputs"]["model"] == ["1", 0]


def test_a_bypassed_node_prefers_the_input_in_the_same_slot() -> None:
    two = node(3, "Unknown", inputs=[("a", "MODEL", 4), ("b", "MODEL", 3)], outputs=["MODEL", "MODEL"], mode=BYPASSED)
    other = LOAD | {"id": 5}
    links = [[3, 1, 0, 3, 1, "MODEL"], [4, 5, 0, 3, 0, "MODEL"], [1, 3, 1, 2, 0, "MODEL"]]
    assert prompt_of(LOAD, other, two, sampler(1), links=links)["2"]["inputs"]["model"] == ["1", 0]


def test_a_list_is_not_taken_for_a_link() -> None:
    saved = node(1, "Load", [["a", 0]])
    assert prompt_of(saved)["1"]["inputs"]["name"] == {"__value__": ["a", 0]}


def test_an_unknown_node_is_named() -> None:
    with pytest.raises(ValueError, match="node 1 is a Nowhere, which this ComfyUI does not know"):
        prompt_of(node(1, "Nowhere"))


def test_subgraphs_are_refused() -> None:
    with pytest.raises(ValueError, match="uses subgraphs"):
        to_prompt({"nodes": [], "links": [], "definitions": {"subgraphs": [{}]}}, OBJECT_INFO)


CRF = {"required": {"crf": ["FLOAT", {"default": 23.0}]}}
CODEC = {"options": [{"key": "auto", "inputs": {}}, {"key": "h264", "inputs": CRF}]}
SAVER = {
    "input": {
        "required": {
            "video": ["VIDEO", {}],
            "seed": ["INT", {"default": 0}],
            "prefix": ["STRING", {}],
            "rate": ["FLOAT,INT", {"default": 25.0, "widgetType": "FLOAT"}],
            "format": [["auto", "mp4"], {}],
            "codec": ["COMFY_DYNAMICCOMBO_V3", CODEC],
        }
    }
}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({}, [0, "fixed", "", 25.0, "auto", "auto"]),
        ({"seed": 7, "codec": "h264"}, [7, "fixed", "", 25.0, "auto", "h264", 23.0]),
        ({"codec": "h264", "codec.crf": 18.0, "rate": 16}, [0, "fixed", "", 16, "auto", "h264", 18.0]),
    ],
)
def test_values_are_stored_as_the_editor_does(given: dict, stored: list) -> None:
    assert stored_values(SAVER, given) == stored
    found = widget_values({"widgets_values": stored}, SAVER)
    assert found.items() >= given.items()
    assert list(found)[:5] == ["seed", "prefix", "rate", "format", "codec"]
