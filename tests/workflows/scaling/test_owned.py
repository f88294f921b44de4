"""Folders go with whoever made them. In: processes that live, or were killed. Out: what is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.errors import StorageError
from tellapart.storage import is_own
from tellapart.workflows.scaling.owned import OWNER, held_folder, sweep_abandoned

HOLDS = """
import sys
from pathlib import Path
from tellapart.workflows.scaling.owned import held_folder
with held_folder(Path(sys.argv[1]), "work-") as folder:
    print(folder.name, flush=True)
    sys.stdin.read()
"""
DAY = 24 * 3600


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_ours_and_goes_whatever_happens_inside(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), held_folder(tmp_path / "new", "work-") as folder:
        assert names(tmp_path / "new") == [folder.name]
        assert folder.name.startswith("work-")
        assert is_own(folder)
        (folder / "inside").mkdir()
        (tmp_path / "nothing").read_bytes()  # as it is, and not as if the folder could not be used
    assert names(tmp_path / "new") == []


def test_where_there_is_no_place_for_it_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"cannot use .*file"), held_folder(tmp_path / "file", "work-"):
        pass


def test_it_stays_while_its_owner_lives_and_is_swept_once_that_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert sweep_abandoned(tmp_path, "work-") == ()
        process.kill()
        process.wait()
    assert names(tmp_path) == [name]
    assert sweep_abandoned(tmp_path, "other-") == ()
    with held_folder(tmp_path, "work-") as mine:
        assert names(tmp_path) == [mine.name]


def test_what_is_not_surely_left_behind_stays(tmp_path: Path) -> None:
    (tmp_path / "work-of-a-user").mkdir()
    (tmp_path / "work-file").write_bytes(b"")
    afar = tmp_path / "work-afar"
    afar.mkdir()
    (afar / OWNER).write_text("another machine")
    (tmp_path / "work-link").symlink_to(afar)
    assert sweep_abandoned(tmp_path, "work-") == ()
    for path in (afar / OWNER, afar):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 2 * DAY))
    assert sweep_abandoned(tmp_path, "work-") == ("work-afar",)
    assert names(tmp_path) == ["work-file", "work-link", "work-of-a-user"]
