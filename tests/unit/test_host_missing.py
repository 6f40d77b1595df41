"""A test run without ComfyUI fails with one sentence; it never skips."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from comfyui_jano.host.location import ROOT


@pytest.mark.parametrize("tests", ["tests", "tests/host", "tests/unit/test_host_client.py"])
def test_a_run_without_comfyui_fails_with_one_sentence(tmp_path: Path, tests: str) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", tests]
    environ = os.environ | {"COMFYUI_PATH": str(tmp_path)}
    run = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith(f"jano: there is no ComfyUI in {tmp_path}: run `make test`")
    assert run.stderr.count("\n") == 1
