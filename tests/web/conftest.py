"""A real Chromium before a real ComfyUI server with this pack; without a Chromium these tests fail, never skip."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from comfyui_jano.host.browser import OPTIONS, find_browser
from comfyui_jano.host.location import ROOT, Host
from comfyui_jano.host.server import PACKS, Server
from comfyui_jano.tests.stand_ins import write_files
from comfyui_jano.tests.web.editor import Editor

SHOTS = ROOT / "build" / "web"
SIZE = {"width": 1500, "height": 900}


@pytest.fixture(scope="session")
def web_server(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(host, tmp_path_factory.mktemp("web"), PACKS, options=["--preview-method", "latent2rgb"])
    write_files(server.base)
    with server:
        yield server


@pytest.fixture(scope="session")
def bare_server(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ComfyUI of someone who does not have this pack."""
    with Server(host, tmp_path_factory.mktemp("bare"), packs={}) as server:
        yield server


@pytest.fixture(scope="session")
def chromium(host: Host) -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    path = find_browser(host.python)
    if path is None:
        pytest.fail("there is no Chromium: run `make test`, which installs one, or set JANO_BROWSER", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(path), args=list(OPTIONS))
        yield browser
        browser.close()


def opened_editors(chromium: object) -> Iterator[object]:
    """Opens editors on a server, each with storage of its own; in the end none may have complained."""
    opened: list[Editor] = []

    def open_on(server: Server, vue: bool = False) -> Editor:
        context = chromium.new_context(viewport=SIZE, locale="en-US")
        opened.append(Editor(context.new_page(), server.url, SHOTS, vue))
        return opened[-1]

    yield open_on
    for editor in opened:
        complaints = editor.complaints
        editor.page.context.close()
        assert complaints == []


open_editor = pytest.fixture(opened_editors)
keep_editor = pytest.fixture(opened_editors, scope="module")  # for tests that each open a workflow of their own


@pytest.fixture(params=[False, True], ids=["canvas", "vue"])
def editor(request: pytest.FixtureRequest, open_editor: object, web_server: Server) -> Editor:
    """The editor in each of the frontend's two renderers."""
    return open_editor(web_server, vue=request.param)


@pytest.fixture(scope="module", params=[False, True], ids=["canvas", "vue"])
def desk(request: pytest.FixtureRequest, keep_editor: object, web_server: Server) -> Editor:
    """The same for all tests of a file: every workflow that is loaded gets a tab of its own."""
    return keep_editor(web_server, vue=request.param)
