"""Rows on disk are whole or missing, whatever stops the filling. In: a folder, signals. Out: rows, and who made them."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.errors import StorageError
from tellapart.features.row_folder import open_rows
from tellapart.features.rows import DATA, FLAGS, Computed, RowStore, attach, fill

ROWS, SHAPE = 40, (64, 64)
Start, Until = Callable[..., subprocess.Popen[bytes]], Callable[..., None]

# Fills a store, and notes down each row before it is computed. Each two rows then wait for a byte of standard input, or its end.
FILLER = """
import os, signal, sys
from pathlib import Path
import numpy as np
from tellapart.features.rows import Computed, fill
from tellapart.features.row_folder import open_rows

store = open_rows(Path(sys.argv[1]), "s", [f"c{n}" for n in range(40)], shape=(64, 64), dtype=np.int64, limit_bytes=10**9)

def compute(rows):
    with open(sys.argv[2], "a") as notes:
        notes.writelines(f"{row}\\n" for row in rows)
    os.read(0, 1)
    values = [np.arange(64 * 64).reshape(64, 64) * (row + 1) for row in rows]
    return Computed(rows=rows, values=np.array(values), problems={})

def interrupt(number, frame):
    print("interrupted", flush=True)
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, interrupt)
fill(store, list(range(40)), compute, unit=2, workers=2, commit_bytes=int(sys.argv[3]))
"""


def expected(row: int) -> NDArray[np.int64]:
    return np.arange(64 * 64).reshape(SHAPE) * (row + 1)


def compute(rows: list[int]) -> Computed:
    return Computed(rows=rows, values=np.array([expected(row) for row in rows]), problems={})


def opened(folder: Path, *, names: list[str] | None = None, parts: int = 1) -> RowStore:
    names = [f"c{number}" for number in range(ROWS)] if names is None else names
    store = open_rows(folder, "s", names, shape=SHAPE, dtype=np.int64, limit_bytes=10**9, parts=parts)
    assert store is not None
    return store


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start processes that fill so many rows, and then wait in the midst of the next ones."""
    with contextlib.ExitStack() as stack:

        def start_one(*, rows: int, commit_bytes: int = 1) -> subprocess.Popen[bytes]:
            pipe = subprocess.PIPE
            command = [sys.executable, "-c", FILLER, tmp_path, tmp_path / "notes", str(commit_bytes)]
            process = stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe))
            stack.callback(process.kill)
            let_fill(process, rows)
            return process

        yield start_one


