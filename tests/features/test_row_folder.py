"""The folder of row stores stays under its limit, and gives no stale rows. In: a folder. Out: stores, or None."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from tellapart.errors import StorageError
from tellapart.features.row_folder import clear_rows, open_rows, relatives, rows_info
from tellapart.features.rows import DATA, LOCK, META, Computed, RowStore, fill

LIMIT = 10**6
NAMES = ["a", "b"]


def opened(folder: Path, settings: str = "s", names: list[str] = NAMES, *, limit: int = LIMIT) -> RowStore | None:
    return open_rows(folder, settings, names, shape=(100,), dtype=np.float16, limit_bytes=limit)


def filled(folder: Path, settings: str = "s", names: list[str] = NAMES, *, limit: int = LIMIT) -> RowStore:
    store = opened(folder, settings, names, limit=limit)
    assert store is not None

    def ones(rows: list[int]) -> Computed:
        return Computed(rows=rows, values=np.ones((len(rows), 100)), problems={})

    fill(store, range(len(names)), ones, unit=1, workers=1)
    return store


def missing(store: RowStore | None) -> int:
    assert store is not None
    return int((~store.done).sum())


def test_only_the_same_settings_contents_shape_and_type_find_the_same_rows(tmp_path: Path) -> None:
    filled(tmp_path)
    assert missing(opened(tmp_path)) == 0
    assert missing(opened(tmp_path, "other")) == 2
    assert missing(opened(tmp_path, names=["a", "c"])) == 2
    assert missing(opened(tmp_path, names=["b", "a"])) == 2
    for changed in ({"shape": (10, 10)}, {"dtype": np.int16}, {"parts": 2}):
        settings: dict[str, object] = {"shape": (100,), "dtype": np.float16, "limit_bytes": LIMIT, **changed}
        assert missing(open_rows(tmp_path, "s", NAMES, **settings)) > 0  # type: ignore[arg-type]


@pytest.mark.parametrize("harm", ["cut", "other settings", "no json", "gone"])
def test_a_damaged_store_is_made_anew(tmp_path: Path, harm: str) -> None:
    path = filled(tmp_path).path
    if harm == "cut":
        os.truncate(path / DATA, 399)
    elif harm == "other settings":
        (path / META).write_text((path / META).read_text().replace('"s"', '"t"'))
    elif harm == "no json":
        (path / META).write_text("{")
    else:
        (path / META).unlink()
    assert missing(opened(tmp_path)) == 2


def test_the_least_recently_used_store_makes_room(tmp_path: Path) -> None:
    size = rows_info(tmp_path).size_bytes
    for age, settings in ((200, "old"), (300, "older but used again"), (100, "new")):
        path = filled(tmp_path, settings).path
        os.utime(path / LOCK, (time.time() - age, time.time() - age))
        size = rows_info(tmp_path).size_bytes
    assert missing(opened(tmp_path, "older but used again")) == 0
    filled(tmp_path, "one more", limit=size)
    assert rows_info(tmp_path).stores == 3
    assert missing(opened(tmp_path, "older but used again")) == 0
    assert missing(opened(tmp_path, "new")) == 0
    assert missing(opened(tmp_path, "old")) == 2


def test_a_store_in_use_stays_and_what_cannot_fit_is_refused(tmp_path: Path) -> None:
    used = filled(tmp_path)
    assert opened(tmp_path, "other", limit=rows_info(tmp_path).size_bytes) is None
    np.testing.assert_array_equal(used.read([0, 1]), np.ones((2, 100)))
    clear_rows(tmp_path)
    assert rows_info(tmp_path).stores == 1
    used.close()
    assert opened(tmp_path, "other", limit=900) is not None
    assert not used.path.exists()
    np.testing.assert_array_equal(used.read([0, 1]), np.ones((2, 100)))  # to those who still have it, it stays valid


def test_a_store_over_the_limit_is_refused_and_nothing_goes_for_it(tmp_path: Path) -> None:
    filled(tmp_path)
    assert opened(tmp_path, "large", [str(number) for number in range(100)], limit=2000) is None
    assert missing(opened(tmp_path)) == 0


def test_a_store_that_the_disk_cannot_hold_is_refused(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert open_rows(tmp_path, "s", NAMES, shape=(free,), dtype=np.uint8, limit_bytes=10**18) is None
    assert list((tmp_path / "rows").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs a limit on the size of files")
def test_a_file_that_the_system_refuses_leaves_nothing_behind(tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        assert opened(tmp_path) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "rows").iterdir()) == []


def test_relatives_have_the_same_settings_and_are_held(tmp_path: Path) -> None:
    store = filled(tmp_path)
    other = filled(tmp_path, names=["c"])
    filled(tmp_path, "other")
    other.close()
    with relatives(store) as found:
        assert [relative.path for relative in found] == [other.path]
        clear_rows(tmp_path)
        assert other.path.exists()
    clear_rows(tmp_path)
    assert not other.path.exists()


def test_clearing_removes_stores_and_leftovers_and_nothing_else(tmp_path: Path) -> None:
    filled(tmp_path).close()
    (tmp_path / "rows" / ".making-abc").mkdir()
    (tmp_path / "rows" / "mine").mkdir()
    clear_rows(tmp_path)
    assert [path.name for path in (tmp_path / "rows").iterdir()] == ["mine"]
    (tmp_path / "rows" / "mine").rmdir()
    clear_rows(tmp_path)
    assert not (tmp_path / "rows").exists()


def test_leftovers_of_a_killed_process_go_after_an_hour(tmp_path: Path) -> None:
    for name, age in ((".making-old", 4000), (".making-new", 10)):
        (tmp_path / "rows" / name).mkdir(parents=True)
        os.utime(tmp_path / "rows" / name, (time.time() - age, time.time() - age))
    opened(tmp_path)
    assert not (tmp_path / "rows" / ".making-old").exists()
    assert (tmp_path / "rows" / ".making-new").exists()


def test_no_contents_are_an_empty_store(tmp_path: Path) -> None:
    store = opened(tmp_path, names=[])
    assert store is not None
    assert (len(store), fill(store, [], lambda rows: None, unit=1, workers=1)) == (0, {})  # type: ignore[arg-type,return-value]


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("in the way")
    with pytest.raises(StorageError, match="A file of that name is in the way|in the way"):
        opened(tmp_path)
