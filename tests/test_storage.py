"""Files whole or not at all. In: full disks, forbidden folders. Out: StorageError and nothing half-written."""

from __future__ import annotations

import errno
import resource
import signal
import stat
from pathlib import Path

import pytest

from tellapart.errors import SettingsError, StorageError
from tellapart.storage import (
    cache_folder,
    cache_limit_bytes,
    check_replaceable,
    is_own,
    own_folder,
    replacing,
    storage_errors,
    write_bytes,
    write_json,
)


def test_bytes_arrive_and_replace_the_old_ones(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "文件.bin"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [child.name for child in path.parent.iterdir()] == ["文件.bin"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError, match="killed"), replacing(path) as file:
        file.write(b"new, but only half")
        raise RuntimeError("killed")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_are_readable_by_the_users_group(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"")
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_file_beyond_the_limit_is_refused_with_nothing_left(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(StorageError, match="larger than this system"):
            write_bytes(tmp_path / "large", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full. Free some space"),
        (errno.EACCES, "permission is denied. Choose a folder"),
        (errno.EROFS, "read-only. Choose another folder"),
        (errno.EDQUOT, "quota is used up"),
        (errno.ENAMETOOLONG, "name is too long"),
        (errno.EIO, "the system says: Input/output error"),
    ],
)
def test_the_systems_refusals_say_what_to_do(tmp_path: Path, number: int, words: str) -> None:
    import os

    with pytest.raises(StorageError, match=words) as caught, storage_errors(tmp_path / "file"):
        raise OSError(number, os.strerror(number), str(tmp_path / "file"))
    assert str(tmp_path / "file") in str(caught.value)


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Choose another path"):
        write_bytes(tmp_path / "file" / "child", b"")
    assert (tmp_path / "file").read_bytes() == b""


def test_only_folders_of_ours_are_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    check_replaceable(folder, ours="ours.json")
    folder.mkdir()
    check_replaceable(folder, ours="ours.json")
    (folder / "cat.jpg").touch()
    with pytest.raises(StorageError) as caught:
        check_replaceable(folder, ours="ours.json")
    assert str(caught.value) == (
        f"{folder} holds other things than what this command writes, and to replace it would remove them. Choose another --out, or "
        "empty it first."
    )
    (folder / "ours.json").touch()
    check_replaceable(folder, ours="ours.json")


def test_json_has_no_nan_and_keeps_chinese(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not (tmp_path / "a.json").exists()
    write_json(tmp_path / "a.json", {"猫": 1})
    assert "猫" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("TELLAPART_CACHE")
    assert cache_folder().name == "tellapart"


@pytest.mark.parametrize("text", ["many", "0", "-1", "nan", "1e9"])
def test_a_senseless_cache_limit_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE_GB", text)
    with pytest.raises(
        SettingsError, match=f"TELLAPART_CACHE_GB is '{text}'; it must be a number above 0. Set it to 10"
    ):
        cache_limit_bytes()


def test_the_cache_limit_is_in_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE_GB", "0.5")
    assert cache_limit_bytes() == 500_000_000


def test_a_folder_of_ours_is_marked_only_where_nothing_is_in_it_yet(tmp_path: Path) -> None:
    own_folder(tmp_path / "deep" / "runs")
    own_folder(tmp_path / "deep" / "runs")
    assert is_own(tmp_path / "deep" / "runs")
    assert not is_own(tmp_path / "deep")
    users = tmp_path / "pictures"
    users.mkdir()
    (users / "cat.jpg").touch()
    own_folder(users)
    assert [file.name for file in users.iterdir()] == ["cat.jpg"]


def test_a_run_from_before_there_was_a_mark_is_ours_too(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").touch()
    assert not is_own(tmp_path)
    (tmp_path / "log.jsonl").touch()
    assert is_own(tmp_path)


def test_a_folder_of_ours_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot use .*file"):
        own_folder(tmp_path / "file")
