"""Shards in real object stores on loopback, behind a gate that misbehaves: nothing is lost, nothing is there twice.

Needs what emulators.py says:

    TELLAPART_REMOTE=/tmp/remote pytest -m remote tests/sources/test_object_store.py
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from .emulators import BUCKET, EMULATORS, SECRET, Fault, Started, gate, started

pytestmark = pytest.mark.remote
EACH, SHARDS = 40, 3


@pytest.fixture(scope="module")
def environment(lacks: Callable[[str], NoReturn]) -> Path:
    found = os.environ.get("TELLAPART_REMOTE")
    if not found:
        lacks("TELLAPART_REMOTE names no environment with the stores of tests/sources/emulators.py")
    return Path(found or "")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small ones, and one of three blocks whose pictures cannot all be held in memory at once with another."""
    folder = tmp_path_factory.mktemp("shards")
    generator = np.random.default_rng(0)
    for number in range(SHARDS):
        with tarfile.open(folder / f"s-{number}.tar", "w") as archive:
            for index in range(EACH):
                stream = io.BytesIO()
                Image.fromarray(generator.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(stream, "PNG")
                for ending, data in (("png", stream.getvalue()), ("cls", b"cat" if index % 2 else b"dog")):
                    info = tarfile.TarInfo(f"{number}{index:03d}.{ending}")
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    return folder


@pytest.fixture(scope="module", params=sorted(EMULATORS))
def store(
    request: pytest.FixtureRequest, environment: Path, shards: Path, until: Callable[[Callable[[], object]], None]
) -> Iterator[Started]:
    emulator = EMULATORS[request.param]
    if not (environment / emulator.program).exists():
        pytest.skip(f"TELLAPART_REMOTE holds no {emulator.program}")
    with started(emulator, environment, shards, until) as found:
        yield found


# Azure's library waits 15 seconds and more after a refusal: there are few of them here.
FAULTS: dict[str, Fault] = {
    "sound": lambda number, path: "",
    "busy": lambda number, path: "503" if number in (1, 4) else "",
    "throttled": lambda number, path: "429" if number == 2 else "",
    "dropped": lambda number, path: "drop" if number % 2 else "",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_picture_comes_once_however_the_store_behaves(store: Started, tmp_path: Path, fault: str) -> None:
    with gate(store.port, FAULTS[fault]) as port:
        done = store.run("check", f"{store.emulator.scheme}://{BUCKET}/shards", "--json", port=port, cache=tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["pictures"], record["unreadable"], record["exact_copies"]) == (EACH * SHARDS, [], [])
    assert "SECRETKEY" not in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_every_second_read_may_be_refused(store: Started, tmp_path: Path) -> None:
    if store.emulator.scheme == "az":
        pytest.skip("Azure's library waits 15 seconds and more after each refusal")
    with gate(store.port, lambda number, path: "503" if number % 2 else "") as port:
        done = store.run("check", f"{store.emulator.scheme}://{BUCKET}/shards", "--json", port=port, cache=tmp_path)
    assert json.loads(done.stdout)["pictures"] == EACH * SHARDS


def test_a_key_that_vanishes_is_told_and_the_others_are_read(store: Started, tmp_path: Path) -> None:
    """Gone between the look at its list and the reading of its pictures, with nothing of it kept."""
    reads = Counter[str]()

    def fault(number: int, path: str) -> str:
        reads[path.partition("?")[0]] += 1
        return "404" if "s-1.tar" in path else ""

    scheme = store.emulator.scheme
    with gate(store.port, fault) as port:
        done = store.run("check", f"{scheme}://{BUCKET}/shards", "--json", port=port, cache=tmp_path)
    assert done.returncode == 2
    assert f"{scheme}:/{BUCKET}/shards/s-1.tar' cannot be read: no such file" in done.stderr
    assert sum(count for path, count in reads.items() if "s-1.tar" in path) < 4  # what is gone is not asked for again


def test_a_key_that_is_not_there_and_a_store_that_refuses_are_told(store: Started, tmp_path: Path) -> None:
    scheme = store.emulator.scheme
    gone = store.run("check", f"{scheme}://{BUCKET}/shards/s-{{2..3}}.tar", port=store.port, cache=tmp_path)
    assert (gone.returncode, "cannot be read: no such file." in gone.stderr) == (2, True)
    none = store.run("check", f"{scheme}://{BUCKET}/nothing", port=store.port, cache=tmp_path)
    assert (none.returncode, "holds 0 files and no shard" in none.stderr) == (2, True)
    if store.emulator.keys:
        refused = store.run("check", f"{scheme}://{BUCKET}/shards", port=store.port, cache=tmp_path, keys=False)
        said = {"s3": "cannot be listed: the store refuses it: Unable to locate", "az": "az:// cannot be used: "}[
            scheme
        ]
        assert (refused.returncode, said in refused.stderr, "Traceback" in refused.stderr) == (2, True, False)
