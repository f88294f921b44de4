"""Stores and what is kept of them: tries, pauses, addresses, blocks, object stores through a file system of fsspec's."""

from __future__ import annotations

import errno
import logging
import os
from collections import Counter
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tellapart.cli.main import execute
from tellapart.errors import DataError, MissingFormat, SettingsError, StorageError
from tellapart.sources.remote import addresses
from tellapart.sources.remote.addresses import address_of, is_remote, secret_of, tell, tell_argument, without_secrets
from tellapart.sources.remote.blocks import BLOCK, Blocks, RemoteFile, limit_bytes
from tellapart.sources.remote.objects import ObjectStore
from tellapart.sources.remote.schemes import store_of
from tellapart.sources.remote.stores import MayPass, Stamped, again


@pytest.fixture(autouse=True)
def nothing_told() -> None:
    addresses.forget()


class Flaky:
    """Fails as told, then gives "done"."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    def __call__(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def test_pauses_grow_and_a_store_is_obeyed() -> None:
    pauses: list[float] = []
    tried = Flaky(MayPass("busy"), MayPass("busy"), MayPass("busy", 7.0), MayPass("busy", 1e9))
    assert again(tried, "s3://b/a", sleep=pauses.append) == "done"
    assert 0.37 < pauses[0] < 0.63
    assert 0.75 <= pauses[1] <= 1.25
    assert pauses[2:] == [7.0, 60.0]


def test_after_seven_tries_it_is_told_and_what_is_for_good_is_told_at_once() -> None:
    pauses: list[float] = []
    with pytest.raises(
        StorageError, match="s3://b/a cannot be read: busy, 7 times. Run the command again when it answers; what"
    ):
        again(Flaky(*[MayPass("busy", 0.0)] * 7), "s3://b/a", sleep=pauses.append)
    assert len(pauses) == 6
    with pytest.raises(FileNotFoundError):
        again(Flaky(FileNotFoundError()), "s3://b/a", sleep=pauses.append)
    assert len(pauses) == 6


def test_a_library_that_itself_tries_for_long_is_asked_three_times() -> None:
    clock = iter(range(0, 10_000, 45))  # each try takes 45 s
    with pytest.raises(StorageError, match="gs://b/a cannot be read: away, 3 times"):
        again(Flaky(*[MayPass("away")] * 7), "gs://b/a", sleep=lambda pause: None, now=lambda: float(next(clock)))
    assert (
        again(Flaky(*[MayPass("away")] * 2), "gs://b/a", sleep=lambda pause: None, now=lambda: float(next(clock)))
        == "done"
    )


@pytest.mark.parametrize(
    ("told", "address", "user", "query"),
    [
        ("s3://bucket/a.tar", "s3://bucket/a.tar", "", ""),
        ("https://me:word@host:8000/a.tar?sig=x&y=1#z", "https://host:8000/a.tar", "me:word", "sig=x&y=1"),
        ("HTTPS://host/a%20b.tar", "https://host/a%20b.tar", "", ""),
        ("s3://key:word@bucket/a.tar", "s3://bucket/a.tar", "key:word", ""),
        ("az://box/a.tar?sv=1&sig=x", "az://box/a.tar", "", "sv=1&sig=x"),
        ("gs://bucket/what?.tar", "gs://bucket/what?.tar", "", ""),
    ],
)
def test_an_address_is_told_without_its_secrets(told: str, address: str, user: str, query: str) -> None:
    assert tell(told) == address
    as_path = Path(address) / "cat" / "1.jpg"
    assert is_remote(as_path)
    assert secret_of(as_path) == (user, query)
    assert address_of(as_path) == f"{address}/cat/1.jpg"


def test_what_is_no_address_or_was_not_told_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_remote("s3://bucket/a.tar")
    assert tell("C:/pictures") == "C:/pictures"
    tell("s3://bucket/a")
    assert not is_remote("s3://bucket/ab/c.tar")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:" / "here").mkdir(parents=True)
    tell("s3://here")
    assert not is_remote("s3://here/a.tar")


def test_arguments_that_name_shards_lose_their_secrets_and_others_stay() -> None:
    assert tell_argument("https://u:p@h/a.tar?s=1") == "https://h/a.tar"
    assert tell_argument("--pictures=https://u:p@h/a-{0..9}.tar?s=1") == "--pictures=https://h/a-{0..9}.tar"
    for argument in ("https://h/cat.jpg?size=1", "--server=http://127.0.0.1:8501", "--set=a=b", "x"):
        assert tell_argument(argument) == argument


@pytest.mark.parametrize("arguments", [["--out", "s3://u:p@b/runs?t=1"], ["x", "--out=S3://b/runs", "--force"]])
def test_results_are_written_here_alone(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["shard", "pictures", *arguments]) == 2
    said = capsys.readouterr().err
    assert (
        "b/runs lies elsewhere, and results are written to this machine's disks alone. Name a folder here, and" in said
    )
    assert "u:p" not in said
    assert "t=1" not in said


def test_sentences_lose_the_secrets_of_addresses() -> None:
    said = "403, message='no', url='https://u:p@h/a.tar?sig=x', s3:/k:w@b/c?t=1 and what? http://h/d"
    assert without_secrets(said) == "403, message='no', url='https://h/a.tar', s3:/b/c and what? http://h/d"


class Counting:
    """A store with one file, which counts what it gives."""

    def __init__(self, data: bytes) -> None:
        self.data, self.given = data, Counter[int]()

    def look(self, address: str) -> Stamped:
        return Stamped(len(self.data), "one")

    def part(self, address: str, start: int, end: int) -> tuple[bytes, str]:
        self.given[start] += 1
        return self.data[start:end], "one"

    def names(self, address: str) -> list[str]:
        return [address]


def test_a_file_elsewhere_reads_as_one_here(tmp_path: Path) -> None:
    data = bytes(range(256)) * (2 * BLOCK // 256) + b"end"
    store = Counting(data)
    file = RemoteFile("s3:/b/a", store.look(""), store, Blocks(lambda: tmp_path, lambda: 10**9))
    assert file.read(5) == data[:5]
    file.seek(-3, 2)
    assert file.read() == b"end"
    file.seek(BLOCK - 2)
    assert (file.read(4), file.tell()) == (data[BLOCK - 2 : BLOCK + 2], BLOCK + 2)
    assert file.seek(0) == 0
    assert file.read() == data
    assert set(store.given.values()) == {1}
    again = RemoteFile("s3:/b/a", store.look(""), store, Blocks(lambda: tmp_path, lambda: 10**9))
    assert again.read() == data
    assert set(store.given.values()) == {1}


def test_what_is_kept_stays_under_its_limit_and_what_was_used_last_stays(tmp_path: Path) -> None:
    limit = 40 * BLOCK
    kept = Blocks(lambda: tmp_path, lambda: limit)
    for number in range(100):
        kept.get("ab" * 20, number, BLOCK, lambda: bytes(BLOCK))
    sizes = [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()]
    assert sum(sizes) <= limit
    assert (tmp_path / "ab" / f"{'ab' * 20}-99").exists()
    assert not (tmp_path / "ab" / f"{'ab' * 20}-0").exists()


def test_the_limit_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_REMOTE_GB", "0.5")
    assert limit_bytes() == 500_000_000
    monkeypatch.setenv("TELLAPART_REMOTE_GB", "much")
    with pytest.raises(
        SettingsError, match="TELLAPART_REMOTE_GB is 'much'; it must be a number from 0 on. Set it to 5"
    ):
        limit_bytes()


class NoCredentialsError(Exception):
    """As botocore calls it."""


class ClientAuthenticationError(Exception):
    """As azure.core calls it."""


class Bucket(MemoryFileSystem):  # type: ignore[misc]
    """fsspec's memory, which fails as told."""

    store: ClassVar[dict[str, object]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    fault: Exception | None = None

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **more: object) -> bytes:
        if self.fault is not None:
            raise self.fault
        return bytes(super().cat_file(path, start=start, end=end))


