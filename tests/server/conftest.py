"""One ComfyUI server for all tests of this folder, with this repository as its node pack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from comfyui_jano.host.server import DEMO_MODELS, PACKS, Server


@pytest.fixture(scope="session")
def server(host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server; it starts once, at the first test that asks for it."""
    packs = {name: folder for name, folder in PACKS.items() if folder.is_dir()}
    packs["jano_probe"] = Path(__file__).parent / "probe_pack"
    models = DEMO_MODELS if DEMO_MODELS.is_dir() else None
    with Server(host, tmp_path_factory.mktemp("server"), packs, models) as running:
        yield running
