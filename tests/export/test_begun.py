"""Folders are filled whole or not at all, whatever becomes of the process. In: folders. Out: what stands there afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.export.begun import begun_folder, take_place

# Fills a folder beside an earlier one and says so, there or between the two steps by which it takes the earlier one's place.
FILLING = """
import os, sys, time
from pathlib import Path
from tellapart.export import begun

home, where = Path(sys.argv[1]), sys.argv[2]
with begun.begun_folder(home) as folder:
    (folder / "card.json").write_text("new")
    if where == "between":
        replace = os.replace
        def once(source, target):
            replace(source, target)
            print("ready", flush=True)
            time.sleep(600)
        os.replace = once
        begun.take_place(folder, home)
    print("ready", flush=True)
    time.sleep(600)
"""


def kill_while_filling(home: Path, where: str, number: int) -> None:
    with subprocess.Popen([sys.executable, "-c", FILLING, str(home), where], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)


def earlier(home: Path) -> Path:
    home.mkdir(parents=True)
    (home / "card.json").write_text("earlier")
    return home


def test_what_is_begun_goes_unless_it_is_finished(tmp_path: Path) -> None:
    with begun_folder(tmp_path / "home") as begun:
        (begun / "half").write_text("")
    assert not list(tmp_path.iterdir())
    with begun_folder(tmp_path / "home") as begun:
        (begun / "whole").write_text("")
        take_place(begun, tmp_path / "home")
    assert [path.name for path in tmp_path.rglob("*")] == ["home", "whole"]


def test_a_folder_above_that_was_made_for_it_goes_too_where_it_stays_empty(tmp_path: Path) -> None:
    home = tmp_path / "exports" / "home"
    with pytest.raises(OSError, match="full"), begun_folder(home):
        raise OSError("full")
    assert not home.parent.exists()
    home.parent.mkdir()
    with begun_folder(home):
        pass
    assert home.parent.is_dir()  # it was there before


@pytest.mark.skipif(os.name == "nt", reason="Windows tells nobody which processes live")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("where", ["before", "between"])
def test_what_a_killed_process_left_is_put_right_by_the_next_one(tmp_path: Path, where: str, number: int) -> None:
    home = earlier(tmp_path / "exports" / "onnx")
    kill_while_filling(home, where, number)
    assert home.exists() == (where == "before")
    assert len([path for path in home.parent.iterdir() if path.name.startswith(".")]) > 0
    with begun_folder(home.with_name("another")):  # whichever it fills
        assert (home / "card.json").read_text() == "earlier"
    assert [path.name for path in home.parent.iterdir()] == ["onnx"]


def test_what_a_living_process_fills_stays(tmp_path: Path) -> None:
    with begun_folder(tmp_path / "one") as first, begun_folder(tmp_path / "two"):
        assert first.is_dir()
    for name in (".hidden", ".one.abc.old", ".git"):
        (tmp_path / name).mkdir()
    with begun_folder(tmp_path / "one"):
        pass
    assert len(list(tmp_path.iterdir())) == 3  # other hidden folders are not ours
