"""Starting and stopping a server, with a stand-in for ComfyUI's main.py that answers in a moment."""

import os
import sys
from pathlib import Path

import pytest
from comfyui_jano.host.client import ServerLostError
from comfyui_jano.host.location import Host
from comfyui_jano.host.server import Server, ServerStartError, launch_environ, lay_out, link

ANSWERS = """
import http.server, sys

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"path": "%s"}' % self.path.encode())

port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""
DIES = "print('\\x1b[31mno such option\\x1b[0m'); raise SystemExit(3)"


def host_that(folder: Path, main: str) -> Host:
    folder.mkdir(parents=True)
    (folder / "main.py").write_text(main)
    return Host(folder, Path(sys.executable), None)


def test_a_server_answers_until_it_is_stopped(tmp_path: Path) -> None:
    with Server(host_that(tmp_path / "host", ANSWERS), tmp_path / "base", packs={}) as server:
        assert server.get_json("/anything") == {"path": "/anything"}
    with pytest.raises(ServerLostError, match="no answer from http://127.0.0.1:"):
        server.get_json("/anything")


def test_an_error_inside_the_block_stops_it_too(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        Server(host_that(tmp_path / "host", ANSWERS), tmp_path / "base", packs={}) as server,
    ):
        raise ZeroDivisionError
    with pytest.raises(ServerLostError):
        server.get_json("/")


def test_a_server_that_dies_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = Server(host_that(tmp_path / "host", DIES), tmp_path / "base", packs={})
    with pytest.raises(ServerStartError, match=r"ended with status 3; the end of .*:\nno such option"):
        server.start()
    assert server.last_line() == "no such option"


def test_the_environment_keeps_comfyuis_own_modules_first() -> None:
    environ = launch_environ({"HOME": "/root", "PYTHONPATH": "/here", "PYTHONSAFEPATH": "1"}, threads=2)
    assert environ == {"HOME": "/root", "OMP_NUM_THREADS": "2", "PYTHONUNBUFFERED": "1"}


def test_the_base_holds_exactly_the_packs_asked_for(tmp_path: Path) -> None:
    base, pack = tmp_path / "base", tmp_path / "pack"
    pack.mkdir()
    (pack / "__init__.py").touch()
    lay_out(base, {"old": pack}, None)
    lay_out(base, {"new": pack}, None)
    assert [entry.name for entry in (base / "custom_nodes").iterdir()] == ["new"]
    assert (pack / "__init__.py").exists()


def test_models_are_offered_to_both_loaders(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "tiny.safetensors").touch()
    for _ in range(2):
        lay_out(tmp_path / "base", {}, models)
    found = sorted(path.parent.name for path in (tmp_path / "base" / "models").glob("*/tiny.safetensors"))
    assert found == ["diffusion_models", "vae"]


def test_a_missing_pack_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder"):
        link(tmp_path / "nowhere", tmp_path / "link")


def test_where_links_are_not_allowed_the_pack_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = tmp_path / "pack"
    for name in ("nodes/a.py", ".venv/big", "build/big"):
        (pack / name).parent.mkdir(parents=True, exist_ok=True)
        (pack / name).touch()
    monkeypatch.setattr(Path, "symlink_to", lambda *_, **__: (_ for _ in ()).throw(OSError("not allowed")))
    link(pack, tmp_path / "copy")
    assert sorted(os.listdir(tmp_path / "copy")) == ["nodes"]