@pytest.fixture
def bucket() -> Bucket:
    files = Bucket(skip_instance_cache=True)
    files.pipe_file("/bucket/a/1.tar", b"0123456789")
    files.pipe_file("/bucket/a/b/2.tar", b"x")
    return files


def test_an_object_store_gives_parts_and_names(bucket: Bucket) -> None:
    store = ObjectStore("s3", bucket)
    found = store.look("s3://bucket/a/1.tar")
    assert found.size == 10
    assert found.stamp
    assert store.part("s3://bucket/a/1.tar", 2, 5) == (b"234", "")
    assert [name.replace(":///", "://") for name in store.names("s3://bucket/a")] == [
        "s3://bucket/a/1.tar",
        "s3://bucket/a/b/2.tar",
    ]
    with pytest.raises(FileNotFoundError, match="no such file"):
        store.look("s3://bucket/none.tar")
    with pytest.raises(IsADirectoryError, match="a folder, and no file"):
        store.look("s3://bucket/a")
    with pytest.raises(MayPass, match="the store gave less than was asked for"):
        store.part("s3://bucket/a/1.tar", 5, 20)


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (TimeoutError("late"), MayPass, "late"),
        (OSError(errno.EBUSY, "SlowDown"), MayPass, "SlowDown"),
        (
            PermissionError("Forbidden https://h/a?sig=x"),
            PermissionError,
            "the store refuses it: Forbidden https://h/a$",
        ),
        (NoCredentialsError("Unable to locate credentials"), PermissionError, "the store refuses it: Unable to locate"),
        (ClientAuthenticationError("no token"), PermissionError, "the store refuses it: no token"),
    ],
)
def test_what_an_object_store_says(bucket: Bucket, fault: Exception, kind: type[Exception], said: str) -> None:
    bucket.fault = fault
    with pytest.raises(kind, match=said):
        ObjectStore("s3", bucket).part("s3://bucket/a/1.tar", 0, 1)


