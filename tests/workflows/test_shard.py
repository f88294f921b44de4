"""A data set as shards: the same pictures, labels, groups and splits come back, whatever happened on the way."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.cli.main import execute
from tellapart.data.dataset import split_examples
from tellapart.data.examples import ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.survey import Examined
from tellapart.errors import DataError, StorageError
from tellapart.features.caching import open_cache
from tellapart.features.rows import try_lock
from tellapart.reporter import Silent
from tellapart.sources.reading import read_bytes
from tellapart.workflows.learning.examine import examine
from tellapart.workflows.shard import write_shards

SILENT = Silent()
# Ends by SIGKILL when the file of that name is about to be moved into its place.
KILLED = """
import os, signal, sys
from tellapart.cli.main import run

def watch(event, values):
    if event == "os.rename" and os.path.basename(os.fspath(values[1])) == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
run(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty noisy pictures of 40 kB in two classes, some of them copies; one is damaged, one is called as no picture is."""
    folder = tmp_path_factory.mktemp("noise") / "pictures"
    generator = np.random.default_rng(0)
    for number in range(60):
        path = folder / ("cat", "dög")[number % 2] / f"{number}.a.PNG"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (115, 115, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, "PNG")
    (folder / "cat" / "copy.png").write_bytes((folder / "cat" / "0.a.PNG").read_bytes())
    (folder / "cat" / "broken.jpg").write_bytes(b"\xff\xd8\xff none")
    (folder / "cat" / "download").write_bytes((folder / "cat" / "2.a.PNG").read_bytes())
    (folder / "cat" / "notes.txt").write_text("none")
    return folder


def look(source: Path) -> Examined:
    with open_cache(SILENT) as cache:
        return examine(source, cache=cache, reporter=SILENT, workers=1)


def split_by_content(examined: Examined) -> list[tuple[str, ...]]:
    return sorted(
        (one.content_hash, one.target.text, str(one.split), one.group, one.problem)
        for one in split_examples(examined, seed=3)
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("layout", ["tar", "parquet"])
def test_shards_hold_the_same_pictures_and_are_split_alike(pictures: Path, tmp_path: Path, layout: str) -> None:
    out = tmp_path / "shards"
    written = write_shards(pictures, out, layout=layout, most_bytes=1_000_000, reporter=SILENT)
    assert (written.pictures, [path for path, _ in written.left_out]) == (63, [str(pictures / "cat" / "notes.txt")])
    assert len(written.shards) == 3
    assert all(shard.bytes <= 1_010_000 for shard in written.shards)
    before, after = look(pictures), look(out)
    assert split_by_content(after) == split_by_content(before)
    assert after.audit.totals == before.audit.totals == {"cat": 32, "dög": 30}
    assert [len(cluster) for cluster in after.audit.exact_copies] == [2, 2]
    assert len(after.audit.unreadable) == len(before.audit.unreadable) == 1
    assert after.audit.wrong_extensions == before.audit.wrong_extensions == ()


def test_pictures_come_in_the_order_of_their_paths_with_where_they_were(pictures: Path, tmp_path: Path) -> None:
    write_shards(pictures, tmp_path / "shards", most_bytes=1_000_000, reporter=SILENT)
    entries = read_listing(tmp_path / "shards").entries
    records = [json.loads(read_bytes(entry.path.with_suffix(".json"))) for entry in entries]
    listed = [entry.path for entry in read_listing(pictures).entries if entry.path.name != "notes.txt"]
    assert [pictures / record["path"] for record in records] == listed
    assert [read_bytes(entry.path) for entry in entries] == [path.read_bytes() for path in listed]
    assert (tmp_path / "shards" / "classes.txt").read_text() == "cat\ndög\n"
    assert read_bytes(entries[-1].path.with_suffix(".cls")) == b"1"


def table(pictures: Path, path: Path, columns: Mapping[str, list[str]]) -> Path:
    names = sorted(str(one) for one in pictures.rglob("*.PNG"))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", *columns])
        writer.writerows(
            [name, *(values[place % len(values)] for values in columns.values())] for place, name in enumerate(names)
        )
    return path


@pytest.mark.parametrize("layout", ["tar", "parquet"])
def test_groups_and_given_splits_are_carried(pictures: Path, tmp_path: Path, layout: str) -> None:
    source = table(
        pictures,
        tmp_path / "t.csv",
        {"label": ["a", "b"], "split": ["train", "val", "test"], "group": ["g1", "g2", "g3", "g4", "g5"]},
    )
    out = tmp_path / "shards"
    written = write_shards(source, out, layout=layout, most_bytes=1_000_000, reporter=SILENT)
    kinds = ("train", "validation", "test")
    assert [shard.name for shard in written.shards] == [f"{kind}-000000.{layout}" for kind in kinds]
    before = [(one.target.text, one.split, one.group, read_bytes(one.path)) for one in read_listing(source).entries]
    after = [(one.target.text, one.split, one.group, read_bytes(one.path)) for one in read_listing(out).entries]
    assert sorted(after, key=str) == sorted(before, key=str)


def test_sets_of_classes_are_carried_by_parquet(pictures: Path, tmp_path: Path) -> None:
    source = table(pictures, tmp_path / "t.csv", {"labels": ["a|b", "", "b", "a"]})
    with pytest.raises(DataError, match="gives pictures several classes or none, and a tar .* Add --format parquet."):
        write_shards(source, tmp_path / "shards", reporter=SILENT)
    write_shards(source, tmp_path / "shards", layout="parquet", reporter=SILENT)
    after = read_listing(tmp_path / "shards")
    assert after.task == "multilabel"
    assert [one.target for one in after.entries] == [one.target for one in read_listing(source).entries]


def test_targets_that_shards_do_not_carry_are_refused(pictures: Path, tmp_path: Path) -> None:
    source = table(pictures, tmp_path / "t.csv", {"text": ["fine"], "label": ["a", "b"]})
    with pytest.raises(DataError, match="is for text, whose targets shards do not carry; they carry a class"):
        write_shards(source, tmp_path / "shards", reporter=SILENT, options=ReadOptions(task="text"))


def killed(moment: str, *arguments: str) -> int:
    command = [sys.executable, "-c", KILLED, moment, "shard", *arguments, "--quiet"]
    return subprocess.run(command, capture_output=True, check=False, env=os.environ).returncode


def test_killed_while_it_takes_the_place_of_another_the_other_comes_back(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    out.mkdir()
    (out / "shards.json").touch()
    assert killed("shards", str(pictures), "--out", str(out), "--force") == -signal.SIGKILL
    assert not out.exists()
    with pytest.raises(StorageError, match="is there already"):
        write_shards(pictures, out, reporter=SILENT)
    assert list(files(out)) == ["shards.json"]


@pytest.mark.parametrize("moment", ["shard-000001.tar", "state.json", "shards"])
def test_killed_at_any_moment_the_same_command_gives_the_same_bytes(
    pictures: Path, tmp_path: Path, moment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shards(pictures, tmp_path / "whole", most_bytes=1_000_000, reporter=SILENT)
    out = tmp_path / "shards"
    arguments = (str(pictures), "--out", str(out), "--size", "1MB")
    assert killed(moment, *arguments) == -signal.SIGKILL
    assert not out.exists()
    assert execute(["shard", *arguments, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["reused"] == {"shard-000001.tar": 1, "state.json": 0, "shards": 0}[moment]
    assert files(out) == files(tmp_path / "whole")
    assert not list(tmp_path.glob(".shards*"))


def test_after_a_change_what_a_killed_process_left_is_written_anew(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    assert killed("shard-000001.tar", str(pictures), "--out", str(out), "--size", "1MB") == -signal.SIGKILL
    written = write_shards(pictures, out, most_bytes=2_000_000, reporter=SILENT)
    assert (written.reused, len(written.shards)) == (0, 2)


def test_what_is_there_is_replaced_only_when_asked(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "shards"
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(StorageError, match="is there already, and nothing is overwritten unasked"):
        write_shards(pictures, out, reporter=SILENT)
    with pytest.raises(StorageError, match="holds other things than what this command writes"):
        write_shards(pictures, out, force=True, reporter=SILENT)
    with pytest.raises(StorageError, match="holds other things than what this command writes"):
        write_shards(pictures, pictures, force=True, reporter=SILENT)
    assert (out / "old").exists()
    (out / "shards.json").touch()
    assert execute(["shard", str(pictures), "--out", str(out), "--force", "--quiet"]) == 0
    assert sorted(files(out)) == ["classes.txt", "shard-000000.tar", "shards.json"]
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{out}: 63 pictures in 1 shard, 2.")
    assert said[1] == f"! left out: {pictures / 'cat' / 'notes.txt'}, not a picture"


def test_two_processes_do_not_write_the_same_shards(pictures: Path, tmp_path: Path) -> None:
    begun = tmp_path / ".shards.shards"
    begun.mkdir()
    with (begun / "lock").open("wb") as lock:
        assert try_lock(lock, shared=False)
        with pytest.raises(StorageError, match="another process is writing .* just now. Wait until it is done"):
            write_shards(pictures, tmp_path / "shards", reporter=SILENT)


def test_where_nothing_can_be_read_nothing_is_written(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        (tmp_path / "pictures" / name / "1.txt").write_text("none")
    with pytest.raises(
        DataError, match="no picture of .* can be read, so nothing is written. `tellapart check` says why"
    ):
        write_shards(
            tmp_path / "pictures", tmp_path / "shards", reporter=SILENT, options=ReadOptions(task="classification")
        )
    assert not (tmp_path / "shards").exists()


@pytest.mark.parametrize("size", ["5", "1KB", "large", "-1GB"])
def test_sizes_that_are_none(pictures: Path, tmp_path: Path, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["shard", str(pictures), "--out", str(tmp_path / "shards"), "--size", size]) == 2
    assert "is no size of a shard; give a megabyte or more, such as 500MB." in capsys.readouterr().err
