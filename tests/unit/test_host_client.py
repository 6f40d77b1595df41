"""What the client makes of the server's answers about failed prompts."""

import pytest
from comfyui_jano.host.client import PromptError, PromptInterruptedError, raise_failure, refusal_text

NODE = {"node_id": "7", "node_type": "KSampler"}


def test_a_success_raises_nothing() -> None:
    raise_failure({"status_str": "success", "messages": [["execution_start", {}], ["execution_success", {}]]})


def test_a_nodes_error_text_comes_through() -> None:
    error = NODE | {"exception_type": "ValueError", "exception_message": "too small\n", "traceback": ["line 1\n"]}
    with pytest.raises(PromptError, match=r"^node 7 \(KSampler\): ValueError: too small\nline 1"):
        raise_failure({"status_str": "error", "messages": [["execution_error", error]]})


def test_an_interruption_is_its_own_error() -> None:
    with pytest.raises(PromptInterruptedError, match="interrupted in node 7"):
        raise_failure({"status_str": "error", "messages": [["execution_interrupted", NODE]]})


def test_a_refused_prompt_lists_every_complaint() -> None:
    missing = {"message": "Required input is missing", "details": "images"}
    answer = {
        "error": {"message": "Prompt outputs failed validation", "details": ""},
        "node_errors": {"2": {"class_type": "PreviewImage", "errors": [missing]}},
    }
    assert refusal_text(answer).splitlines() == [
        "Prompt outputs failed validation",
        "node 2 (PreviewImage): Required input is missing: images",
    ]
