"""The client against the real server: results, errors, interruption, and a workflow as the editor saves it."""

import pytest
from comfyui_jano.host.client import PromptError, PromptInterruptedError
from comfyui_jano.host.location import Host
from comfyui_jano.host.server import Server, ServerStartError
from comfyui_jano.host.workflow import to_prompt

IMAGE = {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 32, "batch_size": 1, "color": 255}}
SHOWN = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
PNG = b"\x89PNG"


def wait_for(seconds: float) -> dict:
    return {"1": {"class_type": "JanoProbeWait", "inputs": {"seconds": seconds}}}


def test_a_prompt_makes_an_image(server: Server) -> None:
    outputs = server.run({"1": IMAGE, "2": SHOWN})
    (ref,) = outputs["2"]["images"]
    assert server.image(ref).startswith(PNG)


def test_the_servers_own_clock_is_read(server: Server) -> None:
    prompt_id = server.queue(wait_for(0.25))
    server.wait(prompt_id)
    assert 0.25 <= server.seconds(prompt_id) < 5


def test_waiting_ticks(server: Server) -> None:
    ticks: list[float] = []
    server.run(wait_for(0.3), tick=ticks.append)
    assert len(ticks) >= 2
    assert ticks == sorted(ticks)


def test_a_missing_input_names_the_node(server: Server) -> None:
    with pytest.raises(PromptError, match=r"node 2 \(PreviewImage\): Required input is missing: images"):
        server.run({"2": {"class_type": "PreviewImage", "inputs": {}}})


def test_a_failing_node_is_quoted(server: Server) -> None:
    with pytest.raises(PromptError, match=r"node 1 \(JanoProbeFail\): RuntimeError: as asked"):
        server.run({"1": {"class_type": "JanoProbeFail", "inputs": {"text": "as asked"}}})


def test_an_interrupted_prompt_says_so_and_the_next_one_runs(server: Server) -> None:
    prompt_id = server.queue(wait_for(30))
    with pytest.raises(PromptInterruptedError, match="JanoProbeWait"):
        server.wait(prompt_id, timeout=20, tick=lambda _: server.interrupt())
    server.run(wait_for(0.01))


def test_waiting_ends_with_the_time_given(server: Server) -> None:
    prompt_id = server.queue(wait_for(1))
    with pytest.raises(TimeoutError, match="not done after 0 s"):
        server.wait(prompt_id, timeout=0.1)
    server.wait(prompt_id)


def test_a_saved_workflow_runs(server: Server) -> None:
    inputs = [{"name": "images", "type": "IMAGE", "link": 5}]
    workflow = {
        "nodes": [
            {"id": 1, "type": "EmptyImage", "widgets_values": [64, 32, 2, 255]},
            {"id": 3, "type": "MarkdownNote", "widgets_values": ["# A note"]},
            {"id": 2, "type": "PreviewImage", "inputs": inputs, "widgets_values": []},
        ],
        "links": [[5, 1, 0, 2, 0, "IMAGE"]],
    }
    outputs = server.run(to_prompt(workflow, server.object_info()))
    assert len(outputs["2"]["images"]) == 2


def test_a_wrong_option_is_shown_with_comfyuis_words(host: Host, tmp_path) -> None:
    with pytest.raises(ServerStartError, match="unrecognized arguments: --no-such-option"):
        Server(host, tmp_path, packs={}, options=["--no-such-option"]).start()
