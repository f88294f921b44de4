"""What is kept is counted and cleared as a whole. In: a cache folder. Out: facts, then nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.errors import SettingsError, StorageError
from tellapart.features.caching import clear_cache, describe_cache, open_cache, row_limit_bytes
from tellapart.features.row_folder import open_rows
from tellapart.features.rows import RowStore
from tellapart.reporter import Silent


class Told(Silent):
    """Keeps what it is warned of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TELLAPART_CACHE_GB", "0.01")
    return tmp_path / "cache"


def store(folder: Path) -> RowStore:
    found = open_rows(folder, "s", ["a"], shape=(1_000_000,), dtype=np.uint8, limit_bytes=10**8)
    assert found is not None
    return found


def test_row_stores_are_counted_and_cleared(folder: Path) -> None:
    store(folder).close()
    facts = describe_cache()
    assert facts["row_stores"]["count"] == 1
    assert 1_000_000 < facts["row_stores"]["size_bytes"] < 1_010_000
    assert facts["size_bytes"] >= facts["row_stores"]["size_bytes"] + (folder / "cache.sqlite").stat().st_size
    assert clear_cache() >= 1_000_000
    assert describe_cache()["row_stores"] == {"count": 0, "size_bytes": 0}
    assert not (folder / "rows").exists()


def test_a_store_in_use_is_not_counted_as_cleared(folder: Path) -> None:
    used = store(folder)
    assert clear_cache() < 1_000_000
    assert describe_cache()["row_stores"]["count"] == 1
    used.close()


def test_rows_may_take_what_the_others_leave_of_the_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert row_limit_bytes() == 10_000_000
    store(folder).close()  # rows make room for rows
    with open_cache() as cache:
        cache.put_many("embedding", {"a": bytes(3_000_000)})
        assert 6_000_000 < row_limit_bytes() < 7_000_000
    monkeypatch.setenv("TELLAPART_CACHE_GB", "0.0001")
    assert row_limit_bytes() == 0
    monkeypatch.setenv("TELLAPART_CACHE_GB", "much")
    with pytest.raises(SettingsError, match="TELLAPART_CACHE_GB is 'much'"):
        row_limit_bytes()


def test_describing_makes_no_folder(folder: Path) -> None:
    assert describe_cache()["row_stores"]["count"] == 0
    assert clear_cache() == 0
    assert not folder.exists()


def test_a_place_that_may_not_even_be_looked_at_is_a_warning_and_a_temporary_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the home of another user. A name that no system takes is refused to root, too."""
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / ("x" * 300) / "tellapart"))
    told = Told()
    with open_cache(told) as cache:
        cache.put_many("embedding", {"a": b"1"})
        assert cache.get_many("embedding", ["a"]) == {"a": b"1"}
    assert len(told.warnings) == 1
    assert "Going on with a temporary cache, which goes when this process ends." in told.warnings[0]
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / ("y" * 300) / "tellapart"))
    for asked in (describe_cache, clear_cache):
        with pytest.raises(StorageError, match="cannot use .*yyy/tellapart"):
            asked()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
def test_a_place_that_tells_no_size_is_not_called_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc tells 0 bytes of 0 free; that nobody can make a folder there is the reason."""
    monkeypatch.setenv("TELLAPART_CACHE", "/proc/nope")
    told = Told()
    with open_cache(told) as cache:
        cache.put_many("embedding", {"a": b"1"})
    assert len(told.warnings) == 1
    assert "cannot use /proc/nope" in told.warnings[0]
    assert "full" not in told.warnings[0]
