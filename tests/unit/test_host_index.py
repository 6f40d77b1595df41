"""One file of an index by its name: found on pages of either kind and in folders, and nothing of it run."""

import base64
import http.server
import io
import json
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfyui_jano.host import index
from comfyui_jano.host.index import HostError, download, places, read_settings

FILE = "the_package-1.0.tar.gz"
CONTENT = b"an archive"
SECRET = base64.b64encode(b"name:pass word").decode()


class Pages(http.server.BaseHTTPRequestHandler):
    """An index that has the package, as HTML, as JSON, behind a password, or not at all; it notes what it was asked."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        kind, _, rest = self.path[1:].partition("/")
        body = {
            "html/the-package/": f'<a href="../../files/{FILE}#sha256=1">x</a>'.encode(),
            "json/the-package/": json.dumps({"files": [{"url": f"/files/{FILE}"}]}).encode(),
            "locked/the-package/": f'<a href="/files/{FILE}">x</a>'.encode(),
            f"files/{FILE}": CONTENT,
        }.get(f"{kind}/{rest}")
        if kind == "locked" and self.headers["Authorization"] != f"Basic {SECRET}":
            body = None
        self.send_response(404 if body is None else 200)
        as_json = kind == "json" and "json" in self.headers["Accept"]
        self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json" if as_json else "text/html")
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Nothing to the terminal."""


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    pages = type("Asked", (Pages,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), pages) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def fetch(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> bytes:
    told = {name.replace("_", "-"): value for name, value in settings.items()}
    monkeypatch.setattr(index, "pip_settings", lambda _: told)
    download(Path(sys.prefix), "the-package", FILE, folder)
    return (folder / FILE).read_bytes()


@pytest.mark.parametrize("kind", ["html", "json"])
def test_a_page_of_either_kind_names_the_file(server, tmp_path: Path, monkeypatch, kind: str) -> None:
    assert fetch(tmp_path, monkeypatch, index_url=f"http://127.0.0.1:{server.server_port}/{kind}") == CONTENT
    assert server.RequestHandlerClass.asked == [f"/{kind}/the-package/", f"/files/{FILE}"]


def test_a_password_in_the_address_goes_into_a_header(server, tmp_path: Path, monkeypatch) -> None:
    address = f"http://name:pass%20word@127.0.0.1:{server.server_port}/locked"
    assert fetch(tmp_path, monkeypatch, index_url=address) == CONTENT


def test_an_index_that_lacks_it_is_passed_over_for_the_next(server, tmp_path: Path, monkeypatch) -> None:
    address = f"http://127.0.0.1:{server.server_port}"
    assert fetch(tmp_path, monkeypatch, index_url=f"{address}/none", extra_index_url=f"{address}/html") == CONTENT


@pytest.mark.parametrize("page", ["", f'<a href="../../files/{FILE}#sha256=1">x</a>'])
def test_indexes_and_folders_on_this_machine(tmp_path: Path, monkeypatch, page: str) -> None:
    folder = tmp_path / "simple" / "the-package"
    (tmp_path / "files").mkdir()
    folder.mkdir(parents=True)
    if page:
        (folder / "index.html").write_text(page)
    ((tmp_path / "files" if page else folder) / FILE).write_bytes(CONTENT)
    nowhere = (tmp_path / "nowhere").as_uri()
    found = fetch(tmp_path, monkeypatch, index_url=nowhere, extra_index_url=(tmp_path / "simple").as_uri())
    assert found == CONTENT
    if not page:
        assert fetch(tmp_path, monkeypatch, no_index="true", find_links=str(folder)) == CONTENT


def test_what_no_index_has_is_one_sentence(server, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(HostError, match=f"^the package index has no {FILE}; run it again, or set COMFYUI_PATH"):
        fetch(tmp_path, monkeypatch, index_url=f"http://127.0.0.1:{server.server_port}/none")
    assert not (tmp_path / FILE).exists()


def test_an_index_that_cannot_be_reached_is_one_sentence_without_its_password(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(HostError) as refusal:
        fetch(tmp_path, monkeypatch, index_url="http://name:secret@127.0.0.1:1/simple")
    assert str(refusal.value).startswith("the package index cannot be reached (127.0.0.1: ")
    assert "secret" not in str(refusal.value)


def test_settings_are_pips_own_and_the_environments_count_most() -> None:
    listed = """:env:.index-url='https://environment/simple'
global.index-url='https://file/simple'
download.extra-index-url='\\nhttps://one/simple\\nhttps://two/simple'
install.index-url='https://not-for-downloads/simple'
"""
    settings = read_settings(listed)
    assert settings["index-url"] == "https://environment/simple"
    assert list(places(settings, "a-package")) == [
        "https://environment/simple/a-package/",
        "https://one/simple/a-package/",
        "https://two/simple/a-package/",
    ]
    assert list(places({}, "a-package")) == ["https://pypi.org/simple/a-package/"]


def test_pip_itself_is_asked(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://mirror/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    assert index.pip_settings(Path(sys.prefix))["index-url"] == "https://mirror/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://closer/simple")
    assert index.pip_settings(Path(sys.prefix))["index-url"] == "https://closer/simple"


def test_nothing_of_the_archive_is_run(tmp_path: Path, monkeypatch) -> None:
    folder, marker = tmp_path / "simple" / "the-package", tmp_path / "it ran"
    folder.mkdir(parents=True)
    setup = f"open({str(marker)!r}, 'w').close()\n".encode()
    with tarfile.open(folder / FILE, "w:gz") as tar:
        for name, content in (("setup.py", setup), ("PKG-INFO", b"Name: the-package\nVersion: 1.0\n")):
            member = tarfile.TarInfo(f"the_package-1.0/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    index_url = (tmp_path / "simple").as_uri()
    assert fetch(tmp_path, monkeypatch, index_url=index_url) == (folder / FILE).read_bytes()
    assert not marker.exists()
