"""A real Chromium before a real ComfyUI server with this pack; without a Chromium these tests fail, never skip."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
    options = ["--preview-method", "latent2rgb"]
    server = Server(host, tmp_path_factory.mktemp("web"), PACKS, options=options, threads=1)  # Chromium has the other
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


def new_editor(chromium: object, server: Server, vue: bool) -> Editor:
    """An editor with storage of its own."""
    return Editor(chromium.new_context(viewport=SIZE, locale="en-US").new_page(), server.url, SHOTS, vue)


def opened_editors(chromium: object) -> Iterator[object]:
    """Opens editors of people who come new to a server; in the end none may have complained."""
    opened: list[Editor] = []

    def open_on(server: Server, vue: bool = False) -> Editor:
        opened.append(new_editor(chromium, server, vue))
        return opened[-1]

    yield open_on
    for editor in opened:
        complaints = editor.complaints
        editor.page.context.close()
        assert complaints == []


open_editor = pytest.fixture(opened_editors)
keep_editor = pytest.fixture(opened_editors, scope="module")


@pytest.fixture(scope="session")
def desks() -> dict[bool, Editor]:
    """The editor that stays open, by its renderer: to open one is 9 s of computing, more than most tests need, and each
    that is open draws on, a fifth of a core, though nobody looks at it."""
    return {}


@pytest.fixture
def desk_of(
    request: pytest.FixtureRequest, chromium: object, web_server: Server, desks: dict[bool, Editor]
) -> Iterator[Callable[[bool], Editor]]:
    """The editor of a renderer that earlier tests have worked at; every workflow that is loaded gets a tab of its own.

    It may complain in none of them. One at which a test failed is not handed on.
    """
    failed, used = request.session.testsfailed, []

    def take(vue: bool) -> Editor:
        if vue in desks:
            desks[vue].tidy()
        else:
            close(desks, not vue)
            desks[vue] = new_editor(chromium, web_server, vue)
        used.append(vue)
        return desks[vue]

    yield take
    complaints = [complaint for vue in used for complaint in desks[vue].complaints]
    has_failed = complaints or request.session.testsfailed > failed
    for vue in used if has_failed else ():
        close(desks, vue)
    assert complaints == []


def close(desks: dict[bool, Editor], vue: bool) -> None:
    if vue in desks:
        desks.pop(vue).page.context.close()


@pytest.fixture(params=[False, True], ids=["canvas", "vue"])
def desk(request: pytest.FixtureRequest, desk_of: Callable[[bool], Editor]) -> Editor:
    """The editor in each of the frontend's two renderers."""
    return desk_of(request.param)