def let_fill(process: subprocess.Popen[bytes], rows: int) -> None:
    assert process.stdin is not None
    process.stdin.write(b"." * (rows // 2))
    process.stdin.flush()


def let_finish(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None  # `communicate` would write to it


def flagged(folder: Path) -> int:
    """How many rows the filling process has flagged."""
    paths = (folder / "rows").glob(f"[!.]*/{FLAGS}")
    return sum(np.count_nonzero(np.fromfile(path, dtype="<u8")) for path in paths)


def test_rows_are_what_was_computed_and_are_computed_once(tmp_path: Path) -> None:
    counted: list[int] = []
    store = opened(tmp_path)
    assert not store.done.any()
    assert fill(store, range(ROWS), compute, unit=3, workers=2, advance=counted.append) == {}
    assert sum(counted) == ROWS
    values = store.read([5, 0, 5, 39])
    np.testing.assert_array_equal(values, [expected(5), expected(0), expected(5), expected(39)])
    assert type(values) is np.ndarray  # no map, whose pages may go, and free to be written to
    assert values.flags.writeable
    assert values.base is None

    def never(rows: list[int]) -> Computed:
        raise AssertionError(rows)

    counted.clear()
    again = opened(tmp_path)
    fill(again, range(ROWS), never, unit=3, workers=2, advance=counted.append)
    assert sum(counted) == ROWS


def test_a_row_with_a_problem_stays_missing_and_is_tried_again(tmp_path: Path) -> None:
    def without_seven(rows: list[int]) -> Computed:
        good = [row for row in rows if row != 7]
        values = np.array([expected(row) for row in good]).reshape(-1, *SHAPE)
        return Computed(rows=good, values=values, problems={7: "bad"} if 7 in rows else {})

    counted: list[int] = []
    store = opened(tmp_path)
    assert fill(store, range(ROWS), without_seven, unit=1, workers=2, advance=counted.append) == {7: "bad"}
    assert sum(counted) == ROWS
    with pytest.raises(ValueError, match="row 7 of .* has not been filled"):
        store.read([6, 7])
    assert fill(store, range(ROWS), compute, unit=1, workers=2) == {}
    np.testing.assert_array_equal(store.read([7])[0], expected(7))


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_leaves_rows_that_are_whole_or_missing_and_the_filling_goes_on(
    tmp_path: Path, start: Start, until: Until, seed: int
) -> None:
    rows = 2 * random.Random(seed).randrange(1, ROWS // 2 - 4)
    process = start(rows=rows)
    until(lambda: flagged(tmp_path) == rows)
    let_fill(process, 6)  # somewhere in the writing of these
    process.kill()
    process.communicate()
    (folder,) = (tmp_path / "rows").glob("[!.]*")
    # The files themselves: opening the store would already set aside what does not fit its checksum.
    done = np.flatnonzero(np.fromfile(folder / FLAGS, dtype="<u8"))
    assert 0 < len(done) < ROWS
    data = np.fromfile(folder / DATA, dtype=np.int64).reshape(ROWS, *SHAPE)
    np.testing.assert_array_equal(data[done], [expected(row) for row in done])
    store = opened(tmp_path)
    assert np.flatnonzero(store.done).tolist() == done.tolist()
    made: list[int] = []

    def note(rows: list[int]) -> Computed:
        made.extend(rows)
        return compute(rows)

    fill(store, range(ROWS), note, unit=2, workers=2)
    assert sorted(made) == sorted(set(range(ROWS)) - set(done))
    np.testing.assert_array_equal(store.read(range(ROWS)), [expected(row) for row in range(ROWS)])


def test_ctrl_c_stops_at_once_and_keeps_what_was_computed(tmp_path: Path, start: Start, until: Until) -> None:
    notes = tmp_path / "notes"
    process = start(rows=10, commit_bytes=10**9)  # nothing would be flagged before the end
    until(lambda: notes.exists() and len(notes.read_text().split()) == 14)  # four of them are being computed
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"interrupted\n"
    while process.poll() is None:  # one unit after the other: the threads end with what they have in hand
        with contextlib.suppress(subprocess.TimeoutExpired, BrokenPipeError):
            let_fill(process, 2)
            process.wait(1)
    _, errors = process.communicate()
    assert errors.decode().strip().endswith("KeyboardInterrupt")
    begun = len(notes.read_text().split())
    assert begun < ROWS
    assert opened(tmp_path).done.sum() == begun


def test_two_processes_fill_one_store_without_doing_anything_twice(tmp_path: Path, start: Start, until: Until) -> None:
    notes = tmp_path / "notes"
    processes = [start(rows=4) for _ in range(2)]
    until(lambda: flagged(tmp_path) == 4)
    store, counted = opened(tmp_path), list[int]()

    def advance(count: int) -> None:
        if not counted:  # told while this one waits
            for process in processes:
                let_finish(process)
        counted.append(count)

    fill(store, range(ROWS), compute, unit=2, workers=2, advance=advance)
    assert counted[0] == 4
    assert sum(counted) == ROWS
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0]
    assert len(notes.read_text().split()) == len(set(notes.read_text().split()))
    np.testing.assert_array_equal(store.read(range(ROWS)), [expected(row) for row in range(ROWS)])


def test_a_killed_filler_lets_the_one_that_waits_go_on(tmp_path: Path, start: Start, until: Until) -> None:
    process = start(rows=2)
    until(lambda: flagged(tmp_path) == 2)
    store, counted = opened(tmp_path), list[int]()

    def advance(count: int) -> None:
        if not counted:  # told while this one waits
            process.kill()
        counted.append(count)

    fill(store, range(ROWS), compute, unit=2, workers=1, advance=advance)
    assert counted[0] == 2
    assert sum(counted) == ROWS
    process.communicate()
    np.testing.assert_array_equal(store.read(range(ROWS)), [expected(row) for row in range(ROWS)])


def test_damaged_rows_count_as_missing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, range(ROWS), compute, unit=4, workers=2)
    with (store.path / DATA).open("r+b") as file:
        file.seek(11 * store.row_bytes + 8)
        file.write(b"\xff")
    again = opened(tmp_path)
    assert np.flatnonzero(~again.done).tolist() == [11]


def test_a_failed_computation_is_raised_and_the_others_are_kept(tmp_path: Path) -> None:
    def failing(rows: list[int]) -> Computed:
        if rows == [20]:
            raise StorageError("no more")
        return compute(rows)

    store = opened(tmp_path)
    with pytest.raises(StorageError, match="no more"):
        fill(store, range(ROWS), failing, unit=1, workers=1)
    assert store.done[:20].sum() >= 10
    assert not store.done[20]


def test_rows_of_other_contents_with_the_same_settings_are_copied(tmp_path: Path) -> None:
    def by_content(store: RowStore, made: list[int]) -> None:
        names = store.contents

        def work(rows: list[int]) -> Computed:
            made.extend(rows)
            numbers = [int(names[row // 2][1:]) * 2 + row % 2 for row in rows]
            return Computed(rows=rows, values=np.array([expected(number) for number in numbers]), problems={})

        fill(store, range(len(store)), work, unit=2, workers=1, others=others)

    made: list[int] = []
    others: list[RowStore] = []
    first = opened(tmp_path, names=["c1", "c2", "c4"], parts=2)
    by_content(first, made)
    made.clear()
    others = [first]
    with (first.path / DATA).open("r+b") as file:  # a part of c4
        file.seek(5 * first.row_bytes)
        file.write(b"\xff\xff")
    second = opened(tmp_path, names=["c0", "c2", "c3", "c4"], parts=2)
    by_content(second, made)
    assert sorted(made) == [0, 1, 4, 5, 6, 7]
    wanted = [expected(content * 2 + part) for content in (0, 2, 3, 4) for part in (0, 1)]
    np.testing.assert_array_equal(second.read(range(8)), wanted)


def test_a_store_goes_to_another_process_as_its_path(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, range(ROWS), compute, unit=4, workers=1)
    data = pickle.dumps(store)
    assert len(data) < 500
    np.testing.assert_array_equal(pickle.loads(data).read([3])[0], expected(3))
    with pytest.raises(StorageError, match="it is not there, or no longer"):
        attach(tmp_path / "gone")


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs a limit on the size of files")
def test_a_refused_write_is_a_storage_error(tmp_path: Path) -> None:
    import resource

    store = opened(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (store.row_bytes, hard))
    try:
        with pytest.raises(StorageError, match="larger than this system or its limits allow"):
            fill(store, range(ROWS), compute, unit=1, workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.done[1:].sum() == 0
