"""A cache that cannot be used ends nothing. In: homes without permission, full disks. Out: a warning, and the work done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.errors import StorageError
from tellapart.features.cache import Cache
from tellapart.features.caching import describe_cache, open_cache
from tellapart.reporter import Silent
from tellapart.storage import cache_folder


class Listener(Silent):
    """Keeps what it is warned of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def test_a_temporary_cache_stands_in_for_one_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "file" / "cache"))
    told = Listener()
    with open_cache(told) as cache:
        cache.put_many("embedding", {"a": b"1"})
        (warning,) = told.warnings
        assert str(tmp_path / "file") in warning
        assert "a part of the path is a file" in warning
        assert "Going on with a temporary cache" in warning
        assert cache_folder() == cache.path.parent, "networks and rows go there, too"
    with open_cache(told) as again:
        assert again.get_many("embedding", ["a"]) == {"a": b"1"}, (
            "a second training in the same process reuses the first's"
        )
    assert len(told.warnings) == 1
    assert cache_folder().is_dir()
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "good"))
    assert cache_folder() == tmp_path / "good"


def test_who_asks_about_the_cache_hears_that_it_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache.sqlite").mkdir()
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path))
    with pytest.raises(StorageError, match="cannot be used"):
        describe_cache()


def test_a_user_without_a_home_gets_a_temporary_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", "~nobody-of-this-name/cache")
    told = Listener()
    open_cache(told).close()
    assert "this user has no home folder. Set TELLAPART_CACHE" in told.warnings[0]
    assert not Path("~nobody-of-this-name").exists()


_FILLS_UP = """
import resource, signal
from pathlib import Path
from tellapart.features.cache import Cache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
told = []
with Cache(Path({folder!r}), limit_bytes=10**9, warn=told.append) as cache:
    cache.put_many("embedding", {{"early": b"1"}})
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    for number in range(3):
        cache.put_many("embedding", {{f"late {{number}}": bytes(1_000_000)}})
    print(len(told), cache.get_many("embedding", ["early", "late 0"]), told[0])
"""


def test_a_disk_that_becomes_full_is_told_once_and_what_was_kept_stays(tmp_path: Path) -> None:
    script = _FILLS_UP.format(folder=str(tmp_path))
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("1 {'early': b'1'} ")
    assert "Free some disk space" in answer.stdout
    assert "What is computed from now on is not kept." in answer.stdout
    with Cache(tmp_path, limit_bytes=10**9) as cache:
        assert cache.info().entries == {"embedding": 1}


def test_the_stand_in_goes_with_its_process(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {**os.environ, "TELLAPART_CACHE": str(tmp_path / "file" / "cache"), "TMPDIR": str(tmp_path)}
    script = (
        "from tellapart.features.caching import open_cache\n"
        "with open_cache() as cache: cache.put_many('a', {'b': b'c'}); print(cache.path)"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert answer.stdout.startswith(str(tmp_path / "tellapart-cache-"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
