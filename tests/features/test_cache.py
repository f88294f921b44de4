"""The cache forgets nothing that it may keep, and believes nothing that is damaged. In: a folder. Out: stored bytes."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.errors import StorageError
from tellapart.features.cache import Cache

LIMIT = 10**9


def test_what_is_put_is_got_again_by_another_process_too(tmp_path: Path) -> None:
    items = {f"key {number}": os.urandom(100) for number in range(1200)}
    with Cache(tmp_path, limit_bytes=LIMIT) as cache:
        cache.put_many("embedding", items)
    code = (
        "import sys; from pathlib import Path; from tellapart.features.cache import Cache;"
        "cache = Cache(Path(sys.argv[1]), limit_bytes=10**9);"
        "print(len(cache.get_many('embedding', [f'key {n}' for n in range(1300)])))"
    )
    answer = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "1200"
    with Cache(tmp_path, limit_bytes=LIMIT) as cache:
        assert cache.get_many("embedding", list(items)) == items
        assert cache.get_many("inspection", list(items)) == {}


def test_a_changed_value_is_noticed_dropped_and_stored_anew(tmp_path: Path) -> None:
    with Cache(tmp_path, limit_bytes=LIMIT) as cache:
        cache.put_many("embedding", {"a": b"right", "b": b"also right"})
    connection = sqlite3.connect(tmp_path / "cache.sqlite")
    connection.execute("UPDATE entries SET value = ? WHERE value = ?", (b"wrong", b"right"))
    connection.commit()
    connection.close()
    with Cache(tmp_path, limit_bytes=LIMIT) as cache:
        assert cache.get_many("embedding", ["a", "b"]) == {"b": b"also right"}
        assert cache.damaged == 1
        cache.put_many("embedding", {"a": b"right"})
        assert cache.get_many("embedding", ["a"]) == {"a": b"right"}


def test_a_value_under_anothers_key_is_noticed(tmp_path: Path) -> None:
    with Cache(tmp_path, limit_bytes=LIMIT) as cache:
        cache.put_many("embedding", {"a": b"of a", "b": b"of b"})
    connection = sqlite3.connect(tmp_path / "cache.sqlite")
    (value, checksum) = connection.execute("SELECT value, checksum FROM entries WHERE value = ?", (b"of a",)).fetchone()
    connection.execute("UPDATE entries SET value = ?, checksum = ? WHERE value = ?", (value, checksum, b"of b"))
    connection.commit()
    connection.close()
    with Cache(tmp_path, limit_bytes=LIMIT) as cache:
        assert cache.get_many("embedding", ["a", "b"]) == {"a": b"of a"}


@pytest.mark.parametrize("seed", range(8))
def test_a_mutilated_file_never_gives_a_wrong_value_or_an_error(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    items = {f"key {number}": bytes([number % 256]) * 500 for number in range(300)}
    with Cache(tmp_path, limit_bytes=LIMIT) as cache:
        cache.put_many("embedding", items)
    path = tmp_path / "cache.sqlite"
    data = bytearray(path.read_bytes())
    if seed == 0:
        data = data[: len(data) // 2]
    elif seed == 1:
        data = bytearray(b"this is no database at all, but long enough to be read as one" * 200)
    else:
        for _ in range(200):
            data[chance.randrange(0 if seed < 4 else 200, len(data))] = chance.randrange(256)
    path.write_bytes(data)
    with Cache(tmp_path, limit_bytes=LIMIT) as cache:
        found = cache.get_many("embedding", list(items))
        assert all(items[key] == value for key, value in found.items())
        cache.put_many("embedding", items)
        assert cache.get_many("embedding", list(items)) == items


def test_it_stays_under_its_limit_and_forgets_the_longest_unused_first(tmp_path: Path) -> None:
    limit = 2_000_000
    with Cache(tmp_path, limit_bytes=limit) as cache:
        cache.put_many("embedding", {f"old {number}": os.urandom(5000) for number in range(200)})
    connection = sqlite3.connect(tmp_path / "cache.sqlite")
    connection.execute("UPDATE entries SET used = used - 1000000")
    connection.commit()
    connection.close()
    with Cache(tmp_path, limit_bytes=limit) as cache:
        assert cache.get_many("embedding", ["old 0"])  # used again, so no longer the oldest
        cache.put_many("embedding", {f"new {number}": os.urandom(5000) for number in range(200)})
        cache.prune()
        assert cache.info().size_bytes < limit * 1.1
        assert "old 0" in cache.get_many("embedding", ["old 0"])
        # Some of the old ones are enough: whatever was used in the last second, before the new or with them, stays.
        assert 0 < len(cache.get_many("embedding", [f"old {number}" for number in range(1, 200)])) < 199
        assert len(cache.get_many("embedding", [f"new {number}" for number in range(200)])) == 200


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tellapart.features.cache import Cache\n"
        "with Cache(Path(sys.argv[1]), limit_bytes=10**9) as cache:\n"
        "    for n in range(60): cache.put_many('embedding', {f'{sys.argv[2]} {n} {m}': b'x' * 500 for m in range(20)})\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, tmp_path, name]) for name in "ab"]
    assert [process.wait(300) for process in processes] == [0, 0]
    with Cache(tmp_path, limit_bytes=LIMIT) as cache:
        assert cache.info().entries == {"embedding": 2400}


@pytest.mark.parametrize("batches", [1, 5, 20])
def test_kill_9_leaves_a_cache_that_works(tmp_path: Path, batches: int) -> None:
    code = (
        "import sys; from pathlib import Path; from tellapart.features.cache import Cache\n"
        "cache = Cache(Path(sys.argv[1]), limit_bytes=10**9)\n"
        "for n in range(10**6):\n"
        "    cache.put_many('embedding', {f'{n} {m}': str(n).encode() * 500 for m in range(20)}); print(n, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(batches):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait(300)
    process.stdout.close()
    with Cache(tmp_path, limit_bytes=LIMIT) as cache:
        assert cache.damaged == 0
        count = cache.info().entries.get("embedding", 0)
        assert count >= 20 * batches
        assert count % 20 == 0  # a batch is stored whole or not at all
        assert cache.get_many("embedding", ["0 0"]) == {"0 0": b"0" * 500}


def test_clearing_gives_the_space_back(tmp_path: Path) -> None:
    with Cache(tmp_path, limit_bytes=LIMIT) as cache:
        cache.put_many("embedding", {str(number): os.urandom(5000) for number in range(400)})
        assert cache.info().size_bytes > 1_000_000
        cache.clear()
        assert cache.info().entries == {}
        assert cache.info().size_bytes < 100_000


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Choose another path"):
        Cache(tmp_path / "file" / "cache", limit_bytes=LIMIT)


def test_a_cache_that_cannot_be_opened_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "cache.sqlite").mkdir()
    with pytest.raises(StorageError, match=r"cannot be used: .*set TELLAPART_CACHE to another folder"):
        Cache(tmp_path, limit_bytes=LIMIT)
