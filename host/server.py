"""A real ComfyUI, headless, in a base folder of its own, for as long as a ``with`` block lasts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .client import Client, ServerLostError
from .location import ROOT, Host
from .progress import last_line, tail

PACKS = {"jano": ROOT, "jano_demo": ROOT / "demo" / "nodes"}
DEMO_MODELS = ROOT / "demo" / "models"
DATABASE = "comfyui.db"
START_SECONDS = 180.0
STOP_SECONDS = 10.0
MODEL_FOLDERS = ("diffusion_models", "vae")
NOT_COPIED = (".*", "build", "__pycache__")


class ServerStartError(RuntimeError):
    """ComfyUI did not come up; the text ends with the end of its log."""


class Server(Client):
    """A ComfyUI process and the client that talks to it: ``with Server(host, base) as server: server.run(prompt)``.

    ``base``: the folder for its input, output, log and links; other content in it is left alone.
    ``packs``: folder name below custom_nodes -> what is linked there; PACKS if not given.
    ``models``: a folder of checkpoints, offered as diffusion models and as VAEs.
    ``options``: more command line options. ``cpu=False`` lets it use the GPU. ``threads``: OMP_NUM_THREADS, if given.
    ``api_nodes``: keep the nodes that call paid services, which are ComfyUI's default; without them its pages are not
    allowed to load anything from elsewhere.
    """

    def __init__(
        self,
        host: Host,
        base: Path,
        packs: Mapping[str, Path] = PACKS,
        models: Path | None = None,
        options: Sequence[str] = (),
        cpu: bool = True,
        threads: int | None = None,
        api_nodes: bool = False,
    ) -> None:
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}")
        self.host = host
        self.base = base.absolute()
        self.log = self.base / "server.log"
        self._options = [*(["--cpu"] if cpu else []), *([] if api_nodes else ["--disable-api-nodes"]), *options]
        self._threads = threads
        self._process: subprocess.Popen | None = None
        lay_out(self.base, packs, models)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return once it answers. ServerStartError with the end of the log if it does not."""
        command = launch_command(self.host, self.base, self.port, self._options)
        environ = launch_environ(os.environ, self._threads)
        with self.log.open("wb") as sink:
            self._process = subprocess.Popen(
                command,
                cwd=self.host.folder,
                env=environ,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._await_answer()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process; it gets ten seconds to do so by itself."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def last_line(self) -> str:
        """What the log says last: during sampling, the sampler's progress bar."""
        return last_line(self.log)

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.get_json("/system_stats")
            except ServerLostError:
                time.sleep(0.1)
            else:
                return
        status = self._process.poll()
        ending = f"did not answer within {START_SECONDS:.0f} s" if status is None else f"ended with status {status}"
        raise ServerStartError(f"ComfyUI in {self.host.folder} {ending}; the end of {self.log}:\n{tail(self.log)}")

    def _lost(self, error: OSError) -> str:
        return f"{super()._lost(error)}; the end of {self.log}:\n{tail(self.log)}"


def launch_command(host: Host, base: Path, port: int, options: Sequence[str]) -> list[str]:
    """The command line of a headless ComfyUI that keeps everything it writes below ``base``."""
    command = [str(host.python), str(host.folder / "main.py"), "--port", str(port), "--base-directory", str(base)]
    # Not sqlite's :memory:, of which ComfyUI 0.16 sees another one from each thread.
    command += ["--database-url", f"sqlite:///{base / DATABASE}", "--disable-auto-launch"]
    return [*command, *options]


def launch_environ(environ: Mapping[str, str], threads: int | None) -> dict[str, str]:
    """The environment for ComfyUI: ours, less what would keep main.py from finding its own modules."""
    kept = {name: value for name, value in environ.items() if name not in ("PYTHONSAFEPATH", "PYTHONPATH")}
    if threads is not None:
        kept["OMP_NUM_THREADS"] = str(threads)
    return kept | {"PYTHONUNBUFFERED": "1"}


def lay_out(base: Path, packs: Mapping[str, Path], models: Path | None) -> None:
    """Prepare a base folder: exactly these packs below custom_nodes, the models linked, no database yet."""
    custom_nodes = base / "custom_nodes"
    if custom_nodes.exists():
        for entry in custom_nodes.iterdir():
            remove(entry)
    remove(base / DATABASE)
    for name in ("custom_nodes", "models", "input", "output"):
        (base / name).mkdir(parents=True, exist_ok=True)
    for name, source in packs.items():
        link(source, custom_nodes / name)
    for name in MODEL_FOLDERS if models else ():
        remove(base / "models" / name)
        link(models, base / "models" / name)


def link(source: Path, target: Path) -> None:
    """Link a folder, or copy it where links are not allowed (Windows). FileNotFoundError if there is no such folder."""
    if not source.is_dir():
        raise FileNotFoundError(f"{source} is not a folder")
    try:
        target.symlink_to(source.absolute(), target_is_directory=True)
    except OSError:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*NOT_COPIED))


def remove(path: Path) -> None:
    """Remove a link, a file or a folder; never what a link points to."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


def free_port() -> int:
    """A TCP port on this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