def test_without_its_package_an_address_says_which_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(scheme: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "filesystem", none)
    store_of.cache_clear()
    with pytest.raises(
        MissingFormat, match=r"an address that begins with s3:// needs the package 's3fs', .*tellapart\[remote\]"
    ):
        store_of("s3")


def test_a_store_without_an_account_is_told_and_its_library_says_nothing_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(scheme: str) -> None:
        raise ValueError("Must provide either a connection_string or account_name with credentials!!")

    monkeypatch.setattr(fsspec, "filesystem", none)
    monkeypatch.setattr(logging.getLogger("azure"), "level", logging.NOTSET)
    monkeypatch.setattr(logging.getLogger("gcsfs"), "level", logging.DEBUG)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.delenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", raising=False)
    store_of.cache_clear()
    with pytest.raises(
        StorageError,
        match=r"az:// cannot be used: Must provide either .*\. Set AZURE_STORAGE_CONNECTION_STRING, or AZURE",
    ):
        store_of("az")
    assert [logging.getLogger(name).level for name in ("azure", "gcsfs")] == [logging.CRITICAL, logging.DEBUG]
    assert os.environ.pop("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT") == "false"


def test_a_folder_of_a_store_is_one_data_set(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.data.several import find_several

    monkeypatch.setattr(fsspec, "filesystem", lambda scheme: bucket)
    store_of.cache_clear()
    bucket.pipe_file("/bucket/notes/a.md", b"none")
    tell("s3://bucket/notes")
    with pytest.raises(
        DataError, match=r"holds 1 files and no shard: none ends with \.tar, .* `tellapart shard`, and put the shards"
    ):
        find_several(Path("s3://bucket/notes"))
    store_of.cache_clear()


def test_a_folder_of_too_many_files_is_refused(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "find", lambda path: ["bucket/a"] * 1_000_001)
    with pytest.raises(OSError, match="it holds more than 1,000,000 files, the limit"):
        ObjectStore("s3", bucket).names("s3://bucket")
